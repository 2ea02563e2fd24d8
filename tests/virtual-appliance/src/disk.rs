//! Disk images: USB disks to plug in and out, and copies of root disks that hold
//! only what differs.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::Command,
};

use nix::unistd::Whence;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{
    cache,
    error::{Doing, Result},
    process::{output, program},
};

/// The grain of a [`Fingerprint`]: pieces of this size that hold only zeros
/// count as not written.
const PIECE: usize = 1 << 20;

/// A USB disk: a sparse file on the host that goes away with this value.
#[derive(Debug)]
pub struct Disk {
    serial: String,
    read_only: bool,
    path: PathBuf,
    _folder: TempDir,
}

/// All that a disk holds, as one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Disk {
    /// A blank disk of so many MiB. The serial number is how the machine tells
    /// it from others: letters and digits, at most 20.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the file cannot be made.
    pub fn blank(serial: &str, mebibytes: u64) -> Result<Self> {
        let disk = Self::at(serial)?;
        File::create(&disk.path)
            .and_then(|file| file.set_len(mebibytes << 20))
            .doing(|| format!("making {}", disk.path.display()))?;
        Ok(disk)
    }

    /// Another disk with the same content and another serial number, as `dd`
    /// makes it. Copy a disk that no machine is writing to.
    ///
    /// # Errors
    /// [`Error::Program`](crate::Error::Program) when copying fails.
    pub fn duplicate(&self, serial: &str) -> Result<Self> {
        Self::copy(serial, &self.path)
    }

    /// A disk with the content of a file.
    pub(crate) fn copy(serial: &str, from: &Path) -> Result<Self> {
        let copy = Self::at(serial)?;
        output(
            Command::new("cp")
                .args(["--sparse=always", "--reflink=auto", "--"])
                .args([from, &copy.path]),
        )?;
        Ok(copy)
    }

    /// Moves its content to a file that outlives this value.
    pub(crate) fn keep(self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path).doing(|| format!("moving {}", path.display()))
    }

    /// The same disk with its write protection switched on or off; it counts
    /// from the next time that it is plugged in.
    #[must_use]
    pub fn write_protected(mut self, protected: bool) -> Self {
        self.read_only = protected;
        self
    }

    /// Overwrites a part of the disk, as damage or as a thief would.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the file cannot be written.
    pub fn overwrite(&self, offset: u64, content: &[u8]) -> Result<()> {
        use std::os::unix::fs::FileExt;
        OpenOptions::new()
            .write(true)
            .open(&self.path)
            .and_then(|file| file.write_all_at(content, offset))
            .doing(|| format!("writing to {}", self.path.display()))
    }

    /// What the disk holds now: equal before and after means that nothing
    /// changed on it. What the guest wrote counts once it left the guest's
    /// memory.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the file cannot be read.
    pub fn fingerprint(&self) -> Result<Fingerprint> {
        fingerprint(&self.path)
            .map(Fingerprint)
            .doing(|| format!("reading {}", self.path.display()))
    }

    /// Whether these words, which hold no zero byte, can be read on the disk as it lies there.
    ///
    /// # Errors
    /// [`Error::Program`](crate::Error::Program) when it cannot be searched.
    pub fn holds(&self, words: &str) -> Result<bool> {
        // Counts, since the exit status of a search without a hit is that of a failure.
        let count = output(
            Command::new("sh")
                .args([
                    "-c",
                    "grep -c --text --null-data --fixed-strings -e \"$1\" \"$2\" || test $? = 1",
                ])
                .args(["sh", words])
                .arg(&self.path),
        )?;
        Ok(count.stdout.trim_ascii() != b"0")
    }

    /// The path under which the machine sees the whole disk.
    pub fn device(&self) -> String {
        device(&self.serial)
    }

    /// The serial number.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// The image on the host, of raw format.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the disk is write-protected.
    pub fn is_write_protected(&self) -> bool {
        self.read_only
    }

    fn at(serial: &str) -> Result<Self> {
        let shelf = cache::subfolder("disks")?;
        let folder = tempfile::Builder::new()
            .prefix(serial)
            .tempdir_in(&shelf)
            .doing(|| format!("making a folder in {}", shelf.display()))?;
        Ok(Self {
            serial: serial.to_owned(),
            read_only: false,
            path: folder.path().join("disk.raw"),
            _folder: folder,
        })
    }
}

