//! Checking that the repository is whole.

use appliance_backup::check::{self, CheckReport, ReadData};

use super::repository;
use crate::{Appliance, Result};

/// Checks that the repository is whole; with `read_data`, by reading every pack.
///
/// # Errors
/// When it cannot be opened or read. Damage is no error: it is in the report.
pub fn check(appliance: &Appliance, read_data: bool) -> Result<CheckReport> {
    let _lock = appliance.exclusively_for_backup()?;
    let repository = repository::open(appliance)?;
    let read_data = if read_data {
        ReadData::All
    } else {
        ReadData::No
    };
    Ok(check::run(&repository, read_data)?)
}
