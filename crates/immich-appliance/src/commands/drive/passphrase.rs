//! `drive passphrase …`

use appliance::drive::passphrases::{self, KeyslotChanged};
use appliance_terminal::{Report, Said};

use crate::answers::Answers;
use crate::cli::{PassphraseAdd, PassphraseChange, PassphraseRemove};
use crate::run::Run;

/// Adds a passphrase in a free keyslot.
pub fn add(run: &Run, arguments: &PassphraseAdd) -> anyhow::Result<Box<dyn Report>> {
    let answers = Answers::default()
        .passphrase(&arguments.passphrase)
        .new_passphrase(arguments.new_passphrase_file.as_ref());
    let drive = arguments.drive.wanted();
    let KeyslotChanged { device, keyslot } =
        passphrases::add(&run.answered(answers), drive.as_ref())?;
    Ok(match keyslot {
        Some(keyslot) => Said::done(format!(
            "the passphrase opens keyslot {keyslot} of {}",
            device.display()
        )),
        None => Said::already("that passphrase already opens the drive"),
    })
}

/// Replaces a passphrase.
pub fn change(run: &Run, arguments: &PassphraseChange) -> anyhow::Result<Box<dyn Report>> {
    let answers = Answers::default()
        .passphrase(&arguments.passphrase)
        .new_passphrase(arguments.new_passphrase_file.as_ref());
    let drive = arguments.drive.wanted();
    let changed = passphrases::change(&run.answered(answers), drive.as_ref())?;
    Ok(Said::done(format!(
        "the passphrase of {} has been changed",
        changed.device.display()
    )))
}

/// Removes a passphrase; the last one stays.
pub fn remove(run: &Run, arguments: &PassphraseRemove) -> anyhow::Result<Box<dyn Report>> {
    let answers = Answers::default().passphrase(&arguments.passphrase);
    let drive = arguments.drive.wanted();
    let KeyslotChanged { device, keyslot } =
        passphrases::remove(&run.answered(answers), drive.as_ref())?;
    let keyslot = keyslot.map(|keyslot| keyslot.to_string());
    Ok(Said::done(format!(
        "keyslot {} of {} is empty",
        keyslot.unwrap_or_default(),
        device.display()
    )))
}
