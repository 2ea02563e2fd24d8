//! Which card is written: chosen, not one that must not be overwritten, still the one that was shown,
//! and not mounted any more.

use std::path::{Path, PathBuf};

use anyhow::Context;
use appliance_image::card::{Node, unmount};
use appliance_image::devices::{
    self, ConsentError, Consented, Device, DeviceError, InspectError, Refusal, System, Use, refusal,
};
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
    /// The card as it is shown to the person, without the desktop's mounts.
    pub device: Device,
    /// Where the desktop mounted it.
    mounted: Vec<PathBuf>,
    /// The name that allows for a disk that is built in.
    built_in: Option<String>,
    /// Size of the image in bytes, where it is known.
    needed: Option<u64>,
    /// Holds the card, though not for this program alone: the desktop can unmount it meanwhile.
    consented: Consented,
}

impl Target {
    /// The card that was named, or is chosen. It is held from then on, so that what the person is
    /// shown is what is written.
    ///
    /// # Errors
    /// If there is none, or it must not be overwritten.
    pub fn find(ui: Ui, arguments: &Flash, image: &Image) -> anyhow::Result<Self> {
        let (device, mounted) = match &arguments.device {
            Some(path) => look(path)?,
            None => {
                let chosen = choose(ui)?;
                // The desktop may have mounted it while the person chose.
                let (device, mounted) = look(&chosen.path)?;
                is_still(&chosen, &device)?;
                (device, mounted)
            }
        };
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
        let needed = image.content_size();
        let mut built_in = arguments.built_in.clone();
        let ask = match refusal(&device, needed, built_in.as_deref()) {
            None => false,
            Some(Refusal::NotRemovable { .. }) if built_in.is_none() && ui.may_ask() => true,
            Some(refusal) => return Err(refusal.into()),
        };
        let consented = Consented::to(&System::live(), &device)
            .map_err(|error| consent_error(&device.path, error))?;
        if ask {
            ui.say(line(&device));
            built_in = ui.ask_optional(&format!(
                "This disk is built into the computer. If it is the right one nevertheless, type \
                 {}",
                device.name
            ))?;
            if let Some(refusal) = refusal(&device, needed, built_in.as_deref()) {
                return Err(refusal.into());
            }
        }
        Ok(Target {
            device,
            mounted,
            built_in,
            needed,
            consented,
        })
    }

    /// The card that the person agrees to lose.
    pub fn consented(&self) -> &Consented {
        &self.consented
    }

    /// What is lost when it is written.
    pub fn what_is_lost(&self) -> String {
        let mut text = format!("Everything on it will be lost: {}.", line(&self.device));
        if !self.mounted.is_empty() {
            text += &format!(
                " It is mounted at {}, and will be unmounted.",
                places(&self.mounted)
            );
        }
        text
    }

    /// Unmounts what the desktop mounted, and opens the card for this program alone.
    ///
    /// # Errors
    /// If a program still uses it, or it is not the card any more that was shown.
    pub fn open(&self) -> anyhow::Result<Node> {
        let mut mounted = self.look_again()?;
        // What lies inside another goes first.
        mounted.sort_by_key(|at| std::cmp::Reverse(at.components().count()));
        for at in &mounted {
            unmount(at).map_err(|error| self.unmount_error(at, &error))?;
        }
        let mounted = self.look_again()?;
        if !mounted.is_empty() {
            return Err(Refused::new(
                Exit::Refused,
                format!(
                    "{} was mounted again at {}; nothing was written",
                    self.device.path.display(),
                    places(&mounted)
                ),
                "switch automatic mounting off in your desktop's settings, and run the command \
                 again",
            )
            .into());
        }
        // Compares what it opened with what is held.
        Node::open(&self.consented).map_err(|error| consent_error(&self.device.path, error))
    }

