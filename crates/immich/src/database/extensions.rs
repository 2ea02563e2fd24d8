//! The extensions in a database, held against those that the server offers.

use std::collections::BTreeMap;
use std::fmt;

use super::{Database, Result};
use crate::dump::{ExtensionOffer, ImmichVersion, Installed};

/// An extension in Immich's database and on its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionState {
    /// Its name, for example `vchord`.
    pub name: String,
    /// The version in the database.
    pub version: String,
    /// The version that the server offers; `None` when it is not installed any more.
    pub offered: Option<String>,
}

/// Whether Immich can be started with an extension as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtensionStanding {
    /// The database and the server are at the same version.
    Same,
    /// The server offers a newer version; the start updates it, and its indexes are made anew.
    Update,
    /// The database is at a newer version than the server offers: it must not be started.
    NewerInDatabase,
    /// The server does not have it any more: it must not be started.
    NotInstalled,
    /// The installed Immich does not take this version, for this reason.
    Unfit(&'static str),
}

impl ExtensionState {
    /// Tells whether the installed Immich can be started on it. Pure. `immich`: its version, or
    /// `None` where it is not known, and then the versions that it takes are not looked at.
    #[must_use]
    pub fn standing(&self, immich: Option<&ImmichVersion>) -> ExtensionStanding {
        let Some(offered) = &self.offered else {
            return ExtensionStanding::NotInstalled;
        };
        let (here, there) = (parts(&self.version), parts(offered));
        if here > there {
            return ExtensionStanding::NewerInDatabase;
        }
        if immich.is_some_and(|immich| immich.major() >= 3)
            && let Some(why) = unfit_for_3(&self.name, &there)
        {
            return ExtensionStanding::Unfit(why);
        }
        if here == there {
            ExtensionStanding::Same
        } else {
            ExtensionStanding::Update
        }
    }
}

impl ExtensionStanding {
    /// Whether Immich must not be started.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        !matches!(self, Self::Same | Self::Update)
    }
}

impl fmt::Display for ExtensionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.name.as_str() {
            "vchord" => "VectorChord",
            "vector" => "pgvector",
            "vectors" => "pgvecto.rs",
            other => other,
        };
        match &self.offered {
            Some(offered) => write!(
                f,
                "{name} {} in the database, {offered} installed",
                self.version
            ),
            None => write!(f, "{name} {} in the database, none installed", self.version),
        }
    }
}

/// What Immich 3 takes: VectorChord from 0.3 and below 2.0, pgvector from 0.7 and below 0.9.
fn unfit_for_3(name: &str, version: &[u32]) -> Option<&'static str> {
    match name {
        "vectors" => Some(
            "Immich 3 has dropped pgvecto.rs; let Immich 1.133 to 2.7 change to VectorChord first",
        ),
        "vchord" if *version < [0, 3][..] || *version >= [2][..] => {
            Some("Immich 3 takes VectorChord from 0.3 and below 2.0")
        }
        "vector" if *version < [0, 7][..] || *version >= [0, 9][..] => {
            Some("Immich 3 takes pgvector from 0.7 and below 0.9")
        }
        _ => None,
    }
}

/// The numbers of a version.
fn parts(version: &str) -> Vec<u32> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(|digits| digits.parse().unwrap_or(u32::MAX))
        .collect()
}

impl Database {
    /// The extensions in Immich's database, held against those on the server: VectorChord's and
    /// pgvector's versions before Immich is started.
    ///
    /// # Errors
    /// When the server or the database is not there.
    pub fn extensions(&self) -> Result<Vec<ExtensionState>> {
        let rows = self.connection.query(
            "look at the database's extensions",
            &self.name,
            "SELECT e.extname, e.extversion, coalesce(a.default_version, '')
             FROM pg_catalog.pg_extension e
             LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = e.extname
             WHERE e.extname <> 'plpgsql' ORDER BY 1;",
            3,
        )?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let [name, version, offered] = <[String; 3]>::try_from(row).ok()?;
                Some(ExtensionState {
                    name,
                    version,
                    offered: Some(offered).filter(|offered| !offered.is_empty()),
                })
            })
            .collect())
    }

    /// The versions of the extensions in the database, by name.
    pub(super) fn extension_versions(&self) -> Result<BTreeMap<String, String>> {
        Ok(self
            .extensions()?
            .into_iter()
            .map(|extension| (extension.name, extension.version))
            .collect())
    }

    /// What a dump has to fit here, asked of the running server. `immich` is the installed
    /// version, where it is known.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn installed(&self, immich: Option<ImmichVersion>) -> Result<Installed> {
        let rows = self.connection.query(
            "list the extensions that the database server offers",
            super::MAINTENANCE,
            "SELECT name, coalesce(default_version, '') FROM pg_catalog.pg_available_extensions;",
            2,
        )?;
        let extensions = rows
            .into_iter()
            .filter_map(|row| {
                let [name, version] = <[String; 2]>::try_from(row).ok()?;
                Some((name, ExtensionOffer { version }))
            })
            .collect();
        Ok(Installed {
            postgresql: self.server_version()?,
            extensions,
            immich,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(
        name: &str,
        version: &str,
        offered: Option<&str>,
        immich: u64,
    ) -> ExtensionStanding {
        let state = ExtensionState {
            name: name.into(),
            version: version.into(),
            offered: offered.map(str::to_owned),
        };
        state.standing(Some(&ImmichVersion::new(immich, 0, 0)))
    }

    #[test]
    fn a_drive_of_newer_extensions_is_told_before_the_start() {
        use ExtensionStanding::{NewerInDatabase, NotInstalled, Same, Update};
        for (version, offered, expected) in [
            ("0.8.0", Some("0.8.0"), Same),
            ("0.8.0", Some("0.8.1"), Update),
            ("0.10.0", Some("0.9.1"), NewerInDatabase),
            ("0.8.1", Some("0.8"), NewerInDatabase),
            ("0.8.0", None, NotInstalled),
        ] {
            let found = standing("vector", version, offered, 2);
            assert_eq!(found, expected, "{version} {offered:?}");
        }
    }

    #[test]
    fn immich_3_takes_some_versions_only_and_names_pgvecto_rs() {
        for (name, version, fits) in [
            ("vchord", "0.2.2", false),
            ("vchord", "0.3.0", true),
            ("vchord", "1.1.0", true),
            ("vchord", "2.0.0", false),
            ("vector", "0.6.2", false),
            ("vector", "0.8.1", true),
            ("vector", "0.9.0", false),
            ("vectors", "0.3.0", false),
            ("pg_trgm", "1.6", true),
        ] {
            let found = standing(name, version, Some(version), 3);
            assert_eq!(!found.is_refused(), fits, "{name} {version}");
            assert!(!standing(name, version, Some(version), 2).is_refused());
        }
        assert!(matches!(
            standing("vectors", "0.3.0", Some("0.3.0"), 3),
            ExtensionStanding::Unfit(why) if why.contains("pgvecto.rs")
        ));
    }
}
