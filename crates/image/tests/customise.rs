//! Customising: settings into an image, without a mount, without root, without touching it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use appliance_first_boot::{FILE_NAME, Settings};
use appliance_image::source::Image;
use appliance_image::table::Kind;
use appliance_image::{Silent, customise};
use common::{MIB, Recipe, check_fat, compress, holds, on_fat, settings};
use secrecy::ExposeSecret;

const KINDS: [Kind; 2] = [Kind::Mbr, Kind::Gpt];

#[test]
fn settings_go_into_fat12_16_and_32_under_both_tables_packed_or_not() {
    for kind in KINDS {
        for bits in [12, 16, 32] {
            let folder = tempfile::tempdir().unwrap();
            let recipe = Recipe::new(kind, bits);
            let raw = recipe.make(folder.path());
            let packed = compress(&raw);
            let (raw_before, packed_before) = (fs::read(&raw).unwrap(), fs::read(&packed).unwrap());
            let mut copies = Vec::new();
            for path in [&raw, &packed] {
                let image = Image::open(path).unwrap();
                let found = customise::look(&image).unwrap();
                assert_eq!(found.fat, format!("FAT{bits} \"FIRMWARE\""));
                assert!(found.settings.is_none());
                let patches = customise::patches(&image, &settings()).unwrap();
                let copy = folder.path().join(format!("copy-{}", copies.len()));
                customise::write_copy(&image, &patches, &copy, &Silent).unwrap();
                check_fat(&copy, &recipe);
                let written = on_fat(&copy, FILE_NAME).unwrap();
                assert_eq!(written, settings().render().expose_secret().as_bytes());
                let found = customise::look(&Image::open(&copy).unwrap()).unwrap();
                let read = found.settings.unwrap().unwrap();
                assert_eq!(
                    read.render().expose_secret(),
                    settings().render().expose_secret()
                );
                copies.push(fs::read(&copy).unwrap());
            }
            assert!(
                copies[0] == copies[1],
                "packed or not, the same bytes come out"
            );
            // Nothing but the FAT partition changed.
            let fat = common::FAT_START as usize..(common::FAT_START + recipe.fat * MIB) as usize;
            let mut unchanged = copies[0].clone();
            unchanged[fat.clone()].copy_from_slice(&raw_before[fat]);
            assert!(unchanged == raw_before, "something else was changed");
            assert!(
                fs::read(&raw).unwrap() == raw_before,
                "the original was changed"
            );
            assert!(
                fs::read(&packed).unwrap() == packed_before,
                "the original was changed"
            );
        }
    }
}

#[test]
fn customising_again_leaves_nothing_of_the_old_secrets() {
    for bits in [12, 16, 32] {
        let folder = tempfile::tempdir().unwrap();
        let recipe = Recipe::new(Kind::Mbr, bits);
        let image = Image::open(&recipe.make(folder.path())).unwrap();
        // Old settings over several clusters.
        let keys = format!("# {}\n{}", "filler ".repeat(400), common::SETTINGS);
        let first = folder.path().join("first");
        let old = Settings::parse(keys.as_bytes()).unwrap();
        let patches = customise::patches(&image, &old).unwrap();
        customise::write_copy(&image, &patches, &first, &Silent).unwrap();
        assert!(holds(&first, "Schlüssel zum Glück"));

        let image = Image::open(&first).unwrap();
        let new = Settings::parse(b"hostname = \"other\"\n").unwrap();
        let patches = customise::patches(&image, &new).unwrap();
        let second = folder.path().join("second");
        customise::write_copy(&image, &patches, &second, &Silent).unwrap();
        check_fat(&second, &recipe);
        assert!(!holds(&second, "Schlüssel zum Glück"), "FAT{bits}");
        assert!(holds(&second, "hostname = \"other\""));
    }
}

#[test]
fn the_holes_of_a_raw_image_take_no_space_in_its_copy() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let path = Recipe::new(Kind::Mbr, 12).make(folder.path());
    // Data, a hole, data again, and a hole up to the end.
    let data = fs::metadata(&path).unwrap().len();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&common::noise(7, 5000), data + 64 * MIB + 123)
        .unwrap();
    file.set_len(data + 200 * MIB + 17).unwrap();
    let image = Image::open(&path).unwrap();
    let patches = customise::patches(&image, &settings()).unwrap();
    let copy = folder.path().join("copy");
    customise::write_copy(&image, &patches, &copy, &Silent).unwrap();

    let mut wanted = fs::read(&path).unwrap();
    patches.apply(0, &mut wanted);
    assert!(fs::read(&copy).unwrap() == wanted);
    let taken = fs::metadata(&copy).unwrap().blocks() * 512;
    assert!(taken < data + 8 * MIB, "{taken} bytes are taken");
}

#[test]
fn a_raw_image_is_cloned_where_the_file_system_can() {
    let folder = tempfile::tempdir().unwrap();
    let Some(btrfs) = Btrfs::mount(folder.path()) else {
        return;
    };
    let path = Recipe::new(Kind::Mbr, 12).make(&btrfs.at);
    let file = fs::File::options().append(true).open(&path).unwrap();
    file.write_all_at(
        &common::noise(7, 64 * MIB as usize),
        fs::metadata(&path).unwrap().len(),
    )
    .unwrap();
    file.sync_all().unwrap();
    let image = Image::open(&path).unwrap();
    let patches = customise::patches(&image, &settings()).unwrap();
    let before = btrfs.used();
    let copy = btrfs.at.join("copy");
    customise::write_copy(&image, &patches, &copy, &Silent).unwrap();

    let mut wanted = fs::read(&path).unwrap();
    patches.apply(0, &mut wanted);
    assert!(fs::read(&copy).unwrap() == wanted);
    let taken = btrfs.used().saturating_sub(before);
    assert!(taken < 32 * MIB, "{taken} bytes were taken");
}

