use std::fs;
use std::path::{Path, PathBuf};

use super::mounts::{Mount, mounts, swaps};
use super::{Device, DeviceError, Roots};
use crate::customise;

/// How deep stacked devices are followed; LVM on LUKS on RAID is three.
const DEPTH: u32 = 8;

/// Names of what is no disk, or holds nothing of anybody's.
const OTHERS: [&str; 10] = [
    "dm-", "md", "ram", "zram", "fd", "sr", "nbd", "mtdblock", "zd", "loop",
];

/// All whole disks, in the order of their names; loop devices and the like are left out.
///
/// # Errors
/// When sysfs or the mount table cannot be read.
pub fn list(roots: &Roots) -> Result<Vec<Device>, DeviceError> {
    let folder = roots.sys.join("block");
    let failed = |source| DeviceError::Read {
        path: folder.clone(),
        source,
    };
    let users = Users::read(roots)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names
        .iter()
        .filter(|name| !OTHERS.iter().any(|other| name.starts_with(other)))
        .filter(|name| !(name.starts_with("mmcblk") && name.contains("boot")))
        .filter_map(|name| read(roots, &users, name))
        .filter(|device| device.size > 0)
        .collect())
}

/// One disk by its path, or a link to it.
///
/// # Errors
/// [`DeviceError::NotFound`], [`DeviceError::Partition`].
pub fn device(roots: &Roots, path: &Path) -> Result<Device, DeviceError> {
    let not_found = || DeviceError::NotFound {
        path: path.to_owned(),
    };
    let real = fs::canonicalize(path).map_err(|_| not_found())?;
    let name = real
        .strip_prefix(&roots.dev)
        .map_err(|_| not_found())?
        .to_string_lossy()
        .replace('/', "!");
    let known = roots.sys.join("class/block").join(&name);
    if known.join("partition").exists() {
        let disk = fs::canonicalize(&known)
            .ok()
            .and_then(|folder| Some(folder.parent()?.file_name()?.to_owned()))
            .ok_or_else(not_found)?;
        return Err(DeviceError::Partition {
            path: path.to_owned(),
            disk: roots.dev.join(disk),
        });
    }
    let users = Users::read(roots)?;
    read(roots, &users, &name).ok_or_else(not_found)
}

struct Users {
    mounts: Vec<Mount>,
    swaps: Vec<PathBuf>,
}

impl Users {
    fn read(roots: &Roots) -> Result<Self, DeviceError> {
        let swaps = swaps(roots)?;
        Ok(Self {
            mounts: mounts(roots)?,
            swaps: swaps
                .into_iter()
                .map(|swap| fs::canonicalize(&swap).unwrap_or(swap))
                .collect(),
        })
    }

    /// Uses of a device and of what is stacked on it.
    fn collect(&self, roots: &Roots, folder: &Path, name: &str, depth: u32, into: &mut Device) {
        let node = roots.dev.join(name.replace('!', "/"));
        let number = text(&folder.join("dev")).unwrap_or_default();
        for mount in &self.mounts {
            // btrfs reports a number of its own, so the source counts too.
            let source = fs::canonicalize(&mount.source).unwrap_or_else(|_| mount.source.clone());
            let here = mount.number == number || source == node;
            if here && !into.mounted.contains(&mount.at) {
                into.mounted.push(mount.at.clone());
            }
        }
        if self.swaps.contains(&node) {
            into.held.push("swap".to_owned());
        }
        if depth == 0 {
            return;
        }
        for holder in names(&folder.join("holders")) {
            let above = roots.sys.join("block").join(&holder);
            into.held
                .push(text(&above.join("dm/name")).unwrap_or_else(|| holder.clone()));
            self.collect(roots, &above, &holder, depth - 1, into);
        }
    }
}

