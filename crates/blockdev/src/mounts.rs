//! The kernel's mount table and its list of swap areas.
//!
//! Own parser: the procfs crate leaves octal escapes in and gives up on the whole table over one
//! line it does not understand.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use serde::Serialize;

use crate::{InspectError, System};

/// One line of the mount table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mounted {
    /// Mount point.
    pub at: PathBuf,
    /// What is mounted, such as `/dev/mapper/immich_drive`.
    pub source: PathBuf,
    /// Major and minor number of the file system's device.
    pub number: (u32, u32),
    /// Kind of the file system.
    pub kind: String,
    /// Mounted, or fallen back, to read-only.
    pub read_only: bool,
}

/// Every mount, in the kernel's order: a later one at the same place hides an earlier one.
///
/// # Errors
/// When the mount table cannot be read.
pub fn mounts(system: &System) -> Result<Vec<Mounted>, InspectError> {
    let path = system.proc.join("self/mountinfo");
    let text = fs::read(&path).map_err(|source| InspectError::Read { path, source })?;
    Ok(text.split(|&byte| byte == b'\n').filter_map(line).collect())
}

/// The paths of all active swap areas, as the kernel tells them.
pub(crate) fn swaps(system: &System) -> Result<Vec<PathBuf>, InspectError> {
    let path = system.proc.join("swaps");
    match fs::read(&path) {
        // The first column, below its heading.
        Ok(text) => Ok(text
            .split(|&byte| byte == b'\n')
            .skip(1)
            .filter_map(|line| line.split(u8::is_ascii_whitespace).next())
            .filter(|field| !field.is_empty())
            .map(self::path)
            .collect()),
        // A kernel without swap has no such file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(InspectError::Read { path, source }),
    }
}

/// `36 35 98:0 /root /mnt rw,noatime shared:1 - ext4 /dev/sda rw,errors=continue`
fn line(line: &[u8]) -> Option<Mounted> {
    let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let dash = 6 + fields.get(6..)?.iter().position(|field| *field == b"-")?;
    let (major, minor) = std::str::from_utf8(fields.get(2)?).ok()?.split_once(':')?;
    // A file system that fell back to read-only after errors says so in its own options only.
    let read_only = has(fields.get(5)?, b"ro") || has(fields.get(dash + 3)?, b"ro");
    Some(Mounted {
        at: path(fields.get(4)?),
        source: path(fields.get(dash + 2)?),
        number: (major.parse().ok()?, minor.parse().ok()?),
        kind: String::from_utf8_lossy(fields.get(dash + 1)?).into_owned(),
        read_only,
    })
}

fn has(options: &[u8], option: &[u8]) -> bool {
    options.split(|&byte| byte == b',').any(|o| o == option)
}

/// Undoes the kernel's octal escapes of blank, tab, newline and backslash.
fn path(field: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'\\').then(|| octal(after.get(..3)?)).flatten();
        match escaped {
            Some(byte) => {
                plain.push(byte);
                rest = &after[3..];
            }
            None => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(plain))
}

fn octal(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes()
        .all(|digit| digit.is_ascii_digit())
        .then(|| u8::from_str_radix(text, 8).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_of_the_mount_table_is_understood() {
        let mounted = line(
            b"36 35 254:0 / /mnt/immich_drive rw,nosuid,nodev,noatime shared:1 - ext4 \
              /dev/mapper/immich_drive rw,errors=remount-ro",
        );
        assert_eq!(
            mounted,
            Some(Mounted {
                at: "/mnt/immich_drive".into(),
                source: "/dev/mapper/immich_drive".into(),
                number: (254, 0),
                kind: "ext4".into(),
                read_only: false,
            })
        );
    }

    #[test]
    fn a_file_system_that_fell_back_to_read_only_is_seen() {
        let mounted = line(b"36 35 8:1 / /mnt rw,noatime - ext4 /dev/sda1 ro,errors=remount-ro");
        assert!(mounted.is_some_and(|mounted| mounted.read_only));
    }

    #[test]
    fn escaped_blanks_are_undone() {
        let mounted = line(b"1 2 0:5 / /mnt/my\\040disk rw shared:1 master:2 - tmpfs none rw");
        assert_eq!(
            mounted.map(|mounted| mounted.at),
            Some("/mnt/my disk".into())
        );
    }

    #[test]
    fn swap_areas_are_read() {
        let root = tempfile::tempdir().unwrap();
        let system = System::under(root.path());
        assert_eq!(swaps(&system).unwrap(), Vec::<PathBuf>::new());
        fs::create_dir(&system.proc).unwrap();
        let text = b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
            /dev/sda2                               partition\t999420\t\t0\t\t-2\n\
            /swap\\040file                           file\t\t8\t\t0\t\t-3\n";
        fs::write(system.proc.join("swaps"), text).unwrap();
        assert_eq!(
            swaps(&system).unwrap(),
            [PathBuf::from("/dev/sda2"), PathBuf::from("/swap file")]
        );
    }

    proptest! {
        #[test]
        fn no_line_is_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = line(&bytes);
            prop_assert!(path(&bytes).as_os_str().len() <= bytes.len());
        }

        #[test]
        fn a_path_without_backslash_stays_as_it_is(text in "[^\\\\\n]{0,40}") {
            prop_assert_eq!(path(text.as_bytes()), PathBuf::from(text));
        }
    }
}
