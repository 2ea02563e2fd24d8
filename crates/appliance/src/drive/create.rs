//! Making a drive: consent, header, keyslots, file system, folders, secrets.

use std::path::{Path, PathBuf};

use appliance_config::{CipherChoice, Encryption};
use appliance_drive::cipher::Cipher;
use appliance_drive::find::Found;
use appliance_drive::inspect::{self, BlockDevice, Consented, Content, Note};
use appliance_drive::luks::Format;
use appliance_secret::{RecoveryKey, Secret};
use serde::Serialize;

use super::info::describe;
use super::{binding, filesystem, folders, nothing_is_open};
use crate::dialogue::{Consent, Keepsake, KeepsakeKind, Question};
use crate::error::Context as _;
use crate::size::size;
use crate::{Appliance, Result};

/// How a new drive is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewDrive {
    /// Whether it is encrypted.
    pub encryption: Encryption,
    /// Its cipher.
    pub cipher: CipherChoice,
}

/// What [`create`] makes.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// The device to erase and use.
    pub device: PathBuf,
    /// How it is made.
    pub how: NewDrive,
}

/// A drive that was made, and is open and mounted.
#[derive(Debug, Serialize)]
pub struct Created {
    /// The device.
    pub device: PathBuf,
    /// UUID of the LUKS header, or of the file system.
    pub uuid: String,
    /// The cipher, unless it is not encrypted.
    pub cipher: Option<String>,
    /// Where it is mounted.
    pub mounted_at: PathBuf,
}

/// Makes a drive for Immich. It is open and mounted afterwards.
///
/// A drive whose making is interrupted is marked unfinished in its header; making it again
/// starts from the beginning.
///
/// # Errors
/// When a drive is open, the device must not be touched, or without consent.
pub fn create(appliance: &Appliance, options: &CreateOptions) -> Result<Created> {
    let _lock = appliance.exclusively()?;
    nothing_is_open(appliance, "create a drive")?;
    let erasable = consented(appliance, &options.device)?;
    let passphrase = new_passphrase(appliance, options.how)?;
    carry_out(appliance, &erasable, options.how, &passphrase)
}

/// A device that a person agreed to lose.
pub(crate) struct Erasable {
    device: BlockDevice,
    held: Consented,
}

/// Finds the device, refuses one that must not be touched, shows what is on it and has the
/// person consent.
pub(crate) fn consented(appliance: &Appliance, device: &Path) -> Result<Erasable> {
    let disks = appliance.disks();
    let device = disks
        .device(&device.to_string_lossy())
        .with_context(|| format!("cannot create a drive on {}", device.display()))?;
    if let Some(refusal) = inspect::refusal(&device) {
        return Err(refusal).context("cannot create a drive");
    }
    // Held while the person is asked: minutes pass, in which names move from disk to disk.
    let held = disks.hold(&device)?;
    appliance.dialogue().consent(&Consent {
        name: &device.name,
        what_is_lost: &what_is_lost(&device),
    })?;
    let sampled = match device.content {
        Content::Empty => disks.sample(&device),
        _ => None,
    };
    for note in inspect::before_erasing(&device, sampled, &appliance.known_drives()?) {
        if let Some(what) = of_its_own(&note, &device) {
            appliance.dialogue().confirm(&Consent {
                name: &device.name,
                what_is_lost: &what,
            })?;
        }
    }
    Ok(Erasable { device, held })
}

/// What takes a consent of its own, given for nothing in advance: the device may hold what no
/// signature tells of.
fn of_its_own(note: &Note, device: &BlockDevice) -> Option<String> {
    let path = device.path.display();
    Some(match note {
        Note::KnownDrive { drive } => format!(
            "{path} is this box's own drive {}, whose header was overwritten. The photos may still \
             be there: immich-appliance drive header restore {path} puts the header back. Erased, \
             they are lost for good.",
            drive.uuid
        ),
        Note::MayBeEncrypted => format!(
            "{path} shows no signature, and is full of data that looks like noise: it may be \
             encrypted by something else."
        ),
        Note::UnknownData => {
            format!("{path} shows no signature, and holds data of an unknown kind.")
        }
        _ => return None,
    })
}

/// The passphrase of a new drive; an unencrypted one has none. Asked for, as everything that can
/// be, before anything is erased.
pub(crate) fn new_passphrase(appliance: &Appliance, how: NewDrive) -> Result<Secret> {
    if how.encryption == Encryption::None {
        return Ok(Secret::default());
    }
    let dialogue = appliance.dialogue();
    dialogue.can_hand_over(KeepsakeKind::RecoveryKey)?;
    let question = Question::NewPassphrase {
        what: "Passphrase for the new drive".into(),
    };
    Ok(dialogue.secret(&question)?.secret)
}

/// Makes the drive, without asking for anything but that the recovery key is kept.
pub(crate) fn carry_out(
    appliance: &Appliance,
    Erasable { device, held }: &Erasable,
    how: NewDrive,
    passphrase: &Secret,
) -> Result<Created> {
    let disks = appliance.disks();
    let path = &device.path;
    let (uuid, cipher, mapping) = match how.encryption {
        Encryption::None => (None, None, None),
        Encryption::Luks2 => {
            let cipher = match how.cipher {
                CipherChoice::AesXts => Cipher::AesXts,
                CipherChoice::Adiantum => Cipher::Adiantum,
                CipherChoice::Auto => {
                    appliance.say("Measuring the ciphers …");
                    disks.cipher()
                }
            };
            let limits = appliance.keyslot_limits()?;
            let key = RecoveryKey::generate()?;
            appliance.say(format!("Encrypting {} with {cipher} …", path.display()));
            let uuid = disks.format(
                held,
                &Format {
                    cipher,
                    limits,
                    uuid: None,
                },
                passphrase.as_slice(),
                &[key.to_secret().as_slice()],
            )?;
            // From now on it is this box's drive, also if its making is cut short: the one
            // remembered so far would make it a foreign one.
            binding::remember(
                appliance,
                &Found {
                    device: device.clone(),
                    uuid,
                    encrypted: true,
                },
            );
            appliance
                .dialogue()
                .hand_over(&Keepsake::RecoveryKey(&key))?;
            disks.activate(path, appliance.mapper(), passphrase.as_slice())?;
            let mapping = disks.mapping(held, &disks.mapper_node(appliance.mapper()))?;
            (Some(uuid), Some(cipher.to_string()), Some(mapping))
        }
    };
    appliance.say("Making the file system …");
    let place = mapping.as_ref().unwrap_or(held);
    let filesystem_uuid = disks.make_filesystem(place)?;
    let node = place.path().to_owned();
    drop(mapping);
    // Before it is mounted: on a drive that anything was ever written to, nobody is told to begin
    // again. Folders that are missing are made by each unlock.
    if uuid.is_some() {
        disks.mark_finished(path)?;
    }
    filesystem::mount(appliance, &node)?;
    folders::put_in_order(appliance)?;
    let found = Found {
        device: device.clone(),
        uuid: uuid.unwrap_or(filesystem_uuid),
        encrypted: uuid.is_some(),
    };
    binding::attach(appliance, &found)?;
    Ok(Created {
        device: path.clone(),
        uuid: found.uuid.to_string(),
        cipher,
        mounted_at: appliance.paths.mount_point.clone(),
    })
}

/// What is on the device, in words.
fn what_is_lost(device: &BlockDevice) -> String {
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
            lines.push("It is built into this machine, not attached over USB.".into());
        }
    }
    lines.join("\n")
}
