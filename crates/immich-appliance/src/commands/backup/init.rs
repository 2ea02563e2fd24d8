//! `backup init`

use appliance::backup::init::{Initialised, init};
use appliance_terminal::{Report, Told};

use crate::answers::Answers;
use crate::cli::BackupInit;
use crate::run::Run;

/// Creates the repository, or joins one that exists, and writes it down on the drive.
pub fn run(run: &Run, arguments: &BackupInit) -> anyhow::Result<Box<dyn Report>> {
    let appliance = run.answered(Answers::default().repository(&arguments.access));
    let named = arguments.access.named(&arguments.repository, run.ui)?;
    Ok(Box::new(Told::new(init(&appliance, &named)?, text)))
}

pub(crate) fn text(initialised: &Initialised) -> String {
    format!(
        "The repository {} is {}.\nNext: immich-appliance backup run (after that it runs by itself, daily)",
        initialised.repository,
        if initialised.created {
            "created"
        } else {
            "joined"
        }
    )
}
