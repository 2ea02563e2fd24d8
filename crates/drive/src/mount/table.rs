//! Reading the kernel's mount table.
//!
//! Own parser: the procfs crate leaves octal escapes in and gives up on the whole table over one
//! line it does not understand.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::Mounted;
use crate::System;

/// Every mount, in the kernel's order: a later one at the same place hides an earlier one.
pub(crate) fn read(system: &System) -> io::Result<Vec<Mounted>> {
    let text = fs::read(system.proc.join("self/mountinfo"))?;
    Ok(text.split(|&byte| byte == b'\n').filter_map(line).collect())
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
pub(crate) fn path(field: &[u8]) -> PathBuf {
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
