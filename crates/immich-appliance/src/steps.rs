//! What several commands do on the way: each step changes one thing, and can be repeated.

pub mod create;
pub mod open;
pub mod placement;
pub mod remote;
pub mod repository;
pub mod services;
