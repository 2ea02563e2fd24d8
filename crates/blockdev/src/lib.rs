//! Block devices: what is attached, who uses it, what it shows of itself, and whether it may be
//! erased. No C libraries, so that a program for any PC can carry it.
//!
//! [`list`] and [`device`] look; [`refusal`] decides over what they saw. [`Consented`] holds on to
//! the device that a person agreed to lose, so that nothing else is erased in its place.
//! [`sample()`] tells a disk without data from one whose data nobody recognises.

mod consented;
mod device;
mod mounts;
mod refusal;
mod sample;
mod sysfs;
mod system;
mod uses;

#[cfg(test)]
mod tests;

pub use consented::{ConsentError, Consented, Identity};
pub use device::{Device, Kind, Transport, Use, flat};
pub use mounts::{Mounted, mounts};
pub use refusal::{BuiltIn, Demand, Refusal, refusal};
pub use sample::{Sample, Sampled, sample};
pub use sysfs::{InspectError, device, list};
pub use system::System;
