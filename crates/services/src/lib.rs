//! systemd over D-Bus: units started, stopped and looked at.
//!
//! [`Systemd`] is the real one; what plans with units takes a `&dyn` [`Manager`] and is tested
//! with a fake. [`order`] starts and stops the appliance's units one after another, so that an
//! error names the unit that failed.

mod error;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod journal;
mod manager;
pub mod order;
mod proxies;
mod systemd;
mod unit;

pub use error::{Result, ServiceError};
pub use manager::{Manager, Outcome};
pub use systemd::Systemd;
pub use unit::{ActiveState, Job, JobResult, LoadState, TimerStatus, UnitState, UnitStatus, Verb};
