//! Immich and what it needs: started and stopped in order, and its database worked with.

mod photos;
pub mod start;
pub mod stop;
pub mod units;

pub use photos::{LivePhotos, Photos};

/// The backup's units, as shipped.
pub(crate) const BACKUP_SERVICE: &str = "immich-appliance-backup.service";
/// See [`BACKUP_SERVICE`].
pub(crate) const BACKUP_TIMER: &str = "immich-appliance-backup.timer";
