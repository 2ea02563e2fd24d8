//! Which cards are attached, what is on them, and whether they may be overwritten.

mod content;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use appliance_blockdev::{BuiltIn, Demand};
pub use appliance_blockdev::{
    ConsentError, Consented, InspectError, Kind, Refusal, System, Transport, Use,
};

/// A whole disk, with what is on it in words.
pub type Device = appliance_blockdev::Device<String>;

/// A card could not be found.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// Nothing is there, or it cannot be looked at.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// It is a part of a disk.
    #[error("{} is a partition: an image goes onto a whole disk, {}", path.display(), disk.display())]
    Partition {
        /// What was asked for.
        path: PathBuf,
        /// The whole disk.
        disk: PathBuf,
    },
}

/// All whole disks, in the order of their names; loop devices and the like are left out.
///
/// # Errors
/// When sysfs or the mount table cannot be read.
pub fn list(system: &System) -> Result<Vec<Device>, InspectError> {
    let mut devices = appliance_blockdev::list(system, &content::content)?;
    devices.retain(|device| device.kind == Kind::Disk);
    Ok(devices)
}

/// One disk by its path, or a link to it.
///
/// # Errors
/// [`DeviceError::Partition`], and [`InspectError::NotFound`] when nothing is there.
pub fn device(system: &System, path: &Path) -> Result<Device, DeviceError> {
    let device = appliance_blockdev::device(system, path, &content::content)?;
    match &device.kind {
        Kind::Partition { disk, .. } => Err(DeviceError::Partition {
            path: path.to_owned(),
            disk: system.dev.join(disk),
        }),
        _ => Ok(device),
    }
}

/// Why `device` must not be overwritten with an image of `needed` bytes (where that is known);
/// `None` when it may be. `built_in` is the name a person typed for a disk that cannot be taken
/// out.
pub fn refusal(device: &Device, needed: Option<u64>, built_in: Option<&str>) -> Option<Refusal> {
    let demand = Demand {
        size: needed.unwrap_or(0),
        built_in: BuiltIn::Named(built_in),
    };
    appliance_blockdev::refusal(device, demand)
}
