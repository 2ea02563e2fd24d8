//! Tailscale on the box: enrolled, looked at and shared through tailscaled's LocalAPI.
//!
//! [`localapi`] speaks tailscaled's protocol over its Unix socket and knows nothing of this
//! appliance. [`standing`] says what its answers mean, [`enroll`] plans the steps into a tailnet
//! and reads its notifications, and [`share`] edits what `tailscale serve` does: all three are
//! pure. [`Tailnet`] carries it out.

pub mod enroll;
mod error;
pub mod localapi;
pub mod share;
pub mod standing;
mod tailnet;

pub use error::{Result, TailnetError};
pub use tailnet::{Enrollment, Happening, Shared, Tailnet};
