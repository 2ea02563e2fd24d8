#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

const LUKS: &[u8] = b"LUKS\xba\xbe";

/// A computer with a card `sdb` in a USB reader, and a partition on it.
struct Computer(TempDir);

impl Computer {
    fn new(start: &[u8]) -> Self {
        let computer = Self(TempDir::new().unwrap());
        let card = "sys/devices/usb1/host0/block/sdb";
        computer.write("proc/self/mountinfo", b"");
        for (folder, name, number) in [
            (card.to_owned(), "sdb", "8:16"),
            (format!("{card}/sdb1"), "sdb1", "8:17"),
        ] {
            computer.write(&format!("{folder}/dev"), number.as_bytes());
            computer.write(&format!("{folder}/size"), b"8192\n");
            computer.link(&folder, &format!("sys/class/block/{name}"));
            computer.write(&format!("dev/{name}"), &[0; 4096]);
        }
        computer.write(&format!("{card}/sdb1/partition"), b"1\n");
        computer.link("sys/devices/usb1/host0", &format!("{card}/device"));
        computer.link(card, "sys/block/sdb");
        computer.write("dev/sdb", start);
        computer
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn link(&self, target: &str, path: &str) {
        let (target, path) = (self.0.path().join(target), self.0.path().join(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    fn system(&self) -> System {
        System::under(&fs::canonicalize(self.0.path()).unwrap())
    }

    fn get(&self, name: &str) -> Result<Device, DeviceError> {
        device(&self.system(), &self.system().dev.join(name))
    }
}

#[test]
fn a_card_in_a_usb_reader_may_be_overwritten() {
    let computer = Computer::new(&[0; 4096]);
    let card = computer.get("sdb").unwrap();
    assert_eq!(card.content, "nothing at its start");
    assert_eq!(refusal(&card, Some(4 << 20), None), None);
    assert!(matches!(
        refusal(&card, Some((4 << 20) + 1), Some("sdb")),
        Some(Refusal::TooSmall { .. })
    ));
    assert_eq!(list(&computer.system()).unwrap(), [card]);
}

#[test]
fn a_partition_is_refused_with_the_name_of_its_disk() {
    let error = Computer::new(&[]).get("sdb1").unwrap_err();
    assert!(error.to_string().ends_with("dev/sdb"), "{error}");
}

#[test]
fn what_is_on_a_card_is_said_in_words() {
    let place = |at: usize, bytes: &[u8]| {
        let mut start = vec![0; 1 << 17];
        start[at..at + bytes.len()].copy_from_slice(bytes);
        start
    };
    for (start, words) in [
        (place(0, LUKS), "an encrypted drive (LUKS)"),
        // Its first header was overwritten, its second was not.
        (place(16384, b"SKUL\xba\xbe"), "an encrypted drive (LUKS)"),
        (place(65600, b"_BHRfS_M"), "a file system (btrfs)"),
        (place(512, b"LABELONE"), "a physical volume of LVM"),
        (place(1080, &[0x53, 0xef]), "a file system (ext)"),
        (place(100_000, b"x"), "something unknown"),
    ] {
        assert_eq!(Computer::new(&start).get("sdb").unwrap().content, words);
    }
}
