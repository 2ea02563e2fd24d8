//! `stop`

use crate::context::Context;
use crate::report::{Report, Said};
use crate::steps::services;

/// Stops Immich; the drive stays unlocked.
pub fn run(context: &Context) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively()?;
    Ok(if services::stop(context)? {
        Said::done("Immich is stopped; the drive is as it was")
    } else {
        Said::already("Immich is not running")
    })
}