fn read(roots: &Roots, users: &Users, name: &str) -> Option<Device> {
    let folder = roots.sys.join("block").join(name);
    let sectors: u64 = text(&folder.join("size"))?.parse().ok()?;
    let path = roots.dev.join(name.replace('!', "/"));
    let way = fs::canonicalize(folder.join("device"))
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let flag = |file: &str| text(&folder.join(file)).is_some_and(|text| text == "1");
    // "MMC" is what is soldered in, "SD" what can be pulled out.
    let card = text(&folder.join("device/type")).is_some_and(|kind| kind == "SD");
    let usb = way.contains("/usb");
    let transport = match name {
        _ if usb => "usb",
        _ if card => "sd",
        _ if name.starts_with("mmcblk") => "emmc",
        _ if name.starts_with("nvme") => "nvme",
        _ if name.starts_with("loop") => "loop",
        _ if way.contains("/virtio") => "virtio",
        _ if way.contains("/ata") => "sata",
        _ => "unknown",
    };
    let mut device = Device {
        name: name.to_owned(),
        // The kernel counts 512-byte sectors whatever the disk's own are.
        size: sectors.saturating_mul(512),
        model: model(&folder),
        transport: transport.to_owned(),
        removable: usb || card || flag("removable"),
        read_only: flag("ro"),
        content: content(&path),
        mounted: Vec::new(),
        held: Vec::new(),
        path,
    };
    users.collect(roots, &folder, name, DEPTH, &mut device);
    for part in names(&folder) {
        let below = folder.join(&part);
        if below.join("partition").exists() {
            users.collect(roots, &below, &part, DEPTH, &mut device);
        }
    }
    Some(device)
}

fn model(folder: &Path) -> Option<String> {
    let part = |file: &str| text(&folder.join("device").join(file));
    let model = part("model").or_else(|| part("name"));
    // "ATA" is what libata writes for every SATA disk.
    let vendor = part("vendor").filter(|vendor| vendor != "ATA" && !vendor.starts_with("0x"));
    match (vendor, model) {
        (Some(vendor), Some(model)) => Some(format!("{vendor} {model}")),
        (one, other) => other.or(one),
    }
}

/// What is on a disk, as far as a person wants to know before it is gone.
fn content(path: &Path) -> String {
    use std::io::Read;
    let mut start = vec![0; 1 << 16];
    let read = fs::File::open(path).and_then(|mut file| {
        let mut filled = 0;
        while filled < start.len() {
            match file.read(&mut start[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    });
    match read {
        Ok(count) => start.truncate(count),
        Err(error) => return format!("cannot be read ({error})"),
    }
    match crate::table::read(&start) {
        Ok(table) => {
            let count = table.partitions.len();
            let mut text = format!("{count} partition{}", if count == 1 { "" } else { "s" });
            if let Ok(found) = customise::look_at_device(path) {
                text += &format!(", {}", found.fat);
                if found.settings.is_some() || found.applied.is_some() {
                    text += ", a card of immich-appliance";
                }
            }
            text
        }
        Err(crate::table::TableError::Damaged(why)) => {
            format!("a damaged partition table ({why})")
        }
        Err(crate::table::TableError::None) => without_table(&start).to_owned(),
    }
}

fn without_table(start: &[u8]) -> &'static str {
    let at = |place: usize, magic: &[u8]| start.get(place..place + magic.len()) == Some(magic);
    if at(0, b"LUKS\xba\xbe") {
        "an encrypted drive (LUKS)"
    } else if at(1080, &[0x53, 0xef]) {
        "a file system (ext)"
    } else if at(0, b"XFSB") {
        "a file system (xfs)"
    } else if at(3, b"EXFAT   ") {
        "a file system (exFAT)"
    } else if at(3, b"NTFS    ") {
        "a file system (NTFS)"
    } else if crate::fat::geometry(start).is_some() {
        "a file system (FAT)"
    } else if start.iter().all(|byte| *byte == 0) {
        "nothing at its start"
    } else {
        "something unknown"
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Contents of a small file without the blanks around; `None` if missing or empty.
fn text(file: &Path) -> Option<String> {
    let bytes = fs::read(file).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!text.is_empty()).then_some(text)
}
