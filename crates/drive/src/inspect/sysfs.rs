//! Facts about block devices from sysfs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::uses::Users;
use super::{BlockDevice, InspectError, Kind, Transport, probe};
use crate::System;

/// Names of the whole devices worth listing.
pub(super) fn names(system: &System) -> Result<Vec<String>, InspectError> {
    let folder = system.sys.join("block");
    let unreadable = |source| InspectError::Read {
        path: folder.clone(),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let Some(name) = name.to_str() else { continue };
        if worth_listing(name, &folder.join(name)) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
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

/// One whole device with its partitions.
pub(super) fn whole(system: &System, users: &Users, name: &str) -> io::Result<BlockDevice> {
    let folder = system.sys.join("block").join(name);
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
    let mut disk = BlockDevice {
        kind,
        model: model(&real),
        serial: serial(&real, &hardware, transport),
        transport,
        removable: flag(&folder.join("removable")),
        ..common(system, users, name, &folder)?
    };
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        let Some(number) = number(&entry.path().join("partition")) else {
            continue;
        };
        let Some(part) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        let common = common(system, users, &part, &entry.path())?;
        disk.partitions.push(BlockDevice {
            kind: Kind::Partition {
                disk: name.to_owned(),
                number,
            },
            model: disk.model.clone(),
            serial: disk.serial.clone(),
            transport: disk.transport,
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
fn common(system: &System, users: &Users, name: &str, folder: &Path) -> io::Result<BlockDevice> {
    // The kernel writes a slash in a device name as an exclamation mark.
    let path = system.dev.join(name.replace('!', "/"));
    let number = text(&folder.join("dev"))
        .and_then(|text| {
            let (major, minor) = text.split_once(':')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        })
        .ok_or_else(|| io::Error::other(format!("{} says no number", folder.display())))?;
    Ok(BlockDevice {
        name: name.to_owned(),
        number,
        kind: Kind::Disk,
        size: size(folder),
        model: None,
        serial: None,
        transport: Transport::Unknown,
        removable: false,
        read_only: flag(&folder.join("ro")),
        links: Vec::new(),
        partitions: Vec::new(),
        content: probe(&path),
        uses: users.of(system, number, &path, folder),
        path,
    })
}

fn transport(kind: &Kind, name: &str, hardware: &Path) -> Transport {
    if *kind != Kind::Disk {
        return Transport::Virtual;
    }
    let way = hardware.to_string_lossy();
    // USB first: a USB disk is a SCSI disk too, and may sit behind any controller.
    if way.contains("/usb") {
        Transport::Usb
    } else if name.starts_with("mmcblk") {
        Transport::Mmc
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

fn model(real: &Path) -> Option<String> {
    let model = text(&real.join("device/model")).or_else(|| text(&real.join("device/name")));
    // "ATA" is what libata writes for every SATA disk; it is nobody's name.
    let vendor = text(&real.join("device/vendor"))
        .filter(|vendor| vendor != "ATA" && !vendor.starts_with("0x"));
    match (vendor, model) {
        (Some(vendor), Some(model)) => Some(format!("{vendor} {model}")),
        (one, other) => other.or(one),
    }
}

fn serial(real: &Path, hardware: &Path, transport: Transport) -> Option<String> {
    if let Some(serial) = text(&real.join("device/serial")).or_else(|| text(&real.join("serial"))) {
        return Some(serial);
    }
    if transport != Transport::Usb {
        return None;
    }
    // The serial number is the USB device's, a few levels up.
    hardware
        .ancestors()
        .find(|folder| folder.join("idVendor").exists())
        .and_then(|folder| text(&folder.join("serial")))
}

/// Size in bytes; sysfs counts 512-byte sectors whatever the disk's own are.
fn size(folder: &Path) -> u64 {
    text(&folder.join("size"))
        .and_then(|sectors| sectors.parse::<u64>().ok())
        .map_or(0, |sectors| sectors.saturating_mul(512))
}

fn number(file: &Path) -> Option<u32> {
    text(file)?.parse().ok()
}

fn flag(file: &Path) -> bool {
    text(file).is_some_and(|text| text == "1")
}

/// Contents of a small file without the blanks around; `None` if missing or empty.
pub(super) fn text(file: &Path) -> Option<String> {
    let bytes = fs::read(file).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Links under `/dev/disk`, each with the real path of the node it leads to.
pub(super) fn links(system: &System) -> Vec<(PathBuf, PathBuf)> {
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
