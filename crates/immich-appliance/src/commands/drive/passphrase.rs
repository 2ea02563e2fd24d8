//! `drive passphrase …`

use std::path::Path;

use appliance_drive::luks::{self, LuksError, Opened};
use appliance_secret::{Secret, Source};

use crate::cli::{PassphraseAdd, PassphraseChange, PassphraseRemove, Selected};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Refused;
use crate::report::{Report, Said};
use crate::secrets;
use crate::steps::create::limits;

/// Adds a passphrase in a free keyslot.
pub fn add(context: &Context, arguments: &PassphraseAdd) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively()?;
    let drive = Encrypted::find(context, &arguments.drive)?;
    let source = secrets::passphrase_source(context.ui, &arguments.passphrase)?;
    let opened = drive.opened(context, &source, "A passphrase that opens the drive now")?;
    let new = new_passphrase(context, arguments.new_passphrase_file.as_deref())?;
    if luks::keyslot_of_another(&drive.path, &opened, new.as_slice())?.is_some() {
        return Ok(Said::already("that passphrase opens the drive already"));
    }
    let slot = luks::add_key(&drive.path, &opened, new.as_slice(), limits(context)?)?;
    drive.save_header(context)?;
    Ok(Said::done(format!(
        "the passphrase opens keyslot {slot} of {}",
        drive.path.display()
    )))
}

/// Replaces a passphrase.
pub fn change(context: &Context, arguments: &PassphraseChange) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively()?;
    let drive = Encrypted::find(context, &arguments.drive)?;
    let source = secrets::passphrase_source(context.ui, &arguments.passphrase)?;
    let opened = drive.opened(context, &source, "The passphrase to be replaced")?;
    let new = new_passphrase(context, arguments.new_passphrase_file.as_deref())?;
    luks::change_key(&drive.path, &opened, new.as_slice(), limits(context)?)?;
    drive.save_header(context)?;
    Ok(Said::done(format!(
        "the passphrase of {} is changed",
        drive.path.display()
    )))
}

/// Removes a passphrase; the last one stays.
pub fn remove(context: &Context, arguments: &PassphraseRemove) -> anyhow::Result<Box<dyn Report>> {
    let _lock = context.exclusively()?;
    let drive = Encrypted::find(context, &arguments.drive)?;
    let source = secrets::passphrase_source(context.ui, &arguments.passphrase)?;
    let opened = drive.opened(context, &source, "The passphrase to be removed")?;
    let slot = opened.keyslot();
    luks::remove_keyslot(&drive.path, slot)?;
    drive.save_header(context)?;
    Ok(Said::done(format!(
        "keyslot {slot} of {} is empty",
        drive.path.display()
    )))
}

/// A drive that has a LUKS header.
pub(super) struct Encrypted {
    pub(super) path: std::path::PathBuf,
    uuid: uuid::Uuid,
}

impl Encrypted {
    pub(super) fn find(context: &Context, selected: &Selected) -> anyhow::Result<Self> {
        let (found, _) = context.find(selected)?;
        if !found.encrypted {
            return Err(Refused::new(
                Exit::Refused,
                format!(
                    "{} is not encrypted: it has no header and no passphrase",
                    found.device.path.display()
                ),
                "back up, then make it anew with: immich-appliance drive create",
            )
            .into());
        }
        Ok(Encrypted {
            path: found.device.path,
            uuid: found.uuid,
        })
    }

    /// Asks for a passphrase until it opens a keyslot, as often as is allowed.
    fn opened(&self, context: &Context, source: &Source, question: &str) -> anyhow::Result<Opened> {
        let tries = if source.is_interactive() {
            context.unlock_tries()
        } else {
            1
        };
        for left in (0..tries).rev() {
            let secret = secrets::obtain(context.ui, source, &format!("{question}: "))?;
            match luks::open(&self.path, secret.as_slice()) {
                Ok(opened) => return Ok(opened),
                Err(LuksError::WrongPassphrase { .. }) if left > 0 => {
                    context.ui.say("That passphrase does not open the drive.");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(LuksError::WrongPassphrase {
            device: self.path.clone(),
        }
        .into())
    }

    /// An old header backup would bring a removed passphrase back, so a new one replaces it.
    fn save_header(&self, context: &Context) -> anyhow::Result<()> {
        context.make_state_folder()?;
        luks::header_backup(&self.path, &context.header_backup_file(self.uuid))?;
        if context.is_mounted()? {
            luks::header_backup(&self.path, &context.header_backup_on_drive())?;
        }
        Ok(())
    }
}

fn new_passphrase(context: &Context, file: Option<&Path>) -> anyhow::Result<Secret> {
    let source = secrets::new_passphrase_source(context.ui, file)?;
    secrets::obtain_new(context.ui, &source, "The new passphrase")
}
