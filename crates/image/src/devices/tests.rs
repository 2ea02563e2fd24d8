#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A made-up computer.
struct Computer(TempDir);

impl Computer {
    fn new() -> Self {
        let computer = Self(TempDir::new().unwrap());
        for folder in ["sys/block", "sys/class/block", "dev", "proc/self"] {
            fs::create_dir_all(computer.0.path().join(folder)).unwrap();
        }
        computer.write("proc/self/mountinfo", "");
        computer
    }

    fn roots(&self) -> Roots {
        Roots::under(&fs::canonicalize(self.0.path()).unwrap())
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn disk(&self, way: &str, name: &str, number: &str) {
        self.node(&format!("sys/devices/{way}/block/{name}"), name, number);
        let folder = self
            .0
            .path()
            .join(format!("sys/devices/{way}/block/{name}"));
        symlink("../..", folder.join("device")).unwrap();
        symlink(&folder, self.0.path().join("sys/block").join(name)).unwrap();
        symlink(&folder, self.0.path().join("sys/class/block").join(name)).unwrap();
    }

    fn node(&self, folder: &str, name: &str, number: &str) {
        self.write(&format!("{folder}/dev"), number);
        self.write(&format!("{folder}/size"), "8192\n");
        self.write(&format!("{folder}/ro"), "0\n");
        self.write(&format!("{folder}/removable"), "0\n");
        self.write(&format!("dev/{name}"), vec![0; 4096]);
    }

    fn mounted(&self, line: &str) {
        self.write("proc/self/mountinfo", format!("20 1 {line}\n"));
    }

    fn get(&self, name: &str) -> Device {
        device(&self.roots(), &self.roots().dev.join(name)).unwrap()
    }
}

const USB: &str = "pci0/usb1/1-1/host0/target0:0:0/0:0:0:0";
const ATA: &str = "pci0/ata1/host0/target0:0:0/0:0:0:0";

#[test]
fn a_card_in_a_usb_reader_is_listed_and_may_be_overwritten() {
    let computer = Computer::new();
    computer.disk(USB, "sdb", "8:16");
    computer.write(&format!("sys/devices/{USB}/model"), "Card Reader  \n");
    computer.write(&format!("sys/devices/{USB}/vendor"), "Maker\n");
    computer.node("sys/block/loop0", "loop0", "7:0");
    let devices = list(&computer.roots()).unwrap();
    assert_eq!(devices.len(), 1);
    let card = &devices[0];
    assert_eq!(card.model.as_deref(), Some("Maker Card Reader"));
    assert_eq!((card.transport.as_str(), card.size), ("usb", 4 << 20));
    assert_eq!(card.content, "nothing at its start");
    assert_eq!(refusal(card, Some(4 << 20), None), None);
}

#[test]
fn an_sd_card_can_be_taken_out_and_what_is_soldered_in_cannot() {
    let computer = Computer::new();
    computer.disk("mmc0", "mmcblk0", "179:0");
    computer.disk("mmc1", "mmcblk1", "179:8");
    computer.write("sys/devices/mmc0/type", "SD\n");
    computer.write("sys/devices/mmc1/type", "MMC\n");
    assert!(computer.get("mmcblk0").removable);
    assert!(!computer.get("mmcblk1").removable);
}

#[test]
fn a_built_in_disk_is_refused_until_its_name_is_typed() {
    let computer = Computer::new();
    computer.disk(ATA, "sda", "8:0");
    let disk = computer.get("sda");
    for typed in [None, Some(""), Some("sdb"), Some("/dev/sda")] {
        let refused = refusal(&disk, None, typed);
        assert!(
            matches!(refused, Some(Refusal::NotRemovable { .. })),
            "{typed:?}"
        );
    }
    assert_eq!(refusal(&disk, None, Some("sda")), None);
}

#[test]
fn the_disk_of_the_running_system_is_refused_whatever_is_typed() {
    let computer = Computer::new();
    computer.disk(USB, "sdb", "8:16");
    let part = format!("sys/devices/{USB}/block/sdb/sdb2");
    computer.node(&part, "sdb2", "8:18");
    computer.write(&format!("{part}/partition"), "2\n");
    for place in ["/", "/boot/efi", "/home", "/var/lib"] {
        computer.mounted(&format!("8:18 / {place} rw - ext4 /dev/root rw"));
        let refused = refusal(&computer.get("sdb"), None, Some("sdb"));
        assert!(
            matches!(&refused, Some(Refusal::System { what, .. }) if what == place),
            "{refused:?}"
        );
    }
}

#[test]
fn swap_counts_as_the_system() {
    let computer = Computer::new();
    computer.disk(USB, "sdb", "8:16");
    let node = computer.roots().dev.join("sdb");
    computer.write(
        "proc/swaps",
        format!("Filename Type\n{} partition 1\n", node.display()),
    );
    let refused = refusal(&computer.get("sdb"), None, Some("sdb"));
    assert!(
        matches!(refused, Some(Refusal::System { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_mounted_card_is_refused_also_when_the_mount_is_inside_a_mapping() {
    let computer = Computer::new();
    computer.disk(USB, "sdb", "8:16");
    computer.mounted("8:16 / /media/card rw - vfat /dev/sdb rw");
    let refused = refusal(&computer.get("sdb"), None, Some("sdb"));
    assert!(matches!(&refused, Some(Refusal::Mounted { at, .. }) if at == "/media/card"));

    computer.write(&format!("sys/devices/{USB}/block/sdb/holders/dm-0/x"), "");
    computer.node("sys/block/dm-0", "dm-0", "254:0");
    computer.write("sys/block/dm-0/dm/name", "photos\n");
    computer.mounted("254:0 / /media/photos rw - ext4 /dev/mapper/photos rw");
    let disk = computer.get("sdb");
    assert_eq!(disk.mounted, [PathBuf::from("/media/photos")]);
    assert_eq!(disk.held, ["photos"]);
}

#[test]
fn a_card_in_use_write_protected_or_too_small_is_refused() {
    let computer = Computer::new();
    computer.disk(USB, "sdb", "8:16");
    let card = computer.get("sdb");
    let refused = refusal(&card, Some((4 << 20) + 1), Some("sdb"));
    assert!(
        matches!(refused, Some(Refusal::TooSmall { .. })),
        "{refused:?}"
    );
    computer.write(&format!("sys/devices/{USB}/block/sdb/ro"), "1\n");
    let refused = refusal(&computer.get("sdb"), None, Some("sdb"));
    assert!(
        matches!(refused, Some(Refusal::ReadOnly { .. })),
        "{refused:?}"
    );
    computer.write(&format!("sys/devices/{USB}/block/sdb/holders/md0/x"), "");
    computer.node("sys/block/md0", "md0", "9:0");
    let refused = refusal(&computer.get("sdb"), None, Some("sdb"));
    assert!(
        matches!(&refused, Some(Refusal::InUse { by, .. }) if by == "md0"),
        "{refused:?}"
    );
}

#[test]
fn a_partition_is_refused_with_the_name_of_its_disk() {
    let computer = Computer::new();
    computer.disk(USB, "sdb", "8:16");
    let part = format!("sys/devices/{USB}/block/sdb/sdb1");
    computer.node(&part, "sdb1", "8:17");
    computer.write(&format!("{part}/partition"), "1\n");
    let root = computer.0.path();
    symlink(root.join(&part), root.join("sys/class/block/sdb1")).unwrap();
    let error = device(&computer.roots(), &computer.roots().dev.join("sdb1")).unwrap_err();
    assert!(error.to_string().ends_with("dev/sdb"), "{error}");
}

#[test]
fn what_is_no_disk_is_not_found() {
    let computer = Computer::new();
    computer.write("dev/null", "");
    for name in ["null", "sdz"] {
        let path = computer.roots().dev.join(name);
        let error = device(&computer.roots(), &path).unwrap_err();
        assert!(matches!(error, DeviceError::NotFound { .. }), "{error}");
    }
    assert!(list(&Roots::under(std::path::Path::new("/nonexistent"))).is_err());
}
