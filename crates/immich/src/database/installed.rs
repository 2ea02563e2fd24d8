//! Which PostgreSQL is installed, told without a running server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::tools::{Connection, Result, ToolError, ToolFailure};
use crate::dump::{ExtensionOffer, ImmichVersion, Installed};

/// Where Debian keeps the tools of each major version side by side.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder of the newest PostgreSQL that lies where Debian puts it; `None` on systems
/// that have the tools on the `PATH`.
#[must_use]
pub fn find_bin_dir() -> Option<PathBuf> {
    newest_under(Path::new(DEBIAN))
}

fn newest_under(root: &Path) -> Option<PathBuf> {
    std::fs::read_dir(root)
        .ok()?
        .filter_map(|entry| {
            let major: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let bin = root.join(major.to_string()).join("bin");
            bin.join("psql").is_file().then_some((major, bin))
        })
        .max()
        .map(|(_, bin)| bin)
}

/// The extensions that the PostgreSQL with this `psql` has installed, read off their control files
/// without a server; `None` where these are not found.
#[must_use]
pub fn installed_extensions(psql: &Path) -> Option<BTreeMap<String, ExtensionOffer>> {
    extension_folders(psql).find_map(|folder| read_extensions(&folder))
}

/// Where the control files may lie: beside the program, wherever a link on the way to it is, and
/// where Debian keeps them.
fn extension_folders(psql: &Path) -> impl Iterator<Item = PathBuf> {
    let mut folders = Vec::new();
    let mut program = psql.to_owned();
    // A chain of links that is longer than this is a circle.
    for _ in 0..16 {
        if let Some(root) = program.parent().and_then(Path::parent) {
            folders.push(root.join("share/postgresql/extension"));
            folders.push(root.join("share/extension"));
            if let (Some(DEBIAN), Some(major)) =
                (root.parent().and_then(Path::to_str), root.file_name())
            {
                folders.push(
                    Path::new("/usr/share/postgresql")
                        .join(major)
                        .join("extension"),
                );
            }
        }
        match std::fs::read_link(&program) {
            Ok(target) => {
                program = program
                    .parent()
                    .map_or_else(|| target.clone(), |folder| folder.join(&target));
            }
            Err(_) => break,
        }
    }
    folders.into_iter()
}

/// The control files of a folder; `None` where there are none.
fn read_extensions(folder: &Path) -> Option<BTreeMap<String, ExtensionOffer>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).ok()? {
        let path = entry.ok()?.path();
        let Some(name) = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".control"))
        else {
            continue;
        };
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let version = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| key.trim() == "default_version")
            .map(|(_, value)| value.trim().trim_matches('\'').to_owned());
        let version = version.unwrap_or_default();
        found.insert(name.to_owned(), ExtensionOffer { version });
    }
    (!found.is_empty()).then_some(found)
}

impl Connection {
    /// What a dump has to fit here, told from the installed programs alone: there is no server
    /// before there is a drive. `immich` is the installed version, where it is known.
    ///
    /// # Errors
    /// When `psql` cannot be run or the extensions are not found.
    pub fn installed(&self, immich: Option<ImmichVersion>) -> Result<Installed> {
        let psql = self.program("psql");
        let psql = if psql.is_absolute() {
            Some(psql)
        } else {
            std::env::var_os("PATH").and_then(|path| {
                std::env::split_paths(&path)
                    .map(|folder| folder.join("psql"))
                    .find(|program| program.is_file())
            })
        };
        let extensions = psql.as_deref().and_then(installed_extensions);
        Ok(Installed {
            postgresql: self.psql_version()?,
            extensions: extensions.ok_or_else(|| ToolError {
                tool: "psql",
                doing: "find PostgreSQL's extensions".to_owned(),
                why: ToolFailure::Answer("no extension's control file beside it".to_owned()),
            })?,
            immich,
        })
    }

    /// The major version of the installed tools, which is the server's.
    ///
    /// # Errors
    /// When `psql` cannot be run or does not tell its version.
    pub fn installed_major(&self) -> Result<u32> {
        let version = self.psql_version()?;
        version.major().ok_or_else(|| ToolError {
            tool: "psql",
            doing: "tell PostgreSQL's version".to_owned(),
            why: ToolFailure::Answer(version.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installed_extensions_are_found_beside_the_program_or_a_link_to_it() {
        let root = tempfile::tempdir().unwrap();
        let extensions = root.path().join("store/share/postgresql/extension");
        std::fs::create_dir_all(&extensions).unwrap();
        let control = "# x\ncomment = 'a = b'\ndefault_version = '0.8.0'\n";
        std::fs::write(extensions.join("vector.control"), control).unwrap();
        std::fs::write(extensions.join("vector--0.8.0.sql"), "").unwrap();
        for folder in ["store/bin", "system/bin"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        std::fs::write(root.path().join("store/bin/psql"), "").unwrap();
        let link = root.path().join("system/bin/psql");
        std::os::unix::fs::symlink("../../store/bin/psql", &link).unwrap();
        let found = installed_extensions(&link).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found["vector"].version, "0.8.0");
        assert_eq!(installed_extensions(&root.path().join("bin/psql")), None);
    }

    #[test]
    fn the_newest_version_is_taken_by_number_not_by_name() {
        let root = tempfile::tempdir().unwrap();
        for major in ["9", "15", "17", "common"] {
            let bin = root.path().join(major).join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            std::fs::write(bin.join("psql"), "").unwrap();
        }
        assert_eq!(newest_under(root.path()), Some(root.path().join("17/bin")));
    }
}
