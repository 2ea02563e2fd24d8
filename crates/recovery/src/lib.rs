//! Recovery: the plan from a blank drive to a running Immich, and its resumable progress.
//!
//! Nothing here touches a disk but the [progress] file. The plan is a pure function of
//! what is found on the drive; the binary carries the steps out, one after the other,
//! and notes each as done. A recovery that was cut short is begun again with the same
//! command and continues where it stood.

mod compare;
mod plan;
pub mod progress;

pub use compare::{Comparison, Difference, compare};
pub use plan::{Found, Refusal, Step, Wanted, plan};
