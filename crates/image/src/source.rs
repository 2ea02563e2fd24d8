//! An image file, raw or compressed: its contents from front to back, and its own sum on the way.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// First bytes of a zstd frame.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Largest window of a zstd frame that is taken, as a power of two: 8 MiB, what `zstd -19` makes.
/// A larger one would take the memory that a small PC does not have.
const WINDOW_LOG: u32 = 23;

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
        (&mut file).take(18).read_to_end(&mut start).map_err(read)?;
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
