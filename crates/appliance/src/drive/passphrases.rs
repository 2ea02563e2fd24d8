//! The passphrases of the drive: verbs on its keyslots.

use std::path::PathBuf;

use appliance_drive::find::Wanted;
use appliance_drive::luks::{self, Opened};
use appliance_secret::Secret;

use super::unlock::ask_until_it_opens;
use super::{Encrypted, header};
use crate::dialogue::Question;
use crate::{Appliance, Result};

/// A keyslot that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyslotChanged {
    /// The drive's device.
    pub device: PathBuf,
    /// The keyslot's number; `None` where nothing had to be changed.
    pub keyslot: Option<u32>,
}

/// Adds a passphrase in a free keyslot.
///
/// # Errors
/// When there is no encrypted drive, nothing given opens it, or no keyslot is free.
pub fn add(appliance: &Appliance, wanted: Option<&Wanted>) -> Result<KeyslotChanged> {
    let _lock = appliance.exclusively()?;
    let drive = Encrypted::find(appliance, wanted)?;
    let opened = open(appliance, &drive, "A passphrase that opens the drive now")?;
    let new = new_passphrase(appliance)?;
    let known = luks::keyslot_of_another(&drive.path, &opened, new.as_slice())?.is_some();
    let keyslot = if known {
        None
    } else {
        let limits = appliance.keyslot_limits()?;
        let keyslot = luks::add_key(&drive.path, &opened, new.as_slice(), limits)?;
        header::renew_copies(appliance, &drive.path, drive.uuid)?;
        Some(keyslot)
    };
    Ok(KeyslotChanged {
        device: drive.path,
        keyslot,
    })
}

/// Replaces a passphrase.
///
/// # Errors
/// When there is no encrypted drive, or nothing given opens it.
pub fn change(appliance: &Appliance, wanted: Option<&Wanted>) -> Result<KeyslotChanged> {
    let _lock = appliance.exclusively()?;
    let drive = Encrypted::find(appliance, wanted)?;
    let opened = open(appliance, &drive, "The passphrase to be replaced")?;
    let new = new_passphrase(appliance)?;
    let keyslot = opened.keyslot();
    let limits = appliance.keyslot_limits()?;
    luks::change_key(&drive.path, &opened, new.as_slice(), limits)?;
    header::renew_copies(appliance, &drive.path, drive.uuid)?;
    Ok(KeyslotChanged {
        device: drive.path,
        keyslot: Some(keyslot),
    })
}

/// Removes a passphrase; the last one stays.
///
/// # Errors
/// When there is no encrypted drive, nothing given opens it, or it is the last one.
pub fn remove(appliance: &Appliance, wanted: Option<&Wanted>) -> Result<KeyslotChanged> {
    let _lock = appliance.exclusively()?;
    let drive = Encrypted::find(appliance, wanted)?;
    let opened = open(appliance, &drive, "The passphrase to be removed")?;
    let keyslot = opened.keyslot();
    luks::remove_keyslot(&drive.path, keyslot)?;
    header::renew_copies(appliance, &drive.path, drive.uuid)?;
    Ok(KeyslotChanged {
        device: drive.path,
        keyslot: Some(keyslot),
    })
}

/// Asks for a passphrase until it opens a keyslot.
fn open(appliance: &Appliance, drive: &Encrypted, what: &str) -> Result<Opened> {
    let question = Question::Passphrase {
        device: drive.path.clone(),
        what: what.to_owned(),
    };
    ask_until_it_opens(appliance, &drive.path, &question, |passphrase| {
        luks::open(&drive.path, passphrase.as_slice())
    })
}

fn new_passphrase(appliance: &Appliance) -> Result<Secret> {
    let question = Question::NewPassphrase {
        what: "The new passphrase".into(),
    };
    Ok(appliance.dialogue().secret(&question)?.secret)
}
