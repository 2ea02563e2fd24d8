//! Whether a proven dump can be loaded on this box, told before anything is erased. Pure.

use std::collections::BTreeMap;
use std::fmt;

use super::policy::EXTENSIONS_OF_IMMICH;
use super::{ImmichVersion, PgVersion, RefusedStatement, VerifiedDump};

/// The extension pgvecto.rs, which Immich 3 does not take any more.
const PGVECTO_RS: &str = "vectors";

/// An extension that a server offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtensionOffer {
    /// The version that is made by default, as the extension writes it, for example `0.8.0`.
    pub version: String,
}

/// What a dump has to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// PostgreSQL's version.
    pub postgresql: PgVersion,
    /// The extensions that it offers, by name.
    pub extensions: BTreeMap<String, ExtensionOffer>,
    /// The installed version of Immich; `None` where it is not known, and then not held against
    /// the dump.
    pub immich: Option<ImmichVersion>,
}

/// Why a dump cannot be loaded here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// It was taken from a newer major version of PostgreSQL.
    NewerPostgresql {
        /// The dump's.
        dump: PgVersion,
        /// The installed one.
        installed: PgVersion,
    },
    /// It was taken from a newer version of Immich, which the installed one cannot open.
    NewerImmich {
        /// The dump's.
        dump: ImmichVersion,
        /// The installed one.
        installed: ImmichVersion,
    },
    /// It needs an extension that Immich uses and this server does not offer.
    ExtensionMissing(String),
    /// It needs pgvecto.rs, which is not offered here.
    PgvectoRs,
    /// A statement is in the way.
    Statement(RefusedStatement),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewerPostgresql { dump, installed } => write!(
                f,
                "it comes from PostgreSQL {dump}, newer than the installed {installed}"
            ),
            Self::NewerImmich { dump, installed } => write!(
                f,
                "it comes from Immich {dump}, newer than the installed {installed}, which cannot \
                 open it"
            ),
            Self::ExtensionMissing(name) => write!(
                f,
                "it needs the PostgreSQL extension {}, which is not installed here",
                called(name)
            ),
            Self::PgvectoRs => f.write_str(
                "it needs the PostgreSQL extension pgvecto.rs (\"vectors\"), which Immich 3 has \
                 dropped: on the server that it comes from, let Immich 1.133 to 2.7 change to \
                 VectorChord first, and make a new dump",
            ),
            Self::Statement(refused) => refused.fmt(f),
        }
    }
}

/// An extension as people call it.
fn called(name: &str) -> String {
    match name {
        "vchord" => "VectorChord (\"vchord\")".to_owned(),
        "vector" => "pgvector (\"vector\")".to_owned(),
        other => other.to_owned(),
    }
}

/// The extensions of a dump that have to be made before it is loaded, with their schemas.
/// Those that Immich does not use are left out: whoever added them does so again.
pub(crate) fn needed(dump: &VerifiedDump) -> impl Iterator<Item = (&str, &str)> {
    dump.extensions()
        .iter()
        .filter(|(name, _)| EXTENSIONS_OF_IMMICH.contains(&name.as_str()))
        .map(|(name, schema)| (name.as_str(), schema.as_str()))
}

