//! `backup …`

pub mod check;
pub mod init;
pub mod ls;
pub mod restore;
pub mod run;
pub mod snapshots;
