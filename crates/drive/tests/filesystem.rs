//! Real ext4 on sparse files, with the real tools.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use appliance_drive::LABEL;
use appliance_drive::filesystem::{
    CheckReason, FilesystemError, Outcome, Repair, check, make, needs_check, superblock,
};
use appliance_drive::inspect::{Consented, Content, probe};
use tempfile::TempDir;

struct Image {
    _folder: TempDir,
    path: PathBuf,
}

impl Image {
    fn blank() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("drive.img");
        fs::File::create(&path).unwrap().set_len(256 << 20).unwrap();
        Self {
            _folder: folder,
            path,
        }
    }

    fn made() -> Self {
        let image = Self::blank();
        make(&image.consented()).unwrap();
        image
    }

    fn consented(&self) -> Consented {
        Consented::to_image(&self.path).unwrap()
    }

    fn write_at(&self, start: u64, bytes: &[u8]) {
        OpenOptions::new()
            .write(true)
            .open(&self.path)
            .unwrap()
            .write_all_at(bytes, start)
            .unwrap();
    }

    /// As the kernel does when it meets an error.
    fn note_errors(&self) {
        let done = Command::new("/sbin/tune2fs")
            .args(["-E", "force_fsck"])
            .arg(&self.path)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    fn byte(&self, at: u64) -> u8 {
        let mut byte = [0];
        fs::File::open(&self.path)
            .unwrap()
            .read_exact_at(&mut byte, at)
            .unwrap();
        byte[0]
    }
}

#[test]
fn a_new_file_system_is_labelled_clean_and_asks_for_no_check() {
    let image = Image::blank();
    let uuid = make(&image.consented()).unwrap();
    let superblock = superblock(&image.path).unwrap();
    assert_eq!(superblock.uuid, uuid);
    assert_eq!(superblock.label, LABEL);
    assert_eq!(needs_check(&superblock, SystemTime::now()), None);
    assert_eq!(superblock.mounts_limit, None);
    assert_eq!(superblock.interval, None);
    assert_eq!(
        probe(&image.path),
        Content::FileSystem {
            kind: "ext4".into(),
            uuid: Some(uuid.to_string()),
            label: Some(LABEL.into()),
        }
    );
}

#[test]
fn a_new_file_system_holds_no_more_than_older_boxes_know() {
    let image = Image::made();
    // Compatible features: has_journal, ext_attr, resize_inode, dir_index; no orphan_file.
    assert_eq!(image.byte(1024 + 0x5c), 0x3c);
    assert_eq!(image.byte(1024 + 0x5d), 0);
    // Incompatible ones: filetype, extent, 64bit, flex_bg; no metadata_csum_seed.
    assert_eq!(image.byte(1024 + 0x60), 0xc2);
    assert_eq!(image.byte(1024 + 0x61), 0x02);
    // Blocks of 4096 bytes, errors make it read-only.
    assert_eq!(image.byte(1024 + 0x18), 2);
    assert_eq!(image.byte(1024 + 0x3c), 2);
}

#[test]
fn nothing_is_left_to_be_laid_out_later() {
    let image = Image::made();
    // The first group descriptor's flags: inode table zeroed.
    let flags = image.byte(4096 + 0x12);
    assert_eq!(flags & 0x4, 0x4, "flags {flags:#x}");
}

#[test]
fn a_damaged_superblock_is_mended_once_a_person_agrees() {
    let image = Image::made();
    // A bad write: the checksum is wrong.
    image.write_at(1024 + 0x3a, &[2, 0]);
    let error = check(&image.path, Repair::Preen).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    let checked = check(&image.path, Repair::Everything).unwrap();
    assert_eq!(checked.outcome, Outcome::Fixed, "{}", checked.output);
}

#[test]
fn a_clean_file_system_is_found_clean() {
    let image = Image::made();
    let checked = check(&image.path, Repair::Preen).unwrap();
    assert_eq!(checked.outcome, Outcome::Clean, "{}", checked.output);
}

#[test]
fn a_file_system_with_errors_noted_is_checked_in_full_and_then_asks_no_more() {
    let image = Image::made();
    image.note_errors();
    let before = superblock(&image.path).unwrap();
    assert_eq!(
        needs_check(&before, SystemTime::now()),
        Some(CheckReason::Errors)
    );
    let checked = check(&image.path, Repair::Preen).unwrap();
    assert_eq!(checked.outcome, Outcome::Clean);
    assert!(
        checked.output.contains("check forced"),
        "{}",
        checked.output
    );
    let after = superblock(&image.path).unwrap();
    assert_eq!(needs_check(&after, SystemTime::now()), None);
}

#[test]
fn damage_that_needs_a_decision_is_left_to_the_person() {
    let image = Image::made();
    // The second inode is the root folder's.
    let table = inode_table(&image);
    image.write_at(table * 4096 + 256, &[0xa5; 128]);
    image.note_errors();
    let checked = check(&image.path, Repair::Preen).unwrap();
    assert_eq!(checked.outcome, Outcome::Unfixed, "{}", checked.output);
    assert!(!checked.output.is_empty());
    let checked = check(&image.path, Repair::Everything).unwrap();
    assert_eq!(checked.outcome, Outcome::Fixed, "{}", checked.output);
}

/// First block of the first group's inode table, from its descriptor.
fn inode_table(image: &Image) -> u64 {
    let bytes: Vec<u8> = (0..4).map(|i| image.byte(4096 + 8 + i)).collect();
    u64::from(u32::from_le_bytes(bytes.try_into().unwrap()))
}

#[test]
fn what_is_no_file_system_is_said_so() {
    let image = Image::blank();
    let error = superblock(&image.path).unwrap_err();
    assert!(matches!(error, FilesystemError::NotExt4 { .. }), "{error}");
    let error = check(&image.path, Repair::Preen).unwrap_err();
    assert!(
        matches!(error, FilesystemError::Failed { tool: "e2fsck", .. }),
        "{error}"
    );
}

#[test]
fn a_missing_device_is_an_error_with_its_name() {
    let image = Image::blank();
    let consented = image.consented();
    fs::remove_file(&image.path).unwrap();
    let error = make(&consented).unwrap_err();
    let name = image.path.display().to_string();
    assert!(error.to_string().contains(&name), "{error}");
}
