use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use appliance_blockdev::{ConsentError, Consented};
use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::Card;

nix::ioctl_read!(
    /// Size of a block device in bytes.
    blkgetsize64,
    0x12,
    114,
    u64
);
nix::ioctl_none!(
    /// Drops what the kernel keeps of a block device.
    blkflsbuf,
    0x12,
    97
);
nix::ioctl_none!(
    /// Has the kernel read the partition table again.
    blkrrpart,
    0x12,
    95
);
nix::ioctl_none_bad!(
    /// Ejects a medium; SCSI disks know it too.
    cdromeject,
    0x5309
);

/// A block device, opened for itself alone and past the page cache.
#[derive(Debug)]
pub struct Node {
    file: File,
    size: u64,
}

impl Node {
    /// Opens the device that a person agreed to lose, for writing. Nobody else can mount or hold it
    /// until it is dropped.
    ///
    /// # Errors
    /// [`ConsentError::Changed`] when it is no longer that device; `EBUSY` when it is in use; what
    /// else the device said; `InvalidInput` for what is no block device.
    pub fn open(consented: &Consented) -> Result<Self, ConsentError> {
        let flags = OFlag::O_EXCL | OFlag::O_DIRECT;
        let mut options = File::options();
        options.read(true).write(true).custom_flags(flags.bits());
        Self::new(consented.open(&options)?).map_err(|source| ConsentError::Open {
            path: consented.path().to_owned(),
            source,
        })
    }

    /// Opens a device for reading, past the page cache.
    ///
    /// # Errors
    /// What the device said; `InvalidInput` for what is no block device.
    pub fn open_to_read(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        options.read(true).custom_flags(OFlag::O_DIRECT.bits());
        Self::new(options.open(path)?)
    }

    fn new(file: File) -> io::Result<Self> {
        if !file.metadata()?.file_type().is_block_device() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a block device",
            ));
        }
        let mut size = 0_u64;
        // SAFETY: the descriptor is open, and the kernel writes one u64 to the place given.
        unsafe { blkgetsize64(file.as_raw_fd(), &mut size) }?;
        Ok(Self { file, size })
    }
}

impl Card for Node {
    fn size(&self) -> u64 {
        self.size
    }

    fn write_at(&mut self, at: u64, data: &[u8]) -> io::Result<usize> {
        self.file.write_at(data, at)
    }

    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(into, at)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        // SAFETY: the descriptor is open; the call takes no argument.
        match unsafe { blkflsbuf(self.file.as_raw_fd()) } {
            // Only root may; direct reads pass the cache anyway.
            Ok(_) | Err(Errno::EACCES | Errno::EPERM) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Unmounts a file system, without following a link in its path.
///
/// # Errors
/// `EBUSY` while a program uses it; what else the kernel said.
pub fn unmount(at: &Path) -> io::Result<()> {
    Ok(nix::mount::umount2(
        at,
        nix::mount::MntFlags::UMOUNT_NOFOLLOW,
    )?)
}

/// Tells the kernel of the new partitions and ejects the medium. Gives whether it was ejected: a
/// card in a slot of its own can simply be pulled out.
///
/// # Errors
/// When the device cannot be opened any more.
pub fn eject(consented: &Consented) -> Result<bool, ConsentError> {
    let mut options = File::options();
    options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let file = consented.open(&options)?;
    // SAFETY: the descriptor is open; the call takes no argument.
    let _ = unsafe { blkrrpart(file.as_raw_fd()) };
    // SAFETY: the descriptor is open; the call takes no argument that is read.
    Ok(unsafe { cdromeject(file.as_raw_fd()) }.is_ok())
}
