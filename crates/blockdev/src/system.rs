//! Where the kernel's own file systems are found.

use std::path::{Path, PathBuf};

/// Roots of `/sys`, `/dev` and `/proc`. Tests point them at a made-up tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Root of sysfs.
    pub sys: PathBuf,
    /// Root of the device nodes.
    pub dev: PathBuf,
    /// Root of procfs.
    pub proc: PathBuf,
}

impl System {
    /// The running machine.
    pub fn live() -> Self {
        Self::under(Path::new("/"))
    }

    /// `sys`, `dev` and `proc` under `root`.
    pub fn under(root: &Path) -> Self {
        Self {
            sys: root.join("sys"),
            dev: root.join("dev"),
            proc: root.join("proc"),
        }
    }
}

impl Default for System {
    fn default() -> Self {
        Self::live()
    }
}
