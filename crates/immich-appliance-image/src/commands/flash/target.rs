//! Which card is written: chosen, not one that must not be overwritten, and not mounted any more.

use std::path::{Path, PathBuf};

use anyhow::Context;
use appliance_image::card::{Node, unmount};
use appliance_image::devices::{self, Device, DeviceError, Refusal, Roots, refusal};
use appliance_image::source::Image;
use appliance_terminal::{Exit, Refused, Ui};
use nix::errno::Errno;

use crate::cli::Flash;
use crate::commands::devices::line;
use crate::meaning::write_protected;

/// Where desktops mount what is plugged in.
const DESKTOP: [&str; 2] = ["/media", "/run/media"];

/// A card that may be written, once it is erased by consent.
#[derive(Debug)]
pub struct Target {
    /// The card, without the desktop's mounts.
    pub device: Device,
    /// Where the desktop mounted it.
    mounted: Vec<PathBuf>,
    /// The name that allows for a disk that is built in.
    built_in: Option<String>,
    /// Size of the image in bytes, where it is known.
    needed: Option<u64>,
}

impl Target {
    /// The card that was named, or is chosen.
    ///
    /// # Errors
    /// If there is none, or it must not be overwritten.
    pub fn find(ui: Ui, arguments: &Flash, image: &Image) -> anyhow::Result<Self> {
        let path = match &arguments.device {
            Some(path) => path.clone(),
            None => choose(ui)?,
        };
        let (device, mounted) = look(&path)?;
        if let Ok(file) = std::fs::canonicalize(image.path())
            && mounted.iter().any(|at| file.starts_with(at))
        {
            return Err(Refused::new(
                Exit::Refused,
                format!(
                    "the image {} is on {} itself, which would be erased",
                    image.path().display(),
                    device.path.display()
                ),
                "copy the image to another disk first",
            )
            .into());
        }
        let mut target = Target {
            device,
            mounted,
            built_in: arguments.built_in.clone(),
            needed: image.content_size(),
        };
        if let Some(Refusal::NotRemovable { .. }) = target.refusal()
            && target.built_in.is_none()
            && ui.may_ask()
        {
            ui.say(line(&target.device));
            target.built_in = ui.ask_optional(&format!(
                "This disk is built into the computer. If it is the right one nevertheless, type \
                 {}",
                target.device.name
            ))?;
        }
        match target.refusal() {
            None => Ok(target),
            Some(refusal) => Err(refusal.into()),
        }
    }

    /// What is lost when it is written.
    pub fn what_is_lost(&self) -> String {
        let mut text = format!("Everything on it will be lost: {}.", line(&self.device));
        if !self.mounted.is_empty() {
            text += &format!(
                " It is mounted at {}, and will be unmounted.",
                self.places()
            );
        }
        text
    }

    /// Unmounts what the desktop mounted, and opens the card for this program alone.
    ///
    /// # Errors
    /// If a program still uses it, or it is another card by now.
    pub fn open(&self) -> anyhow::Result<Node> {
        // What lies inside another goes first.
        let mut places: Vec<&PathBuf> = self.mounted.iter().collect();
        places.sort_by_key(|at| std::cmp::Reverse(at.components().count()));
        for at in places {
            unmount(at).map_err(|error| self.unmount_error(at, &error))?;
        }
        let (device, mounted) = look(&self.device.path)?;
        let now = Target {
            device,
            mounted,
            built_in: self.built_in.clone(),
            needed: self.needed,
        };
        if let Some(refusal) = now.refusal() {
            return Err(refusal.into());
        }
        if !now.is_still(&self.device) {
            return Err(Refused::new(
                Exit::Refused,
                format!(
                    "{} is not the card any more that you were asked about; nothing was touched",
                    self.device.path.display()
                ),
                "leave the card in its reader, and run the command again",
            )
            .into());
        }
        if !now.mounted.is_empty() {
            return Err(Refused::new(
                Exit::Refused,
                format!(
                    "{} was mounted again at {}; nothing was touched",
                    self.device.path.display(),
                    now.places()
                ),
                "switch automatic mounting off in your desktop's settings, and run the command \
                 again",
            )
            .into());
        }
        Node::open(&self.device.path).map_err(|error| open_error(&self.device, error))
    }

    fn refusal(&self) -> Option<Refusal> {
        refusal(&self.device, self.needed, self.built_in.as_deref())
    }

    fn is_still(&self, before: &Device) -> bool {
        let same = |device: &Device| (device.size, device.model.clone(), device.content.clone());
        same(&self.device) == same(before)
    }

