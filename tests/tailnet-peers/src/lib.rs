//! A real headscale and real tailscaleds on loopback, for tests.
//!
//! `scripts/peers` builds the programs from their Go modules. Where they cannot be had, a test
//! prints why and returns: see [`Programs::get`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod headscale;
mod node;
mod process;
mod web;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use headscale::Headscale;
pub use node::Node;
pub use web::{Answer, WebServer, get};

/// The programs.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// The programs, built if they are not there yet, unless `APPLIANCE_WITHOUT_PEERS` is set.
    /// `None`, and why on standard error, where they cannot be had; with `APPLIANCE_REQUIRE_PEERS`
    /// set, that is a failure.
    #[must_use]
    pub fn get() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/peers");
        let build = std::env::var_os("APPLIANCE_WITHOUT_PEERS").is_none();
        let output = Command::new(script)
            .args((!build).then_some("--present"))
            .output()
            .expect("running scripts/peers");
        if output.status.success() {
            let folder = String::from_utf8(output.stdout).expect("a path");
            return Some(Self {
                folder: PathBuf::from(folder.trim()),
            });
        }
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(3)
                && std::env::var_os("APPLIANCE_REQUIRE_PEERS").is_none(),
            "{why}"
        );
        // Not by eprintln!, which nobody sees of a test that passes.
        let test = std::thread::current();
        let test = test.name().unwrap_or("a test");
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {}", why.trim());
        None
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
