//! `drive header …`

use appliance::drive::header::{self, RestoreOptions};
use appliance_terminal::{Report, Said};

use crate::answers::Answers;
use crate::cli::{HeaderBackup, HeaderRestore};
use crate::run::Run;

/// Writes a copy of the header into a file.
pub fn backup(run: &Run, arguments: &HeaderBackup) -> anyhow::Result<Box<dyn Report>> {
    let drive = arguments.drive.wanted();
    let copied = header::backup(&run.appliance(), drive.as_ref(), &arguments.file)?;
    Ok(Said::done(format!(
        "the header of {} is in {}; whoever has this file and a passphrase can open the drive, \
         even after that passphrase was removed",
        copied.device.display(),
        copied.file.display()
    )))
}

/// Puts a copy of the header back onto the drive.
pub fn restore(run: &Run, arguments: &HeaderRestore) -> anyhow::Result<Box<dyn Report>> {
    let appliance = run.answered(Answers::default().erase(&arguments.destruction));
    let options = RestoreOptions {
        device: arguments.device.clone(),
        file: arguments.file.clone(),
    };
    let copied = header::restore(&appliance, &options)?;
    Ok(Said::done(format!(
        "the header of {} is restored from {}",
        copied.device.display(),
        copied.file.display()
    )))
}
