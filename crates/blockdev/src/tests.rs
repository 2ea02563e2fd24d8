//! The listing over a made-up machine, and makers of devices for other tests.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::*;

/// A free USB disk of 64 GB.
pub(crate) fn disk(name: &str) -> Device<()> {
    Device {
        name: name.to_owned(),
        path: Path::new("/dev").join(name),
        number: (8, 0),
        kind: Kind::Disk,
        size: 64_000_000_000,
        model: Some("Maker Stick".into()),
        serial: Some("0001".into()),
        diskseq: Some(1),
        transport: Transport::Usb,
        removable: true,
        read_only: false,
        links: Vec::new(),
        partitions: Vec::new(),
        content: (),
        uses: Vec::new(),
    }
}

/// A free partition.
pub(crate) fn partition(of: &str, number: u32) -> Device<()> {
    Device {
        kind: Kind::Partition {
            disk: of.to_owned(),
            number,
        },
        ..disk(&format!("{of}{number}"))
    }
}

/// A made-up machine.
pub(crate) struct Machine(TempDir);

impl Machine {
    pub(crate) fn new() -> Self {
        let machine = Self(TempDir::new().unwrap());
        for folder in ["sys/block", "sys/class/block", "sys/dev/block"] {
            fs::create_dir_all(machine.0.path().join(folder)).unwrap();
        }
        machine.write("proc/self/mountinfo", "");
        machine
    }

    pub(crate) fn system(&self) -> System {
        System::under(&fs::canonicalize(self.0.path()).unwrap())
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A disk at `way` under sys/devices.
    pub(crate) fn disk(&self, way: &str, name: &str, number: &str) {
        let folder = format!("sys/devices/{way}/block/{name}");
        self.facts(&folder, name, number);
        let root = self.0.path();
        symlink("../..", root.join(&folder).join("device")).unwrap();
        symlink(root.join(&folder), root.join("sys/block").join(name)).unwrap();
    }

    pub(crate) fn partition(&self, way: &str, disk: &str, name: &str, number: &str, nth: u32) {
        let folder = format!("sys/devices/{way}/block/{disk}/{name}");
        self.facts(&folder, name, number);
        self.write(&format!("{folder}/partition"), &format!("{nth}\n"));
    }

    fn facts(&self, folder: &str, name: &str, number: &str) {
        self.write(&format!("{folder}/dev"), &format!("{number}\n"));
        self.write(&format!("{folder}/size"), "2048\n");
        self.write(&format!("{folder}/ro"), "0\n");
        self.write(&format!("{folder}/removable"), "0\n");
        self.write(&format!("dev/{name}"), "");
        let root = self.0.path();
        for link in [format!("class/block/{name}"), format!("dev/block/{number}")] {
            symlink(root.join(folder), root.join("sys").join(link)).unwrap();
        }
    }

    /// A mapping named `mapper` on top of the device whose sysfs folder is `below`.
    pub(crate) fn mapping(&self, below: &str, name: &str, mapper: &str, number: &str) {
        self.facts(&format!("sys/block/{name}"), name, number);
        self.write(&format!("sys/block/{name}/dm/name"), mapper);
        self.write(&format!("sys/{below}/holders/{name}/x"), "");
        let slaves = self.0.path().join(format!("sys/block/{name}/slaves"));
        fs::create_dir(&slaves).unwrap();
        symlink(self.0.path().join("sys").join(below), slaves.join("below")).unwrap();
    }
}

const USB: &str = "pci0/usb1/1-1/1-1:1.0/host0/target0:0:0/0:0:0:0";

fn all(system: &System) -> Vec<Device<()>> {
    list(system, &|_, _| ()).unwrap()
}

fn one(system: &System, name: &str) -> Result<Device<()>, InspectError> {
    device(system, &system.dev.join(name), &|_, _| ())
}

#[test]
fn a_usb_disk_is_listed_with_its_facts() {
    let machine = Machine::new();
    machine.disk(USB, "sda", "8:0");
    machine.write(&format!("sys/devices/{USB}/model"), "Portable SSD   \n");
    machine.write(&format!("sys/devices/{USB}/vendor"), "Maker   \n");
    machine.write(&format!("sys/devices/{USB}/block/sda/diskseq"), "17\n");
    machine.write("sys/devices/pci0/usb1/1-1/idVendor", "1234\n");
    machine.write("sys/devices/pci0/usb1/1-1/serial", "S-42\n");
    machine.write("dev/disk/by-id/.keep", "");
    symlink(
        "../../sda",
        machine.0.path().join("dev/disk/by-id/usb-Maker_S-42"),
    )
    .unwrap();

    let system = machine.system();
    let looked = |path: &Path, _: &Kind| path.to_owned();
    let devices = list(&system, &looked).unwrap();
    assert_eq!(devices.len(), 1);
    let sda = &devices[0];
    assert_eq!(sda.path, system.dev.join("sda"));
    assert_eq!(sda.content, sda.path);
    assert_eq!(sda.size, 1 << 20);
    assert_eq!(sda.model.as_deref(), Some("Maker Portable SSD"));
    assert_eq!(sda.serial.as_deref(), Some("S-42"));
    assert_eq!(sda.diskseq, Some(17));
    assert_eq!((sda.transport, sda.removable), (Transport::Usb, true));
    assert_eq!(sda.links, [system.dev.join("disk/by-id/usb-Maker_S-42")]);
    for path in [&sda.path, &sda.links[0]] {
        assert_eq!(&device(&system, path, &looked).unwrap(), sda);
    }
}

#[test]
fn an_sd_card_can_be_taken_out_and_what_is_soldered_in_cannot() {
    let machine = Machine::new();
    machine.disk("mmc0", "mmcblk0", "179:0");
    machine.disk("mmc1", "mmcblk1", "179:8");
    machine.write("sys/devices/mmc0/type", "SD\n");
    machine.write("sys/devices/mmc1/type", "MMC\n");
    let kinds: Vec<_> = all(&machine.system())
        .iter()
        .map(|device| (device.transport, device.removable))
        .collect();
    assert_eq!(kinds, [(Transport::Sd, true), (Transport::Emmc, false)]);
}

#[test]
fn the_serial_number_of_a_sata_disk_is_in_its_scsi_page() {
    let machine = Machine::new();
    machine.disk("pci0/ata1/host0", "sda", "8:0");
    machine.write("sys/devices/pci0/ata1/host0/vendor", "ATA\n");
    machine.write("sys/devices/pci0/ata1/host0/model", "Disk 1\n");
    machine.write(
        "sys/devices/pci0/ata1/host0/vpd_pg80",
        "\0\u{1}\0\u{8}  WX-1234",
    );
    let disk = one(&machine.system(), "sda").unwrap();
    assert_eq!(disk.serial.as_deref(), Some("WX-1234"));
    assert_eq!(disk.model.as_deref(), Some("Disk 1"));
    assert_eq!((disk.transport, disk.removable), (Transport::Sata, false));
}

#[test]
fn partitions_come_in_the_order_of_their_numbers_with_their_uses() {
    let machine = Machine::new();
    machine.disk("mmc0", "mmcblk0", "179:0");
    for (nth, number) in [(10, "179:10"), (2, "179:2")] {
        machine.partition("mmc0", "mmcblk0", &format!("mmcblk0p{nth}"), number, nth);
    }
    machine.write(
        "proc/self/mountinfo",
        "20 1 179:2 / / rw - ext4 /dev/root rw\n",
    );
    let system = machine.system();
    let devices = all(&system);
    let names: Vec<_> = flat(&devices).map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["mmcblk0", "mmcblk0p2", "mmcblk0p10"]);
    let part = &devices[0].partitions[0];
    assert_eq!(part.uses, [Use::Mounted { at: "/".into() }]);
    assert!(devices[0].holds_the_system() && devices[0].uses.is_empty());
    assert_eq!(&one(&system, "mmcblk0p2").unwrap(), part);
    assert_eq!(
        part.kind,
        Kind::Partition {
            disk: "mmcblk0".into(),
            number: 2
        }
    );
}