/// Tells whether a dump can be loaded here. Looks at nothing but its arguments, so that it can be
/// asked before a drive is erased.
///
/// # Errors
/// Everything that is in the way.
pub fn loadable_here(dump: &VerifiedDump, installed: &Installed) -> Result<(), Vec<Obstacle>> {
    let mut obstacles = Vec::new();
    if let Some(taken_from) = dump.postgresql()
        && let (Some(theirs), Some(ours)) = (taken_from.major(), installed.postgresql.major())
        && theirs > ours
    {
        obstacles.push(Obstacle::NewerPostgresql {
            dump: taken_from.clone(),
            installed: installed.postgresql.clone(),
        });
    }
    if let (Some(theirs), Some(ours)) = (dump.immich(), &installed.immich)
        && theirs > ours
    {
        obstacles.push(Obstacle::NewerImmich {
            dump: theirs.clone(),
            installed: ours.clone(),
        });
    }
    for (name, _) in needed(dump) {
        if installed.extensions.contains_key(name) {
            continue;
        }
        obstacles.push(if name == PGVECTO_RS {
            Obstacle::PgvectoRs
        } else {
            Obstacle::ExtensionMissing(name.to_owned())
        });
    }
    obstacles.extend(dump.refused().iter().cloned().map(Obstacle::Statement));
    if obstacles.is_empty() {
        Ok(())
    } else {
        Err(obstacles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(change: impl Fn(String) -> String) -> VerifiedDump {
        let text = "--\n-- PostgreSQL database dump\n--\n\n\
            -- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)\n\n\
            CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;\n\
            CREATE EXTENSION IF NOT EXISTS timescaledb WITH SCHEMA public;\n\
            COPY public.asset (id) FROM stdin;\n\\.\n\
            COPY public.\"user\" (id) FROM stdin;\n\\.\n\
            COPY public.version_history (id, \"createdAt\", version) FROM stdin;\n\
            1\t2026-01-01\t2.10.0\n2\t2026-02-01\t2.7.5\n\\.\n\
            GRANT SELECT ON TABLE public.asset TO grafana;\n\
            --\n-- PostgreSQL database dump complete\n--\n\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.sql");
        std::fs::write(&path, change(text.to_owned())).unwrap();
        VerifiedDump::prove(&path, "immich", None).unwrap()
    }

    fn installed() -> Installed {
        Installed {
            postgresql: PgVersion("15.13".into()),
            extensions: [("vector".to_owned(), ExtensionOffer::default())].into(),
            immich: Some(ImmichVersion::new(3, 2, 2)),
        }
    }

    fn obstacles(dump: &VerifiedDump, installed: &Installed) -> Vec<String> {
        let obstacles = loadable_here(dump, installed).unwrap_err();
        obstacles.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_dump_of_an_older_immich_with_a_strangers_role_and_extension_is_loadable() {
        let dump = dump(|text| text);
        assert_eq!(loadable_here(&dump, &installed()), Ok(()));
        assert!(dump.roles().contains("grafana"));
        assert_eq!(
            dump.unneeded_extensions().collect::<Vec<_>>(),
            ["timescaledb"]
        );
    }

    #[test]
    fn the_newest_version_in_the_dumps_own_text_counts_whatever_the_clock_said() {
        let dump = dump(|text| text);
        assert_eq!(dump.immich(), Some(&ImmichVersion::new(2, 10, 0)));
    }

    #[test]
    fn what_is_newer_than_installed_is_refused() {
        let mut here = installed();
        here.immich = Some(ImmichVersion::new(2, 7, 5));
        here.postgresql = PgVersion("14.20".into());
        assert_eq!(
            obstacles(&dump(|text| text), &here),
            [
                "it comes from PostgreSQL 15.20, newer than the installed 14.20",
                "it comes from Immich 2.10.0, newer than the installed 2.7.5, which cannot open it"
            ]
        );
    }

    #[test]
    fn an_extension_that_immich_needs_is_named() {
        let needy = dump(|text| text.replace("timescaledb", "vchord"));
        assert_eq!(
            obstacles(&needy, &installed()),
            [
                "it needs the PostgreSQL extension VectorChord (\"vchord\"), which is not installed here"
            ]
        );
        let old = dump(|text| {
            text.replace(
                "timescaledb WITH SCHEMA public",
                "vectors WITH SCHEMA vectors",
            )
        });
        assert_eq!(
            loadable_here(&old, &installed()),
            Err(vec![Obstacle::PgvectoRs])
        );
    }

    #[test]
    fn the_line_that_is_in_the_way_is_named() {
        let planted =
            dump(|text| text.replace("GRANT", "COPY public.asset FROM PROGRAM 'id';\nGRANT"));
        assert_eq!(
            obstacles(&planted, &installed()),
            ["line 17: COPY from or to a file or a program: COPY public.asset FROM PROGRAM 'id';"]
        );
    }
}
