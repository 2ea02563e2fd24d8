//! The product in a machine: what a family has on its shelf.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    cache, cargo,
    error::Result,
    image::BaseImage,
    machine::Machine,
    snapshot::{Layer, Snapshot},
    turn,
};

/// Immich's port in the machine.
const IMMICH: u16 = 2283;

/// A machine with `immich-appliance`, its units and the Immich stand-in
/// installed, just booted, with no drive.
#[derive(Debug)]
pub struct Appliance(Machine);

impl Appliance {
    /// Wakes one from the snapshot, which is built first if it is not there or
    /// anything in it changed.
    ///
    /// # Errors
    /// As building the programs, the image and the snapshot, and waking a machine.
    pub fn start(name: &str) -> Result<Self> {
        Self::snapshot()?.start(name).map(Self)
    }

    /// The snapshot with the product as it is in the workspace now. What it
    /// takes is built once in a process.
    ///
    /// # Errors
    /// As [`Appliance::start`].
    pub fn snapshot() -> Result<Snapshot> {
        static SNAPSHOT: Mutex<Option<Snapshot>> = Mutex::new(None);
        // Before the lock: a test that holds a turn may be waiting for it.
        let _turn = turn::take()?;
        let mut known = SNAPSHOT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshot) = &*known {
            return Ok(snapshot.clone());
        }
        let layer = product()?;
        let snapshot = Snapshot::ensure(&Arc::new(BaseImage::ensure()?), &layer)?;
        Ok(known.insert(snapshot).clone())
    }

    pub(crate) fn into_machine(self) -> Machine {
        self.0
    }

    /// Immich's address, as seen from the host.
    ///
    /// # Errors
    /// [`Error::Off`](crate::Error::Off) before the first call while the power is off.
    pub fn immich(&mut self) -> Result<String> {
        let port = self.0.forward(IMMICH)?;
        Ok(format!("http://127.0.0.1:{port}"))
    }
}

/// The product installed as its package does it.
fn product() -> Result<Layer> {
    let built = cargo::build(&["-p", "immich-appliance", "-p", "immich-stand-in"])?;
    let program = |name| cargo::stripped(cargo::pick(&built, name)?);
    Layer::default()
        .file(
            "/usr/bin/immich-appliance",
            0o755,
            program("immich-appliance")?,
        )
        .file(
            "/usr/local/bin/immich-stand-in",
            0o755,
            program("immich-stand-in")?,
        )
        .copy(
            "/usr/lib/systemd/system",
            0o644,
            &cache::workspace().join("dist/systemd"),
        )
        .and_then(|layer| {
            let greeting = cache::workspace().join("dist/profile.d");
            layer.copy("/etc/profile.d", 0o644, &greeting)
        })
        .map(|layer| layer.command("systemctl daemon-reload"))
}

impl From<Machine> for Appliance {
    fn from(machine: Machine) -> Self {
        Self(machine)
    }
}

impl Deref for Appliance {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.0
    }
}

impl DerefMut for Appliance {
    fn deref_mut(&mut self) -> &mut Machine {
        &mut self.0
    }
}
