//! The parts of an image that customising has to see, with changes on top that are kept apart.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use crate::Patches;

/// The image's own bytes.
#[derive(Debug)]
pub(crate) enum Below {
    /// All of it, in a file or on a device.
    File(File),
    /// Parts by their place, of an image that cannot be read out of turn.
    Parts(Vec<(u64, Vec<u8>)>),
}

impl Below {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Below::File(file) => file.read_exact_at(buffer, at),
            Below::Parts(parts) => {
                let found = parts.iter().find_map(|(start, bytes)| {
                    let from = usize::try_from(at.checked_sub(*start)?).ok()?;
                    bytes.get(from..from.checked_add(buffer.len())?)
                });
                let bytes = found.ok_or_else(|| {
                    io::Error::other("the FAT partition's folder lies too far into the image")
                })?;
                buffer.copy_from_slice(bytes);
                Ok(())
            }
        }
    }
}

/// One stretch of an image as a device of its own, as `gpt` and `fatfs` want one.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    below: &'a Below,
    start: u64,
    length: u64,
    position: u64,
    pub(crate) patches: Patches,
}

impl<'a> Window<'a> {
    pub(crate) fn new(below: &'a Below, start: u64, length: u64) -> Self {
        Self {
            below,
            start,
            length,
            position: 0,
            patches: Patches::default(),
        }
    }

    fn left(&self, wanted: usize) -> usize {
        usize::try_from(self.length.saturating_sub(self.position))
            .unwrap_or(usize::MAX)
            .min(wanted)
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.left(buffer.len());
        let buffer = &mut buffer[..count];
        let at = self.start + self.position;
        if !self.patches.covers(at, count) {
            self.below.read_at(at, buffer)?;
        }
        self.patches.apply(at, buffer);
        self.position += count as u64;
        Ok(count)
    }
}

impl Write for Window<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.left(buffer.len());
        self.patches
            .put(self.start + self.position, &buffer[..count]);
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
        };
        self.position = position.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a place before the start")
        })?;
        Ok(self.position)
    }
}
