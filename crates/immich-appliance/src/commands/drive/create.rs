//! `drive create`

use appliance::drive::create::{CreateOptions, Created, create};
use appliance_terminal::{Report, Told};

use crate::answers::Answers;
use crate::cli::DriveCreate;
use crate::run::Run;

/// Makes a drive for Immich.
pub fn run(run: &Run, arguments: &DriveCreate) -> anyhow::Result<Box<dyn Report>> {
    let answers = Answers::default()
        .new_drive(&arguments.new_drive, &arguments.passphrase)
        .erase(&arguments.destruction);
    let options = CreateOptions {
        device: arguments.device.clone(),
        how: arguments.new_drive.how(&run.settings),
    };
    let created = create(&run.answered(answers), &options)?;
    Ok(Box::new(Told::new(created, text)))
}

pub(crate) fn text(created: &Created) -> String {
    format!(
        "The drive on {} is ready ({}), mounted at {}.\nNext: immich-appliance unlock --start",
        created.device.display(),
        created.cipher.as_deref().unwrap_or("not encrypted"),
        created.mounted_at.display()
    )
}