#[test]
fn a_mount_through_a_mapping_is_a_use_of_the_disk_beneath() {
    let machine = Machine::new();
    machine.disk(USB, "sda", "8:0");
    machine.mapping(
        &format!("devices/{USB}/block/sda"),
        "dm-0",
        "immich_drive",
        "254:0",
    );
    machine.write(
        "proc/self/mountinfo",
        "20 1 254:0 / /mnt/immich_drive rw - ext4 /dev/mapper/immich_drive rw\n",
    );
    let system = machine.system();
    let devices = all(&system);
    assert_eq!(devices.len(), 1, "a mapping is no disk of its own");
    assert_eq!(
        devices[0].uses,
        [
            Use::Held {
                by: "dm-0".into(),
                mapper: Some("immich_drive".into())
            },
            Use::Mounted {
                at: "/mnt/immich_drive".into()
            }
        ]
    );
    assert_eq!(
        one(&system, "dm-0").unwrap().kind,
        Kind::Mapping {
            mapper: "immich_drive".into()
        }
    );
}

#[test]
fn a_mount_whose_number_is_its_own_is_known_by_its_source() {
    let machine = Machine::new();
    machine.disk(USB, "sda", "8:0");
    let node = machine.system().dev.join("sda");
    machine.write(
        "proc/self/mountinfo",
        &format!("20 1 0:42 / /home rw - btrfs {} rw\n", node.display()),
    );
    assert!(all(&machine.system())[0].holds_the_system());
}

#[test]
fn swap_on_a_disk_is_a_use() {
    let machine = Machine::new();
    machine.disk("virtio0", "vda", "253:0");
    let node = machine.system().dev.join("vda");
    machine.write(
        "proc/swaps",
        &format!("Filename Type Size\n{} partition 9 0 -2\n", node.display()),
    );
    assert_eq!(all(&machine.system())[0].uses, [Use::Swap]);
}

#[test]
fn empty_readers_and_software_devices_are_not_listed() {
    let machine = Machine::new();
    machine.disk(USB, "sda", "8:0");
    machine.write(&format!("sys/devices/{USB}/block/sda/size"), "0\n");
    for (minor, name) in ["loop0", "zram0", "sr0", "mmcblk0boot0", "md0"]
        .into_iter()
        .enumerate()
    {
        machine.facts(&format!("sys/block/{name}"), name, &format!("7:{minor}"));
    }
    assert_eq!(all(&machine.system()), []);
}

#[test]
fn what_is_not_attached_is_not_found() {
    let machine = Machine::new();
    machine.write("dev/null", "");
    let system = machine.system();
    let error = one(&system, "sdz").unwrap_err();
    assert!(matches!(error, InspectError::NotFound { .. }), "{error}");
    let error = one(&system, "null").unwrap_err();
    assert!(
        matches!(error, InspectError::NotABlockDevice { .. }),
        "{error}"
    );
}

#[test]
fn a_missing_sysfs_is_an_error_not_an_empty_machine() {
    let empty = TempDir::new().unwrap();
    let system = System::under(empty.path());
    assert!(list(&system, &|_, _| ()).is_err());
}
