//! An image file, raw or compressed: its contents from front to back, and its own sum on the way.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// First bytes of a zstd frame.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Largest window of a zstd frame that is taken, as a power of two: what `zstd --long=31` makes,
/// or the most that a 32-bit program can address. Memory is another matter: it is looked at.
const WINDOW_LOG: u32 = if usize::BITS == 64 { 31 } else { 30 };

/// Longest header of a zstd frame, in bytes.
const FRAME_HEADER: u64 = 18;

/// Why an image could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file could not be opened or read.
    #[error("cannot read the image {}", path.display())]
    Read {
        /// The image.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The compressed data is damaged or ends too early.
    #[error("the image {} is damaged: {why}", path.display())]
    Damaged {
        /// The image.
        path: PathBuf,
        /// What the decompressor said.
        why: String,
    },
    /// It is compressed with a longer window than can be unpacked here.
    #[error(
        "the image {} needs {} MiB of memory to be unpacked, and {} MiB are free",
        path.display(), window >> 20, free >> 20
    )]
    TooLittleMemory {
        /// The image.
        path: PathBuf,
        /// The memory that the decompressor's window takes, in bytes.
        window: u64,
        /// The memory that there is, in bytes.
        free: u64,
    },
    /// Not a disk image.
    #[error("{} is not a disk image: {why}", path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
}

/// How an image file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    Raw,
    /// Compressed with zstd.
    Zstd,
}

/// An image file.
#[derive(Debug, Clone)]
pub struct Image {
    path: PathBuf,
    packing: Packing,
    content: Option<u64>,
}

