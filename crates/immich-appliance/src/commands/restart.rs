//! `restart`

use crate::context::Context;
use crate::report::Report;
use crate::steps::services;

/// Stops Immich and starts it again.
pub fn run(context: &Context) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively()?;
    context.require_mounted("restart Immich")?;
    services::stop(context)?;
    Ok(Box::new(services::start(context)?))
}
