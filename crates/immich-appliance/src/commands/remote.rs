//! `remote …`

pub mod disable;
pub mod enroll;
pub mod status;
