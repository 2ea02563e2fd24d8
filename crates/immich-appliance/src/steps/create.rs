//! Making a drive: consent, header, keyslots, file system, folders, secrets.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use appliance_drive::inspect::{self, BlockDevice, Consented, Content, Note};
use appliance_drive::luks::{self, Format, Limits};
use appliance_drive::{cipher, filesystem};
use appliance_secret::{RecoveryKey, Secret};
use uuid::Uuid;

use super::open;
use crate::cli::{CipherChoice, Destruction, EncryptionChoice, NewDrive};
use crate::context::Context;
use crate::report::size;
use crate::secrets;

/// A drive that was made, and is open and mounted.
pub struct Created {
    /// The device.
    pub device: PathBuf,
    /// UUID of the LUKS header, or of the file system.
    pub uuid: Uuid,
    /// The cipher, unless it is not encrypted.
    pub cipher: Option<String>,
}

/// Finds the device, refuses one that must not be touched, shows what is on it and has
/// the person consent.
pub fn consented(
    context: &Context,
    device: &Path,
    consent: &Destruction,
) -> anyhow::Result<BlockDevice> {
    let device = inspect::device(&context.system, &device.to_string_lossy())
        .with_context(|| format!("cannot create a drive on {}", device.display()))?;
    if let Some(refusal) = inspect::refusal(&device) {
        return Err(anyhow::Error::new(refusal).context("cannot create a drive"));
    }
    context.ui.consent(
        &device.name,
        consent.erase.as_deref(),
        &what_is_lost(&device),
    )?;
    Ok(device)
}

/// Makes the drive. `passphrase` is only used for an encrypted one.
///
/// A drive whose making is interrupted is marked unfinished in its header; making it
/// again starts from the beginning.
pub fn create(
    context: &Context,
    device: &BlockDevice,
    how: &NewDrive,
    passphrase: &Secret,
) -> anyhow::Result<Created> {
    let ui = context.ui;
    let path = &device.path;
    let consented = Consented::to(&context.system, device)?;
    let (uuid, cipher, mapping) = match how.encryption {
        EncryptionChoice::None => (None, None, None),
        EncryptionChoice::Luks2 => {
            let cipher = match how.cipher {
                CipherChoice::AesXts => cipher::Cipher::AesXts,
                CipherChoice::Adiantum => cipher::Cipher::Adiantum,
                CipherChoice::Auto => {
                    ui.say("Measuring the ciphers …");
                    cipher::choice()
                }
            };
            let limits = limits(context)?;
            let key = RecoveryKey::generate()?;
            ui.say(format!("Encrypting {} with {cipher} …", path.display()));
            let uuid = luks::format(
                &consented,
                &Format {
                    cipher,
                    limits,
                    uuid: None,
                },
                passphrase.as_slice(),
                &[key.to_secret().as_slice()],
            )?;
            secrets::hand_over_recovery_key(ui, &key, how)?;
            luks::activate(path, context.mapper(), passphrase.as_slice())?;
            let mapping = consented.mapping(&context.mapper_node())?;
            (Some(uuid), Some(cipher.to_string()), Some(mapping))
        }
    };
    ui.say("Making the file system …");
    let place = mapping.as_ref().unwrap_or(&consented);
    let filesystem_uuid = filesystem::make(place)?;
    let node = place.path().to_owned();
    drop(mapping);
    open::mount(context, &node)?;
    open::put_in_order(context)?;
    if uuid.is_some() {
        luks::mark_finished(path)?;
    }
    let uuid = uuid.unwrap_or(filesystem_uuid);
    open::attach(context, path, uuid, cipher.is_some())?;
    Ok(Created {
        device: path.clone(),
        uuid,
        cipher,
    })
}

/// The limits of a new keyslot: those of this machine, or the configuration's.
pub fn limits(context: &Context) -> anyhow::Result<Limits> {
    let mut limits = Limits::of_this_machine()?;
    let most = context.settings.drive.argon2_memory_max.as_u64() / 1024;
    limits.memory_kib = limits
        .memory_kib
        .min(u32::try_from(most).unwrap_or(u32::MAX));
    limits.time_ms = context.settings.drive.argon2_milliseconds;
    limits.passes = context.settings.drive.argon2_passes;
    Ok(limits)
}

/// What is on the device, in words.
pub fn what_is_lost(device: &BlockDevice) -> String {
    let mut lines = vec![format!(
        "Everything on {} will be lost: {}{}, {}.",
        device.path.display(),
        device
            .model
            .as_deref()
            .map(|model| format!("{model}, "))
            .unwrap_or_default(),
        size(device.size),
        describe(&device.content),
    )];
    for partition in &device.partitions {
        lines.push(format!(
            "  {}: {}, {}",
            partition.path.display(),
            size(partition.size),
            describe(&partition.content)
        ));
    }
    for note in inspect::notes(device) {
        if let Note::Internal = note {
            lines.push("It is built into this machine, not attached by USB.".into());
        }
    }
    lines.join("\n")
}

/// What is on a block device, in a few words.
pub fn describe(content: &Content) -> String {
    let labelled = |label: &Option<String>| {
        label
            .as_ref()
            .map(|label| format!(" \"{label}\""))
            .unwrap_or_default()
    };
    match content {
        Content::Empty => "empty".into(),
        Content::Luks {
            version,
            label,
            subsystem,
            ..
        } => {
            let unfinished = subsystem.as_deref() == Some(appliance_drive::UNFINISHED);
            format!(
                "LUKS{version}{}{}",
                labelled(label),
                if unfinished {
                    ", its making was interrupted"
                } else {
                    ""
                }
            )
        }
        Content::FileSystem { kind, label, .. } => format!("{kind}{}", labelled(label)),
        Content::PartitionTable { kind } => format!("{kind} partition table"),
        Content::Other { .. } => content.in_words(),
        Content::Unreadable { why } => format!("unreadable ({why})"),
    }
}
