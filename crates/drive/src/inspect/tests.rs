//! The listing over a made-up tree, and makers of devices for other tests.

use super::*;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

/// A free, blank USB disk of 64 GB.
pub(crate) fn disk(name: &str) -> BlockDevice {
    BlockDevice {
        name: name.to_owned(),
        path: Path::new("/dev").join(name),
        number: (8, 0),
        kind: Kind::Disk,
        size: 64_000_000_000,
        model: Some("Maker Stick".into()),
        serial: Some("0001".into()),
        transport: Transport::Usb,
        removable: false,
        read_only: false,
        links: Vec::new(),
        partitions: Vec::new(),
        content: Content::Empty,
        uses: Vec::new(),
    }
}

/// A free, blank partition.
pub(crate) fn partition(of: &str, number: u32) -> BlockDevice {
    BlockDevice {
        kind: Kind::Partition {
            disk: of.to_owned(),
            number,
        },
        ..disk(&format!("{of}{number}"))
    }
}

/// A made-up machine.
struct Machine {
    root: TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self {
            root: TempDir::new().unwrap(),
        };
        machine.write("proc/self/mountinfo", "");
        machine.write("sys/block/.keep", "");
        fs::remove_file(machine.root.path().join("sys/block/.keep")).unwrap();
        machine
    }

    fn system(&self) -> System {
        System::under(&fs::canonicalize(self.root.path()).unwrap())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A disk at `way` under sys/devices, with an empty node of 1 MiB.
    fn disk(&self, way: &str, name: &str, number: &str) {
        let folder = format!("sys/devices/{way}/block/{name}");
        self.facts(&folder, name, number);
        symlink("../..", self.root.path().join(&folder).join("device")).unwrap();
        symlink(
            format!("../devices/{way}/block/{name}"),
            self.root.path().join("sys/block").join(name),
        )
        .unwrap();
    }

    fn facts(&self, folder: &str, name: &str, number: &str) {
        self.write(&format!("{folder}/dev"), &format!("{number}\n"));
        self.write(&format!("{folder}/size"), "2048\n");
        self.write(&format!("{folder}/ro"), "0\n");
        self.write(&format!("dev/{name}"), "");
        let node = fs::File::options()
            .write(true)
            .open(self.root.path().join("dev").join(name))
            .unwrap();
        node.set_len(1 << 20).unwrap();
    }

    /// A mapping named `mapper` on top of the device whose sysfs folder is `below`.
    fn mapping(&self, below: &str, name: &str, mapper: &str, number: &str) {
        self.facts(&format!("sys/block/{name}"), name, number);
        self.write(&format!("sys/block/{name}/dm/name"), mapper);
        self.write(&format!("sys/{below}/holders/{name}/x"), "");
    }
}

const USB: &str = "pci0/usb1/1-1/1-1:1.0/host0/target0:0:0/0:0:0:0";

#[test]
fn a_usb_disk_is_listed_with_its_facts() {
    let machine = Machine::new();
    machine.disk(USB, "sda", "8:0");
    machine.write(&format!("sys/devices/{USB}/model"), "Portable SSD   \n");
    machine.write(&format!("sys/devices/{USB}/vendor"), "Maker   \n");
    machine.write("sys/devices/pci0/usb1/1-1/idVendor", "1234\n");
    machine.write("sys/devices/pci0/usb1/1-1/serial", "S-42\n");
    machine.write("dev/disk/by-id/.keep", "");
    symlink(
        "../../sda",
        machine.root.path().join("dev/disk/by-id/usb-Maker_S-42"),
    )
    .unwrap();

    let system = machine.system();
    let devices = list(&system).unwrap();
    assert_eq!(devices.len(), 1);
    let sda = &devices[0];
    assert_eq!(sda.path, system.dev.join("sda"));
    assert_eq!(sda.size, 1 << 20);
    assert_eq!(sda.model.as_deref(), Some("Maker Portable SSD"));
    assert_eq!(sda.serial.as_deref(), Some("S-42"));
    assert_eq!(sda.transport, Transport::Usb);
    assert_eq!(sda.content, Content::Empty);
    assert_eq!(sda.links, [system.dev.join("disk/by-id/usb-Maker_S-42")]);

    assert_eq!(&device(&system, "usb-Maker_S-42").unwrap(), sda);
    assert_eq!(
        &device(&system, sda.links[0].to_str().unwrap()).unwrap(),
        sda
    );
}

#[test]
fn partitions_come_in_the_order_of_their_numbers_with_their_uses() {
    let machine = Machine::new();
    machine.disk("mmc0", "mmcblk0", "179:0");
    for number in [10, 2] {
        let folder = format!("sys/devices/mmc0/block/mmcblk0/mmcblk0p{number}");
        machine.facts(
            &folder,
            &format!("mmcblk0p{number}"),
            &format!("179:{number}"),
        );
        machine.write(&format!("{folder}/partition"), &format!("{number}\n"));
    }
    machine.write(
        "proc/self/mountinfo",
        "20 1 179:2 / / rw - ext4 /dev/root rw\n",
    );
    let devices = list(&machine.system()).unwrap();
    let names: Vec<_> = flat(&devices).map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["mmcblk0", "mmcblk0p2", "mmcblk0p10"]);
    assert_eq!(devices[0].transport, Transport::Mmc);
    assert_eq!(
        devices[0].partitions[0].uses,
        [Use::Mounted { at: "/".into() }]
    );
    assert!(matches!(
        refusal(&devices[0]),
        Some(Refusal::RunningSystem { .. })
    ));
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
    let devices = list(&system).unwrap();
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
    let node = system.dev.join("dm-0");
    let mapping = device(&system, node.to_str().unwrap()).unwrap();
    assert_eq!(
        mapping.kind,
        Kind::Mapping {
            mapper: "immich_drive".into()
        }
    );
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
    assert_eq!(list(&machine.system()).unwrap()[0].uses, [Use::Swap]);
}

#[test]
fn empty_readers_and_software_devices_are_not_listed() {
    let machine = Machine::new();
    machine.disk(USB, "sda", "8:0");
    machine.write(&format!("sys/devices/{USB}/block/sda/size"), "0\n");
    for name in ["loop0", "zram0", "sr0", "mmcblk0boot0", "md0"] {
        machine.facts(&format!("sys/block/{name}"), name, "7:0");
    }
    assert_eq!(list(&machine.system()).unwrap(), []);
}

#[test]
fn what_is_not_attached_is_not_found() {
    let machine = Machine::new();
    let system = machine.system();
    for id in ["UUID=5f0f7f9c-0000-4000-8000-000000000001", "usb-Nothing"] {
        let error = device(&system, id).unwrap_err();
        assert!(matches!(error, InspectError::NotFound { .. }), "{error}");
    }
    machine.write("dev/null", "");
    let null = system.dev.join("null");
    let error = device(&system, null.to_str().unwrap()).unwrap_err();
    assert!(
        matches!(error, InspectError::NotABlockDevice { .. }),
        "{error}"
    );
}

#[test]
fn a_missing_sysfs_is_an_error_not_an_empty_machine() {
    let empty = TempDir::new().unwrap();
    assert!(list(&System::under(empty.path())).is_err());
}
