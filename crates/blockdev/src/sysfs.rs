//! Facts about block devices from sysfs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::uses::Users;
use crate::{Device, Kind, System, Transport};

/// Block devices could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// A file of the kernel's could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Nothing is attached under that name.
    #[error("no block device is attached as {id}")]
    NotFound {
        /// The name asked for.
        id: String,
    },
    /// The name leads to something else.
    #[error("{} is not a block device", path.display())]
    NotABlockDevice {
        /// The name asked for.
        path: PathBuf,
    },
}

/// All whole disks with their partitions, in the order of their names; `look` tells what is on
/// each. Mappings and RAIDs are not listed (they show as [`crate::Use`]), nor are empty drives,
/// RAM disks and unused loop devices.
///
/// # Errors
/// When sysfs or the mount table cannot be read.
pub fn list<C>(
    system: &System,
    look: &dyn Fn(&Path, &Kind) -> C,
) -> Result<Vec<Device<C>>, InspectError> {
    let folder = system.sys.join("block");
    let names = names(&folder).map_err(|source| InspectError::Read {
        path: folder.clone(),
        source,
    })?;
    let scan = Scan::new(system, look)?;
    let mut devices = Vec::new();
    for name in names {
        if !worth_listing(&name, &folder.join(&name)) {
            continue;
        }
        match scan.whole(&name) {
            Ok(device) => devices.push(device),
            // Pulled out between listing and reading, which is no failure of the listing.
            Err(error) => tracing::debug!(name, %error, "block device passed over"),
        }
    }
    Ok(devices)
}

/// One device, a partition or a whole one of whatever kind, by its path or a link to it.
///
/// # Errors
/// [`InspectError::NotFound`] when nothing is there.
pub fn device<C>(
    system: &System,
    path: &Path,
    look: &dyn Fn(&Path, &Kind) -> C,
) -> Result<Device<C>, InspectError> {
    let real = fs::canonicalize(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => InspectError::NotFound {
            id: path.display().to_string(),
        },
        _ => InspectError::Read {
            path: path.to_owned(),
            source,
        },
    })?;
    let node = real.strip_prefix(&system.dev).ok();
    let name = node.map(|name| name.to_string_lossy().replace('/', "!"));
    let folder = name
        .as_ref()
        .and_then(|name| fs::canonicalize(system.sys.join("class/block").join(name)).ok());
    let (Some(name), Some(folder)) = (name, folder) else {
        return Err(InspectError::NotABlockDevice {
            path: path.to_owned(),
        });
    };
    let scan = Scan::new(system, look)?;
    // A partition's folder lies in its disk's.
    let whole = folder
        .join("partition")
        .exists()
        .then(|| folder.parent()?.file_name()?.to_str())
        .flatten()
        .unwrap_or(&name);
    let mut device = scan.whole(whole).map_err(|source| InspectError::Read {
        path: folder.clone(),
        source,
    })?;
    if whole != name {
        let partition = device.partitions.iter().position(|part| part.name == name);
        let partition = partition.ok_or_else(|| InspectError::NotFound {
            id: path.display().to_string(),
        })?;
        device = device.partitions.swap_remove(partition);
    }
    Ok(device)
}

fn worth_listing(name: &str, folder: &Path) -> bool {
    // Mappings and RAIDs are uses of the disks beneath; the rest holds no data of anybody's.
    const OTHERS: [&str; 9] = [
        "dm-", "md", "ram", "zram", "fd", "sr", "nbd", "mtdblock", "zd",
    ];
    let boot_area = name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb"));
    !boot_area
        && !OTHERS.iter().any(|other| name.starts_with(other))
        && (!name.starts_with("loop") || folder.join("loop/backing_file").exists())
        && size(folder) > 0
}

/// What is read once for all devices.
struct Scan<'a, C> {
    system: &'a System,
    look: &'a dyn Fn(&Path, &Kind) -> C,
    users: Users,
    links: Vec<(PathBuf, PathBuf)>,
}

impl<'a, C> Scan<'a, C> {
    fn new(system: &'a System, look: &'a dyn Fn(&Path, &Kind) -> C) -> Result<Self, InspectError> {
        Ok(Self {
            system,
            look,
            users: Users::read(system)?,
            links: links(system),
        })
    }

    /// One whole device with its partitions.
    fn whole(&self, name: &str) -> io::Result<Device<C>> {
        let folder = self.system.sys.join("block").join(name);
        let real = fs::canonicalize(&folder)?;
        let hardware = fs::canonicalize(real.join("device")).unwrap_or_default();
        let kind = if let Some(mapper) = text(&folder.join("dm/name")) {
            Kind::Mapping { mapper }
        } else if name.starts_with("md") {
            Kind::Raid
        } else if name.starts_with("loop") {
            Kind::Loop
        } else {
            Kind::Disk
        };
        let transport = transport(&kind, name, &hardware);
        let mut disk = Device {
            model: model(&real),
            serial: serial(&real),
            diskseq: text(&folder.join("diskseq")).and_then(|text| text.parse().ok()),
            transport,
            removable: matches!(transport, Transport::Usb | Transport::Sd)
                || flag(&folder.join("removable")),
            ..self.common(name, &folder, kind)?
        };
        for part in names(&folder)? {
            let below = folder.join(&part);
            let Some(number) = text(&below.join("partition")).and_then(|text| text.parse().ok())
            else {
                continue;
            };
            let kind = Kind::Partition {
                disk: name.to_owned(),
                number,
            };
            let common = self.common(&part, &below, kind)?;
            disk.partitions.push(Device {
                model: disk.model.clone(),
                serial: disk.serial.clone(),
                diskseq: disk.diskseq,
                transport,
                removable: disk.removable,
                read_only: disk.read_only || common.read_only,
                ..common
            });
        }
        disk.partitions.sort_by_key(|part| match part.kind {
            Kind::Partition { number, .. } => number,
            _ => 0,
        });
        Ok(disk)
    }