impl Image {
    /// Looks what kind of file it is; by its first bytes, not by its name.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or is packed in a way that is not known here.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let read = |source| ImageError::Read {
            path: path.to_owned(),
            source,
        };
        let not = |why: &str| ImageError::NotAnImage {
            path: path.to_owned(),
            why: why.to_owned(),
        };
        let mut file = File::open(path).map_err(read)?;
        let metadata = file.metadata().map_err(read)?;
        if metadata.is_dir() {
            return Err(not("it is a folder"));
        }
        let stored = metadata.len();
        let mut start = Vec::new();
        (&mut file)
            .take(FRAME_HEADER)
            .read_to_end(&mut start)
            .map_err(read)?;
        let others: [(&[u8], &str); 4] = [
            (b"\x1f\x8b", "gzip; unpack it with gunzip"),
            (b"\xfd7zXZ\0", "xz; unpack it with unxz"),
            (b"PK\x03\x04", "a zip archive; unpack it"),
            (b"QFI\xfb", "a virtual machine's disk (qcow2)"),
        ];
        for (magic, name) in others {
            if start.starts_with(magic) {
                return Err(not(&format!("it is packed with {name}")));
            }
        }
        if start.starts_with(&ZSTD) {
            let window = window(&start).unwrap_or(0);
            if let Some(free) = free_memory().filter(|free| *free < window) {
                return Err(ImageError::TooLittleMemory {
                    path: path.to_owned(),
                    window,
                    free,
                });
            }
            // Only a hint, for progress and for the size of the card: one frame of several.
            let content = zstd::zstd_safe::get_frame_content_size(&start)
                .ok()
                .flatten();
            return Ok(Self {
                path: path.to_owned(),
                packing: Packing::Zstd,
                content,
            });
        }
        if stored < 512 {
            return Err(not("it has no room for a partition table"));
        }
        Ok(Self {
            path: path.to_owned(),
            packing: Packing::Raw,
            content: Some(stored),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name, as sums and signatures know it.
    pub fn name(&self) -> String {
        self.path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// How it is stored.
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// Size of the contents in bytes, where the file tells it.
    pub fn content_size(&self) -> Option<u64> {
        self.content
    }

    /// The contents from front to back; and, once they are read to their end, the sum of the
    /// file as it is stored.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn stream(&self) -> Result<Stream, ImageError> {
        self.stream_with(true)
    }

    /// As [`Image::stream`], without the sum.
    pub(crate) fn stream_with(&self, summed: bool) -> Result<Stream, ImageError> {
        let file = File::open(&self.path).map_err(|source| self.failed(source))?;
        let sum = Arc::new(Mutex::new(Sha256::new()));
        let stored = Stored {
            file,
            sum: summed.then(|| Arc::clone(&sum)),
        };
        let contents = match self.packing {
            Packing::Raw => Contents::Raw(stored),
            Packing::Zstd => {
                let mut decoder =
                    zstd::Decoder::with_buffer(BufReader::with_capacity(1 << 17, stored))
                        .map_err(|source| self.failed(source))?;
                decoder
                    .window_log_max(WINDOW_LOG)
                    .map_err(|source| self.failed(source))?;
                Contents::Zstd(Box::new(decoder))
            }
        };
        Ok(Stream {
            image: self.clone(),
            contents,
            sum,
        })
    }

    fn failed(&self, source: io::Error) -> ImageError {
        ImageError::Read {
            path: self.path.clone(),
            source,
        }
    }
}

/// The window of a zstd frame in bytes, from its header (RFC 8878, section 3.1.1.1). `None` where
/// the header is cut off.
fn window(frame: &[u8]) -> Option<u64> {
    let descriptor = *frame.get(ZSTD.len())?;
    let is_single_segment = descriptor & 0x20 != 0;
    if is_single_segment {
        return zstd::zstd_safe::get_frame_content_size(frame)
            .ok()
            .flatten();
    }
    let window = *frame.get(ZSTD.len() + 1)?;
    let base = 1_u64 << (10 + (window >> 3));
    Some(base + base / 8 * u64::from(window & 7))
}

/// Memory that can be had without swapping, in bytes; `None` where the kernel does not say.
fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// An image's contents on their way.
pub struct Stream {
    image: Image,
    contents: Contents,
    sum: Arc<Mutex<Sha256>>,
}

enum Contents {
    Raw(Stored),
    Zstd(Box<zstd::Decoder<'static, BufReader<Stored>>>),
}

/// The file as it is stored, summed while it is read.
struct Stored {
    file: File,
    sum: Option<Arc<Mutex<Sha256>>>,
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if let Some(sum) = &self.sum {
            sum.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .update(&buffer[..count]);
        }
        Ok(count)
    }
}

impl Stream {
    /// Fills the buffer as far as the contents reach; the count is smaller only at their end.
    ///
    /// # Errors
    /// [`ImageError::Damaged`] where the decompressor gives up, [`ImageError::Read`] where the
    /// file cannot be read.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ImageError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let read = match &mut self.contents {
                Contents::Raw(stored) => stored.read(&mut buffer[filled..]),
                Contents::Zstd(decoder) => decoder.read(&mut buffer[filled..]),
            };
            match read {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(error)),
            }
        }
        Ok(filled)
    }

    /// Reads on without keeping anything.
    ///
    /// # Errors
    /// As [`Stream::fill`].
    pub(crate) fn skip(&mut self, mut bytes: u64) -> Result<(), ImageError> {
        let mut buffer = vec![0; 1 << 16];
        while bytes > 0 {
            let part = usize::try_from(bytes)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let count = self.fill(&mut buffer[..part])?;
            if count == 0 {
                break;
            }
            bytes -= count as u64;
        }
        Ok(())
    }

    fn error(&self, error: io::Error) -> ImageError {
        // An error of the file has a number of the system's; one of the decompressor has none.
        match (&self.contents, error.raw_os_error()) {
            (Contents::Zstd(_), None) => ImageError::Damaged {
                path: self.image.path.clone(),
                why: error.to_string(),
            },
            _ => self.image.failed(error),
        }
    }

    /// The SHA-256 sum of the whole file as it is stored; reads what the contents left over.
    ///
    /// # Errors
    /// When the rest of the file cannot be read.
    pub fn stored_sum(self) -> Result<[u8; 32], ImageError> {
        let mut stored = match self.contents {
            Contents::Raw(stored) => stored,
            // What the reader holds ahead of the decompressor is summed already.
            Contents::Zstd(decoder) => decoder.finish().into_inner(),
        };
        io::copy(&mut stored, &mut io::sink()).map_err(|source| self.image.failed(source))?;
        let sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(sum.clone().finalize().into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(folder: &Path, window: u32) -> PathBuf {
        let path = folder.join(format!("{window}.img.zst"));
        let mut encoder = zstd::Encoder::new(File::create(&path).unwrap(), 1).unwrap();
        encoder.window_log(window).unwrap();
        encoder.write_all(&vec![7; 1 << 20]).unwrap();
        encoder.finish().unwrap();
        path
    }

    #[test]
    fn an_image_that_was_packed_with_a_long_window_is_read() {
        let folder = tempfile::tempdir().unwrap();
        for window in [19, 23, 24, 27, 30] {
            let image = Image::open(&packed(folder.path(), window)).unwrap();
            let mut stream = image.stream().unwrap();
            let mut buffer = vec![0; 2 << 20];
            assert_eq!(stream.fill(&mut buffer).unwrap(), 1 << 20, "{window}");
        }
    }

    #[test]
    fn the_window_that_the_packer_was_told_is_the_one_in_the_header() {
        let folder = tempfile::tempdir().unwrap();
        for log in [19, 24, 30] {
            let bytes = std::fs::read(packed(folder.path(), log)).unwrap();
            assert_eq!(window(&bytes), Some(1 << log));
        }
        // In one segment the window is as long as the contents.
        let bytes = zstd::bulk::compress(&[7; 300_000], 1).unwrap();
        assert_eq!(window(&bytes), Some(300_000));
        assert_eq!(window(&bytes[..4]), None);
    }

    #[test]
    fn an_image_whose_window_does_not_fit_into_memory_is_refused_when_it_is_opened() {
        assert!(free_memory().unwrap() > 1 << 20);
        let folder = tempfile::tempdir().unwrap();
        let path = packed(folder.path(), 19);
        let mut bytes = std::fs::read(&path).unwrap();
        // 2^41 bytes, more than any computer that runs this has.
        bytes[5] = 31 << 3;
        std::fs::write(&path, bytes).unwrap();
        let error = Image::open(&path).unwrap_err();
        assert!(
            matches!(error, ImageError::TooLittleMemory { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("2097152 MiB"), "{error}");
    }
}
