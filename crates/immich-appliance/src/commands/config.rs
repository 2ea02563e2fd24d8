//! `config …`

pub mod check;