    /// What whole devices and partitions have in common.
    fn common(&self, name: &str, folder: &Path, kind: Kind) -> io::Result<Device<C>> {
        // The kernel writes a slash in a device name as an exclamation mark.
        let path = self.system.dev.join(name.replace('!', "/"));
        let number = number_of(folder)
            .ok_or_else(|| io::Error::other(format!("{} says no number", folder.display())))?;
        Ok(Device {
            name: name.to_owned(),
            number,
            size: size(folder),
            model: None,
            serial: None,
            diskseq: None,
            transport: Transport::Unknown,
            removable: false,
            read_only: flag(&folder.join("ro")),
            links: self
                .links
                .iter()
                .filter(|(_, node)| *node == path)
                .map(|(link, _)| link.clone())
                .collect(),
            partitions: Vec::new(),
            content: (self.look)(&path, &kind),
            uses: self.users.of(self.system, number, &path, folder),
            kind,
            path,
        })
    }
}

fn transport(kind: &Kind, name: &str, hardware: &Path) -> Transport {
    if *kind != Kind::Disk {
        return Transport::Virtual;
    }
    let way = hardware.to_string_lossy();
    // USB first: a USB disk is a SCSI disk too, and may sit behind any controller.
    if way.contains("/usb") {
        Transport::Usb
    } else if text(&hardware.join("type")).is_some_and(|kind| kind == "SD") {
        Transport::Sd
    } else if name.starts_with("mmcblk") {
        Transport::Emmc
    } else if name.starts_with("nvme") {
        Transport::Nvme
    } else if way.contains("/virtio") {
        Transport::Virtio
    } else if way.contains("/ata") || way.contains("/end_device") {
        Transport::Sata
    } else {
        Transport::Unknown
    }
}

/// Vendor and model of the disk whose sysfs folder this is.
pub(crate) fn model(disk: &Path) -> Option<String> {
    let model = text(&disk.join("device/model")).or_else(|| text(&disk.join("device/name")));
    // "ATA" is what libata writes for every SATA disk; it is nobody's name.
    let vendor = text(&disk.join("device/vendor"))
        .filter(|vendor| vendor != "ATA" && !vendor.starts_with("0x"));
    match (vendor, model) {
        (Some(vendor), Some(model)) => Some(format!("{vendor} {model}")),
        (one, other) => other.or(one),
    }
}

/// Serial number of the disk whose sysfs folder this is. That of a USB disk is the USB device's, a
/// few levels up.
pub(crate) fn serial(disk: &Path) -> Option<String> {
    text(&disk.join("device/serial"))
        .or_else(|| text(&disk.join("serial")))
        .or_else(|| {
            let hardware = fs::canonicalize(disk.join("device")).ok()?;
            let usb = |folder: &&Path| folder.join("idVendor").exists();
            text(&hardware.ancestors().find(usb)?.join("serial"))
        })
        .or_else(|| {
            // A SCSI page: four bytes, then text.
            let page = fs::read(disk.join("device/vpd_pg80")).ok()?;
            let serial = std::str::from_utf8(page.get(4..)?).ok()?.trim();
            let printable = serial.bytes().all(|byte| byte.is_ascii_graphic());
            (printable && !serial.is_empty()).then(|| serial.to_owned())
        })
}

/// Size in bytes; sysfs counts 512-byte sectors whatever the disk's own are.
fn size(folder: &Path) -> u64 {
    text(&folder.join("size"))
        .and_then(|sectors| sectors.parse::<u64>().ok())
        .map_or(0, |sectors| sectors.saturating_mul(512))
}

/// Major and minor number.
pub(crate) fn number_of(folder: &Path) -> Option<(u32, u32)> {
    let text = text(&folder.join("dev"))?;
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn flag(file: &Path) -> bool {
    text(file).is_some_and(|text| text == "1")
}

/// Contents of a small file without the blanks around; `None` if missing or empty.
pub(crate) fn text(file: &Path) -> Option<String> {
    let bytes = fs::read(file).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// What is in a folder, in order. The kernel's names of devices are ASCII.
pub(crate) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// Links under `/dev/disk`, each with the real path of the node it leads to.
fn links(system: &System) -> Vec<(PathBuf, PathBuf)> {
    const KINDS: [&str; 5] = ["by-id", "by-uuid", "by-label", "by-partuuid", "by-path"];
    let mut links: Vec<_> = KINDS
        .iter()
        .filter_map(|kind| fs::read_dir(system.dev.join("disk").join(kind)).ok())
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter_map(|link| Some((link.clone(), fs::canonicalize(&link).ok()?)))
        .collect();
    links.sort();
    links
}