    /// Where the desktop mounts the card by now; refuses what is not the same card any more, or
    /// must not be overwritten any more.
    fn look_again(&self) -> anyhow::Result<Vec<PathBuf>> {
        let path = &self.device.path;
        self.consented
            .check()
            .map_err(|error| consent_error(path, error))?;
        let (device, mounted) = look(path)?;
        is_still(&self.device, &device)?;
        match refusal(&device, self.needed, self.built_in.as_deref()) {
            None => Ok(mounted),
            Some(refusal) => Err(refusal.into()),
        }
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
/// anything else uses, too, is left as it is.
pub fn without_the_desktop(mut device: Device) -> (Device, Vec<PathBuf>) {
    let of_the_desktop = |used: &Use| match used {
        Use::Mounted { at } => DESKTOP
            .iter()
            .any(|folder| at.starts_with(folder) && at != Path::new(folder))
            .then(|| at.clone()),
        Use::Swap | Use::Held { .. } => None,
    };
    let Some(mounted) = device.all_uses().map(of_the_desktop).collect() else {
        return (device, Vec::new());
    };
    device.uses.clear();
    for partition in &mut device.partitions {
        partition.uses.clear();
    }
    (device, mounted)
}

fn look(path: &Path) -> Result<(Device, Vec<PathBuf>), DeviceError> {
    devices::device(&System::live(), path).map(without_the_desktop)
}

/// Refuses a disk that is not the one any more that was shown.
fn is_still(shown: &Device, now: &Device) -> anyhow::Result<()> {
    match shown.identity().difference(&now.identity()) {
        None => Ok(()),
        Some(how) => {
            let path = now.path.clone();
            Err(consent_error(
                &now.path,
                ConsentError::Changed { path, how },
            ))
        }
    }
}

fn places(mounted: &[PathBuf]) -> String {
    let places = mounted.iter().map(|at| at.display().to_string());
    places.collect::<Vec<_>>().join(", ")
}

/// Has the person choose among the cards that may be written.
fn choose(ui: Ui) -> anyhow::Result<Device> {
    let mut cards: Vec<Device> = devices::list(&System::live())?
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
    (chosen < cards.len())
        .then(|| cards.swap_remove(chosen))
        .context("nothing was chosen")
}

fn consent_error(path: &Path, error: ConsentError) -> anyhow::Error {
    let refused = |exit, why: &str, help: String| {
        Refused::new(exit, format!("{} {why}", path.display()), help).into()
    };
    let source = match error {
        ConsentError::Open { source, .. } => source,
        changed @ ConsentError::Changed { .. } => {
            return Refused::new(
                Exit::Refused,
                format!("{changed}; nothing was written"),
                "leave the card in its reader, and run the command again",
            )
            .into();
        }
    };
    match source.raw_os_error().map(Errno::from_raw) {
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
            InspectError::NotFound {
                id: path.display().to_string(),
            }
            .into()
        }
        _ => anyhow::Error::new(source).context(format!("cannot open {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use appliance_image::devices::{Kind, Transport};

    use super::*;

    /// A card with a partition, and what uses each of them.
    fn card(uses: Vec<Use>, of_its_partition: Vec<Use>) -> Device {
        let device = |name: &str, kind, uses| Device {
            name: name.to_owned(),
            path: Path::new("/dev").join(name),
            number: (8, 16),
            kind,
            size: 32_000_000_000,
            model: None,
            serial: None,
            diskseq: Some(7),
            transport: Transport::Usb,
            removable: true,
            read_only: false,
            links: Vec::new(),
            partitions: Vec::new(),
            content: "1 partition".to_owned(),
            uses,
        };
        let partition = Kind::Partition {
            disk: "sdb".to_owned(),
            number: 1,
        };
        Device {
            partitions: vec![device("sdb1", partition, of_its_partition)],
            ..device("sdb", Kind::Disk, uses)
        }
    }

    fn mounted(at: &str) -> Use {
        Use::Mounted { at: at.into() }
    }

    #[test]
    fn only_a_card_that_the_desktop_alone_uses_is_one_to_unmount() {
        let uses = || vec![mounted("/media/mum/boot")];
        let (device, places) =
            without_the_desktop(card(uses(), vec![mounted("/run/media/mum/NIXOS_SD")]));
        assert_eq!(
            places,
            [
                Path::new("/media/mum/boot"),
                Path::new("/run/media/mum/NIXOS_SD")
            ]
        );
        assert_eq!(refusal(&device, None, None), None);
        let held = Use::Held {
            by: "dm-0".to_owned(),
            mapper: Some("luks-mum".to_owned()),
        };
        for other in [
            mounted("/mnt"),
            mounted("/srv/photos"),
            mounted("/home/mum/media/card"),
            mounted("/media"),
            mounted("/mediathek"),
            Use::Swap,
            held,
        ] {
            let before = card(uses(), vec![other]);
            let (device, places) = without_the_desktop(before.clone());
            assert_eq!(device, before);
            assert_eq!(places.len(), 0, "{device:?}");
            assert!(refusal(&device, None, None).is_some(), "{device:?}");
        }
    }

    #[test]
    fn a_card_exchanged_for_its_twin_is_not_the_one_that_was_shown() {
        let shown = card(Vec::new(), Vec::new());
        is_still(&shown, &card(vec![mounted("/media/mum/boot")], Vec::new())).unwrap();
        let twin = Device {
            diskseq: Some(8),
            ..shown.clone()
        };
        let error = is_still(&shown, &twin).unwrap_err();
        let refused = error.downcast::<Refused>().unwrap();
        assert!(
            refused.to_string().contains("nothing was written"),
            "{refused}"
        );
    }
}
