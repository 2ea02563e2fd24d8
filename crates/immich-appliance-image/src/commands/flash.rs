//! `flash`

use std::path::{Path, PathBuf};

use anyhow::Context;
use appliance_image::bmap::Bmap;
use appliance_image::card::{Node, eject};
use appliance_image::devices::{
    self, ConsentError, Consented, Device, InspectError, Refusal, System, refusal,
};
use appliance_image::flash::{self, Flashed, Options};
use appliance_image::source::Image;
use appliance_image::{Patches, customise};
use serde::Serialize;

use super::devices::line;
use crate::cli::Flash;
use crate::exit::Exit;
use crate::failure::Refused;
use crate::report::{Report, size};
use crate::talk::Talk;
use crate::{answers, trust};

#[derive(Debug, Serialize)]
struct Done {
    device: PathBuf,
    #[serde(flatten)]
    flashed: Flashed,
    settings: Option<String>,
    /// Whether a signed sum vouches for the image.
    signed: bool,
    ejected: bool,
}

/// Writes an image onto a card.
pub fn run(talk: Talk, arguments: &Flash) -> anyhow::Result<Box<dyn Report>> {
    let image = Image::open(&arguments.image)?;
    let path = match &arguments.device {
        Some(path) => path.clone(),
        None => choose(talk)?,
    };
    let device = allowed(talk, arguments, &image, &path)?;
    let expected = trust::expected(&image, &arguments.trust)?;
    let settings = answers::gather(talk, &arguments.settings)?;
    let patches = match &settings {
        Some(settings) => customise::patches(&image, settings)?,
        None => Patches::default(),
    };
    let bmap = block_map(arguments, &image)?;
    // Held while the person is asked: what is shown is what is written.
    let consented =
        Consented::to(&System::live(), &device).map_err(|error| open_error(&device, error))?;
    talk.typed(
        &device.name,
        arguments.erase.as_deref(),
        &format!("Everything on it will be lost: {}.", line(&device)),
        "--erase",
    )?;
    let mut card = Node::open(&consented).map_err(|error| open_error(&device, error))?;
    let bars = talk.bars();
    let options = Options {
        patches: &patches,
        expected,
        bmap: bmap.as_ref(),
        read_back: !arguments.no_read_back,
    };
    let flashed = flash::flash(&image, &mut card, &options, &bars)?;
    drop(card);
    let ejected = !arguments.no_eject && eject(&consented).unwrap_or(false);
    Ok(Box::new(Done {
        device: device.path,
        flashed,
        settings: settings.map(|settings| settings.render_without_secrets()),
        signed: expected.is_some() && !arguments.trust.unsigned,
        ejected,
    }))
}

/// The device, unless it must not be overwritten.
fn allowed(talk: Talk, arguments: &Flash, image: &Image, path: &Path) -> anyhow::Result<Device> {
    let device = devices::device(&System::live(), path)?;
    let needed = image.content_size();
    let mut built_in = arguments.built_in.clone();
    match refusal(&device, needed, built_in.as_deref()) {
        None => return Ok(device),
        Some(Refusal::NotRemovable { .. }) if built_in.is_none() && talk.may_ask() => {
            talk.say(line(&device));
            built_in = talk.ask(&format!(
                "It cannot be taken out of this computer. If it is the right one nevertheless, \
                 type {}",
                device.name
            ))?;
        }
        Some(refusal) => return Err(refusal.into()),
    }
    match refusal(&device, needed, built_in.as_deref()) {
        None => Ok(device),
        Some(refusal) => Err(refusal.into()),
    }
}

/// Has the person choose among the cards that may be written.
fn choose(talk: Talk) -> anyhow::Result<PathBuf> {
    let cards: Vec<Device> = devices::list(&System::live())?
        .into_iter()
        .filter(|device| refusal(device, None, None).is_none())
        .collect();
    if cards.is_empty() {
        return Err(Refused::new(
            Exit::DeviceNotFound,
            "no card is attached that may be written",
            "put one in; all disks are listed by: immich-appliance-image devices list",
        )
        .into());
    }
    let lines: Vec<String> = cards.iter().map(line).collect();
    if !talk.may_ask() {
        return Err(Refused::new(
            Exit::Usage,
            format!("no device was named; attached are:\n{}", lines.join("\n")),
            "name one after the image",
        )
        .into());
    }
    let chosen = talk.choose("Which card", &lines)?;
    cards
        .get(chosen)
        .map(|card| card.path.clone())
        .context("nothing was chosen")
}

fn open_error(device: &Device, error: ConsentError) -> anyhow::Error {
    use nix::errno::Errno;
    let refused = |exit, why: &str, mend: &str| {
        Refused::new(exit, format!("{} {why}", device.path.display()), mend).into()
    };
    let ConsentError::Open { source, .. } = &error else {
        return Refused::new(
            Exit::Refused,
            error.to_string(),
            "look which card is which, and begin again: immich-appliance-image devices list",
        )
        .into();
    };
    match source.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EBUSY) => refused(
            Exit::Refused,
            "is in use by another program",
            "close what uses it, or unmount it",
        ),
        Some(Errno::EACCES | Errno::EPERM) => refused(
            Exit::Failed,
            "may not be written by this user",
            "run the command with sudo",
        ),
        Some(Errno::EROFS) => refused(
            Exit::ReadOnlyDevice,
            "is write-protected",
            "look for a write-protect switch on the card or its adapter",
        ),
        Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO | Errno::ENOMEDIUM) => {
            devices::DeviceError::from(InspectError::NotFound {
                id: device.path.display().to_string(),
            })
            .into()
        }
        _ => anyhow::Error::new(error).context(format!("cannot open {}", device.path.display())),
    }
}

/// The map given, or the one beside the image.
fn block_map(arguments: &Flash, image: &Image) -> anyhow::Result<Option<Bmap>> {
    let path = match &arguments.bmap {
        Some(path) => path.clone(),
        None => {
            let name = image.name();
            let plain = name.strip_suffix(".zst").unwrap_or(&name);
            let names = [format!("{name}.bmap"), format!("{plain}.bmap")];
            let found = names
                .iter()
                .map(|name| image.path().with_file_name(name))
                .find(|path| path.is_file());
            match found {
                Some(path) => path,
                None => return Ok(None),
            }
        }
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read the block map {}", path.display()))?;
    let map = Bmap::parse(&text).with_context(|| format!("cannot use {}", path.display()))?;
    Ok(Some(map))
}

impl Report for Done {
    fn text(&self) -> String {
        let mut text = format!(
            "{} is flashed: {}, {}.",
            self.device.display(),
            size(self.flashed.size),
            if self.flashed.compared > 0 {
                "read back and the same"
            } else {
                "not read back"
            }
        );
        if let Some(settings) = &self.settings {
            text += &format!("\nThe box takes over at its first start:\n\n{settings}");
        }
        text += if self.ejected {
            "\nThe card is ejected. Put it into the box and switch it on."
        } else {
            "\nTake the card out, put it into the box and switch it on."
        };
        text
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}
