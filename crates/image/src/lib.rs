//! Release images: customised without mounting, written onto a card and read back, checked,
//! fetched.
//!
//! Nothing here needs the box, and only [`flash`] and [`devices`] need a card: customising is a
//! set of [`Patches`] to the image's bytes, worked out from its first few MiB, so that an image
//! that is compressed is customised while it is being written.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "immich-appliance-image runs on Linux only: it reads disks from sysfs and writes past Linux's \
     caches. What to do on macOS and Windows: docs/how-to/flash-a-card.md"
);

pub mod bmap;
pub mod card;
pub mod customise;
pub mod devices;
pub mod fat;
pub mod fetch;
pub mod flash;
pub mod source;
pub mod sums;
pub mod table;
pub mod verify;

mod patches;
mod progress;
mod window;

pub use patches::Patches;
pub use progress::{Phase, Progress, Silent};

/// The first part of a card, withheld until everything else is written and compared. Bytes.
pub const HEAD: u64 = 1 << 20;

/// How much is read, written and compared at a time. Bytes.
pub const CHUNK: usize = 1 << 20;