/// A file system that can clone files, in a file.
struct Btrfs {
    at: PathBuf,
}

impl Btrfs {
    /// `None` where this user or kernel cannot mount one, and says why.
    fn mount(folder: &Path) -> Option<Self> {
        let (disk, at) = (folder.join("disk"), folder.join("mounted"));
        let file = fs::File::create(&disk).unwrap();
        file.set_len(512 * MIB).unwrap();
        fs::create_dir(&at).unwrap();
        for (program, arguments) in [
            ("mkfs.btrfs", vec!["--quiet".as_ref(), disk.as_os_str()]),
            (
                "mount",
                vec!["-o".as_ref(), "loop".as_ref(), disk.as_ref(), at.as_ref()],
            ),
        ] {
            let done = Command::new(program).args(arguments).output();
            if !done.as_ref().is_ok_and(|done| done.status.success()) {
                println!("SKIPPED: cloning takes a Btrfs that root can mount: {program}: {done:?}");
                return None;
            }
        }
        Some(Self { at })
    }

    /// How many bytes are taken, once all is written.
    fn used(&self) -> u64 {
        Command::new("sync")
            .arg("--file-system")
            .arg(&self.at)
            .status()
            .unwrap();
        let stat = nix::sys::statvfs::statvfs(&self.at).unwrap();
        (stat.blocks() - stat.blocks_free()) * stat.fragment_size()
    }
}

impl Drop for Btrfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.at).status();
    }
}

#[test]
fn an_existing_file_is_never_overwritten_by_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = Recipe::new(Kind::Mbr, 12).make(folder.path());
    let image = Image::open(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let patches = customise::patches(&image, &settings()).unwrap();
    customise::write_copy(&image, &patches, &path, &Silent).unwrap_err();
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_full_partition_and_one_without_fat_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe::new(Kind::Mbr, 12);
    let path = recipe.make(folder.path());
    let place = format!("{}@@{}", path.display(), common::FAT_START);
    let filler = folder.path().join("filler");
    let mut size = 2 * MIB;
    // Fill it to the last cluster.
    for name in 0.. {
        fs::write(&filler, vec![1; size as usize]).unwrap();
        let copied = std::process::Command::new("mcopy")
            .args(["-i", &place, filler.to_str().unwrap(), &format!("::{name}")])
            .output()
            .unwrap();
        if !copied.status.success() {
            if size == 512 {
                break;
            }
            size /= 2;
        }
    }
    let full = customise::patches(&Image::open(&path).unwrap(), &settings()).unwrap_err();
    assert!(
        matches!(full, customise::CustomiseError::Fat { .. }),
        "{full}"
    );

    let mut bytes = fs::read(&path).unwrap();
    bytes[common::FAT_START as usize..][..512].fill(0);
    fs::write(&path, bytes).unwrap();
    let none = customise::patches(&Image::open(&path).unwrap(), &settings()).unwrap_err();
    let none = std::error::Error::source(&none).unwrap().to_string();
    assert!(none.contains("no partition holds a FAT"), "{none}");
}

#[test]
fn what_is_no_disk_image_is_named_for_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.img");
    for (bytes, word) in [
        (&b"\x1f\x8b\x08 and more"[..], "gzip"),
        (b"\xfd7zXZ\0 and more", "xz"),
        (b"PK\x03\x04 and more", "zip"),
        (b"too short", "room"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = Image::open(&path).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    fs::write(&path, vec![0; 4096]).unwrap();
    let error = customise::look(&Image::open(&path).unwrap()).unwrap_err();
    assert!(error.to_string().contains("no partition table"), "{error}");
}

#[test]
fn a_damaged_fat_never_stops_the_program() {
    let folder = tempfile::tempdir().unwrap();
    for bits in [12, 16, 32] {
        let path = Recipe::new(Kind::Mbr, bits).make(folder.path());
        let good = fs::read(&path).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let start = common::FAT_START as usize;
        for round in 0..300_u64 {
            let noise = common::noise(round + 1, 24);
            // Boot sector, FS information, FATs and root folder: where the structure is.
            let damage = noise.chunks(3).take(1 + (round as usize % 8)).map(|part| {
                let reach = if round % 2 == 0 { 90 } else { 600 * 1024 };
                let place = usize::from(part[0]) * 256 + usize::from(part[1]);
                (start + place % reach, part[2])
            });
            for (place, byte) in damage.clone() {
                file.write_all_at(&[byte], place as u64).unwrap();
            }
            let image = Image::open(&path).unwrap();
            let _ = customise::look(&image);
            let _ = customise::patches(&image, &settings());
            // Neither writes to the image, so this makes it whole again.
            for (place, _) in damage {
                file.write_all_at(&good[place..=place], place as u64)
                    .unwrap();
            }
        }
    }
}