    fn places(&self) -> String {
        let places = self.mounted.iter().map(|at| at.display().to_string());
        places.collect::<Vec<_>>().join(", ")
    }

    fn unmount_error(&self, at: &Path, error: &std::io::Error) -> Refused {
        let help = match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EBUSY) => "close the programs and windows that show it, then try again",
            Some(Errno::EACCES | Errno::EPERM) => "run the command with sudo",
            _ => "unmount it with your desktop, and leave it plugged in",
        };
        Refused::new(
            Exit::Refused,
            format!(
                "{} cannot be unmounted from {}: {error}; nothing was touched",
                self.device.path.display(),
                at.display()
            ),
            help,
        )
    }
}

/// A disk as it would be without what the desktop mounted of it, and where that is. A disk that
/// somebody else mounted, too, is left as it is.
pub fn without_the_desktop(mut device: Device) -> (Device, Vec<PathBuf>) {
    let of_the_desktop = |at: &PathBuf| {
        DESKTOP
            .iter()
            .any(|folder| at.starts_with(folder) && at != Path::new(folder))
    };
    let mounted = if device.mounted.iter().all(of_the_desktop) {
        std::mem::take(&mut device.mounted)
    } else {
        Vec::new()
    };
    (device, mounted)
}

fn look(path: &Path) -> Result<(Device, Vec<PathBuf>), DeviceError> {
    devices::device(&Roots::live(), path).map(without_the_desktop)
}

/// Has the person choose among the cards that may be written.
fn choose(ui: Ui) -> anyhow::Result<PathBuf> {
    let cards: Vec<Device> = devices::list(&Roots::live())?
        .into_iter()
        .map(|device| without_the_desktop(device).0)
        .filter(|device| refusal(device, None, None).is_none())
        .collect();
    if cards.is_empty() {
        return Err(Refused::new(
            Exit::DriveNotFound,
            "no card is attached that may be overwritten",
            "plug one in; to see all disks: immich-appliance-image devices list",
        )
        .into());
    }
    let lines: Vec<String> = cards.iter().map(line).collect();
    if !ui.may_ask() {
        return Err(Refused::new(
            Exit::Usage,
            format!("no device was given; attached are:\n{}", lines.join("\n")),
            "give one after the image",
        )
        .into());
    }
    let chosen = ui.choose("Which card", "DEVICE", &lines)?;
    cards
        .get(chosen)
        .map(|card| card.path.clone())
        .context("nothing was chosen")
}

fn open_error(device: &Device, error: std::io::Error) -> anyhow::Error {
    let refused = |exit, why: &str, help: String| {
        Refused::new(exit, format!("{} {why}", device.path.display()), help).into()
    };
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EBUSY) => refused(
            Exit::Refused,
            "is in use by another program",
            "close the program that uses it, or unmount it".to_owned(),
        ),
        Some(Errno::EACCES | Errno::EPERM) => refused(
            Exit::Failed,
            "may not be written by this user",
            "run the command with sudo".to_owned(),
        ),
        Some(Errno::EROFS) => {
            let meaning = write_protected();
            refused(
                meaning.exit,
                "is write-protected",
                meaning.help.unwrap_or_default(),
            )
        }
        Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO | Errno::ENOMEDIUM) => {
            DeviceError::NotFound {
                path: device.path.clone(),
            }
            .into()
        }
        _ => anyhow::Error::new(error).context(format!("cannot open {}", device.path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounted_at(places: &[&str]) -> Device {
        Device {
            name: "sdb".to_owned(),
            path: "/dev/sdb".into(),
            size: 32_000_000_000,
            model: None,
            transport: "usb".to_owned(),
            removable: true,
            read_only: false,
            content: "2 partitions".to_owned(),
            mounted: places.iter().map(PathBuf::from).collect(),
            held: Vec::new(),
        }
    }

    #[test]
    fn only_a_card_that_the_desktop_alone_mounted_is_one_to_unmount() {
        let unmounted = |places: &[&str]| without_the_desktop(mounted_at(places)).1.len();
        assert_eq!(
            unmounted(&["/media/mum/boot", "/run/media/mum/NIXOS_SD"]),
            2
        );
        for other in [
            "/mnt",
            "/srv/photos",
            "/home/mum/media/card",
            "/media",
            "/mediathek",
        ] {
            let (device, mounted) = without_the_desktop(mounted_at(&["/media/mum/boot", other]));
            assert_eq!(mounted.len(), 0, "{other}");
            assert!(refusal(&device, None, None).is_some(), "{other}");
        }
    }
}
