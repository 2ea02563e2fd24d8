//! Which PostgreSQL is installed, told without a running server.

use std::path::{Path, PathBuf};

use super::tools::{Connection, Result, ToolError, ToolFailure};

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

impl Connection {
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
