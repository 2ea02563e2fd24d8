//! How the box is: one [`Condition`], which `status`, `doctor`, `setup`, the greeting and the
//! first boot ask, and a list of checks over it.

mod addresses;
pub mod checks;
mod condition;
mod next;

pub use condition::{BackupCondition, Condition, DriveCondition, ServerCondition, look};
pub use next::NextStep;
