//! A card that fails in a chosen way: a file in a FUSE file system of this process, and a loop
//! device over it.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyWrite, Request, WriteFlags,
};
use tempfile::TempDir;

use super::{Card, images};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// One bit of this place is another after writing.
    FlippedBit(u64),
    /// From so many bytes on every call fails: the reader was pulled out.
    Vanishes(u64),
    /// A write here takes half of what it was given, and the next one nothing.
    ShortWrite(u64),
    /// From so many bytes on a write never ends: the moment for a power cut.
    Stalls(u64),
}

#[derive(Debug)]
struct Medium {
    bytes: Vec<u8>,
    written: u64,
    stalled: bool,
    over: bool,
}

type Shared = Arc<(Mutex<Medium>, Condvar)>;

struct Faulty {
    fault: Fault,
    size: u64,
    medium: Shared,
}

/// A card with a fault.
pub struct FaultyCard {
    // The order is that of dropping: the loop device goes before what it lies on.
    pub card: Card,
    medium: Shared,
    _session: BackgroundSession,
    _folder: TempDir,
}

impl FaultyCard {
    /// `None` where there is no FUSE; says why.
    pub fn new(size: u64, fault: Fault) -> Option<Self> {
        if !Path::new("/dev/fuse").exists() {
            println!("SKIPPED: this kernel has no FUSE");
            return None;
        }
        let mut bytes = images::noise(99, size as usize);
        bytes[462..510].fill(0);
        bytes[446..462].copy_from_slice(&[0x80, 0, 0, 0, 0x0c, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0]);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        let medium = Arc::new((
            Mutex::new(Medium {
                bytes,
                written: 0,
                stalled: false,
                over: false,
            }),
            Condvar::new(),
        ));
        let folder = tempfile::tempdir().unwrap();
        let system = Faulty {
            fault,
            size,
            medium: Arc::clone(&medium),
        };
        let session = match fuser::spawn_mount(system, folder.path(), &Config::default()) {
            Ok(session) => session,
            Err(error) => {
                println!("SKIPPED: FUSE cannot be mounted here: {error}");
                return None;
            }
        };
        Some(Self {
            card: Card::over(&folder.path().join("card"), &[]),
            medium,
            _session: session,
            _folder: folder,
        })
    }

    /// What is on the medium itself.
    pub fn bytes(&self) -> Vec<u8> {
        self.medium.0.lock().unwrap().bytes.clone()
    }

    /// Waits until a write is held up.
    pub fn wait_until_stalled(&self) {
        let (medium, told) = &*self.medium;
        let guard = medium.lock().unwrap();
        let (guard, late) = told
            .wait_timeout_while(guard, Duration::from_secs(60), |medium| !medium.stalled)
            .unwrap();
        assert!(!late.timed_out(), "nothing was written: {}", guard.written);
    }

    /// Lets the write that is held up fail, so that the kernel can let go of the device.
    pub fn release(&self) {
        self.medium.0.lock().unwrap().over = true;
        self.medium.1.notify_all();
    }
}

impl Drop for FaultyCard {
    fn drop(&mut self) {
        self.release();
    }
}

impl Faulty {
    fn attributes(&self, inode: u64) -> FileAttr {
        let is_root = inode == 1;
        FileAttr {
            ino: INodeNo(inode),
            size: if is_root { 0 } else { self.size },
            blocks: self.size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_root {
                FileType::Directory
            } else {
                FileType::RegularFile
            },
            perm: if is_root { 0o755 } else { 0o644 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            flags: 0,
            blksize: 4096,
        }
    }
}

const LONG: Duration = Duration::from_secs(3600);

impl Filesystem for Faulty {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == "card" {
            reply.entry(&LONG, &self.attributes(2), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&LONG, &self.attributes(inode.into()));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // Past the page cache: what is read back has to come from here.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let medium = self.medium.0.lock().unwrap();
        if medium.over && matches!(self.fault, Fault::Vanishes(_)) {
            return reply.error(Errno::ENODEV);
        }
        let start = (offset as usize).min(medium.bytes.len());
        let end = (start + size as usize).min(medium.bytes.len());
        reply.data(&medium.bytes[start..end]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let (lock, told) = &*self.medium;
        let mut medium = lock.lock().unwrap();
        let mut count = data.len();
        match self.fault {
            Fault::Vanishes(after) if medium.written >= after => medium.over = true,
            Fault::Stalls(after) if medium.written >= after => {
                medium.stalled = true;
                told.notify_all();
                while !medium.over {
                    medium = told.wait(medium).unwrap();
                }
            }
            Fault::ShortWrite(at) if (offset..offset + count as u64).contains(&at) => {
                count = (at - offset) as usize / 512 * 512;
            }
            _ => {}
        }
        if medium.over {
            return reply.error(Errno::ENODEV);
        }
        if count == 0 {
            return reply.error(Errno::EIO);
        }
        let at = offset as usize;
        medium.bytes[at..at + count].copy_from_slice(&data[..count]);
        medium.written += count as u64;
        if let Fault::FlippedBit(place) = self.fault
            && (offset..offset + count as u64).contains(&place)
        {
            medium.bytes[place as usize] ^= 0x10;
        }
        reply.written(count as u32);
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let medium = self.medium.0.lock().unwrap();
        if medium.over {
            reply.error(Errno::ENODEV);
        } else {
            reply.ok();
        }
    }
}
