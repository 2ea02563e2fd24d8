//! The kernel's mount table and list of swap areas.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::{DeviceError, Roots};

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub number: String,
    pub at: PathBuf,
    pub source: PathBuf,
}

pub(super) fn mounts(roots: &Roots) -> Result<Vec<Mount>, DeviceError> {
    let path = roots.proc.join("self/mountinfo");
    let text = fs::read(&path).map_err(|source| DeviceError::Read { path, source })?;
    Ok(text
        .split(|byte| *byte == b'\n')
        .filter_map(mount)
        .collect())
}

/// `36 35 98:0 /root /mnt rw,noatime shared:1 - ext4 /dev/sda rw`
fn mount(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let dash = 6 + fields.get(6..)?.iter().position(|field| *field == b"-")?;
    Some(Mount {
        number: String::from_utf8_lossy(fields.get(2)?).into_owned(),
        at: plain(fields.get(4)?),
        source: plain(fields.get(dash + 2)?),
    })
}

/// The swap areas' paths.
pub(super) fn swaps(roots: &Roots) -> Result<Vec<PathBuf>, DeviceError> {
    let path = roots.proc.join("swaps");
    match fs::read(&path) {
        Ok(text) => Ok(text
            .split(|byte| *byte == b'\n')
            .skip(1)
            .filter_map(|line| line.split(u8::is_ascii_whitespace).next())
            .filter(|field| !field.is_empty())
            .map(plain)
            .collect()),
        // A kernel without swap has no such file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(DeviceError::Read { path, source }),
    }
}

/// Undoes the kernel's octal escapes.
fn plain(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let digits = (byte == b'\\').then(|| after.get(..3)).flatten();
        let octal = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal {
            Some(escaped) => {
                bytes.push(escaped);
                rest = &after[3..];
            }
            None => bytes.push(byte),
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_with_escapes_is_understood() {
        let line = br"36 35 8:17 / /media/my\040card rw shared:1 - vfat /dev/sdb1 rw";
        let mount = mount(line).unwrap();
        assert_eq!(mount.number, "8:17");
        assert_eq!(mount.at, PathBuf::from("/media/my card"));
        assert_eq!(mount.source, PathBuf::from("/dev/sdb1"));
    }

    proptest! {
        #[test]
        fn any_line_is_answered(line in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = mount(&line);
            let _ = plain(&line);
        }
    }
}