fn fingerprint(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    hash.update(fs::metadata(path)?.len().to_le_bytes());
    let mut piece = vec![0; PIECE];
    let mut offset = 0;
    while let Some(written) = next_data(&file, offset)? {
        offset = written / PIECE as u64 * PIECE as u64;
        file.seek(SeekFrom::Start(offset))?;
        let length = read_full(&mut file, &mut piece)?;
        if piece[..length].iter().any(|byte| *byte != 0) {
            hash.update(offset.to_le_bytes());
            hash.update(&piece[..length]);
        }
        offset += PIECE as u64;
    }
    Ok(cache::hex(&hash.finalize()))
}

/// Where the file's next written part begins, at or after an offset.
fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    let offset = i64::try_from(offset).map_err(io::Error::other)?;
    match nix::unistd::lseek64(file.as_fd(), offset, Whence::SeekData) {
        Ok(found) => u64::try_from(found).map(Some).map_err(io::Error::other),
        Err(nix::errno::Errno::ENXIO) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}

/// Under which path a machine sees the disk with a serial number.
pub(crate) fn device(serial: &str) -> String {
    format!("/dev/disk/by-id/usb-QEMU_QEMU_HARDDISK_{serial}-0:0")
}

/// Makes a disk that holds only what differs from another. The path between
/// them is relative, so that Cargo's target folder can be moved.
pub(crate) fn overlay(disk: &Path, backing: &Path) -> Result<()> {
    let shelf = disk.parent().and_then(Path::parent).and_then(Path::parent);
    let relative = shelf
        .and_then(|shelf| backing.strip_prefix(shelf).ok())
        .map(|path| Path::new("../..").join(path));
    output(
        program("qemu-img", "qemu-utils")?
            .args([
                "create",
                "-q",
                "-f",
                "qcow2",
                "-F",
                format_of(backing)?,
                "-b",
            ])
            .arg(relative.unwrap_or_else(|| backing.to_owned()))
            .arg(disk),
    )
    .map(drop)
}

/// An image's format by its first bytes.
fn format_of(image: &Path) -> Result<&'static str> {
    let mut magic = [0; 4];
    File::open(image)
        .and_then(|mut file| file.read_exact(&mut magic))
        .doing(|| format!("reading {}", image.display()))?;
    Ok(if magic == *b"QFI\xfb" { "qcow2" } else { "raw" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_changes_the_fingerprint() {
        let disk = Disk::blank("CHANGED", 64).unwrap();
        let blank = disk.fingerprint().unwrap();
        disk.overwrite(40 << 20, b"x").unwrap();
        let written = disk.fingerprint().unwrap();
        assert_ne!(blank, written);
        disk.overwrite(40 << 20, b"y").unwrap();
        assert_ne!(written, disk.fingerprint().unwrap());
        disk.overwrite((64 << 20) - 1, b"z").unwrap();
        assert_ne!(written, disk.fingerprint().unwrap());
    }

    #[test]
    fn where_a_byte_lies_counts() {
        let (here, there) = (Disk::blank("A", 8).unwrap(), Disk::blank("B", 8).unwrap());
        here.overwrite(1 << 20, b"x").unwrap();
        there.overwrite(2 << 20, b"x").unwrap();
        assert_ne!(here.fingerprint().unwrap(), there.fingerprint().unwrap());
    }

    #[test]
    fn zeros_written_over_zeros_are_no_change() {
        let disk = Disk::blank("ZEROS", 8).unwrap();
        let blank = disk.fingerprint().unwrap();
        disk.overwrite(3 << 20, &[0; 4096]).unwrap();
        assert_eq!(blank, disk.fingerprint().unwrap());
    }

    #[test]
    fn a_duplicate_holds_the_same() {
        let disk = Disk::blank("ONE", 8).unwrap();
        disk.overwrite(12345, b"content").unwrap();
        let copy = disk.duplicate("TWO").unwrap();
        assert_eq!(disk.fingerprint().unwrap(), copy.fingerprint().unwrap());
        assert_ne!(disk.device(), copy.device());
    }

    #[test]
    fn an_images_format_is_told_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        fs::write(&path, b"QFI\xfb and more").unwrap();
        assert_eq!(format_of(&path).unwrap(), "qcow2");
        fs::write(&path, [0; 512]).unwrap();
        assert_eq!(format_of(&path).unwrap(), "raw");
    }
}
