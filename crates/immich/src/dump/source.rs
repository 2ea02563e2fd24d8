//! A dump's file as plain SQL, however it was packed, read without trusting its name or its place.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use appliance_files::Owner;
use flate2::bufread::MultiGzDecoder;
use nix::fcntl::OFlag;
use sha2::{Digest, Sha256};

use super::DumpError;

/// How dumps in pg_dump's own formats (`-Fc`, `-Ft`) are turned into plain SQL: with `pg_restore`,
/// which is given the dump on its standard input and reaches no server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveReader {
    /// The program `pg_restore`.
    pub program: PathBuf,
    /// The OS user that it runs as; `None` for the running one.
    pub run_as: Option<Owner>,
}

/// How a dump's plain SQL is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// Opens a dump's file. What is not a regular file is refused without being waited for: a FIFO, a
/// device, a symbolic link.
pub(super) fn open_regular(path: &Path) -> Result<File, DumpError> {
    let file = File::options()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(code) if code == nix::libc::ELOOP || code == nix::libc::ENXIO => {
                DumpError::NotAFile
            }
            _ => DumpError::Read(error),
        })?;
    if file.metadata().map_err(DumpError::Read)?.is_file() {
        Ok(file)
    } else {
        Err(DumpError::NotAFile)
    }
}

/// Reads a dump's plain SQL and sums up the file it comes from.
pub(crate) struct Source {
    reader: Plain,
}

enum Plain {
    Direct(Unpacked<Summed>),
    Archive(Archive),
}

impl Source {
    /// Reads the whole of `file` as plain SQL.
    pub(super) fn new(file: File, archives: Option<&ArchiveReader>) -> Result<Self, DumpError> {
        let mut unpacked = unpacked(Summed::new(file))?;
        let start = unpacked.fill_buf().map_err(read_error)?;
        let reader = if start.starts_with(b"PGDMP") || is_tar(start) {
            let archives = archives.ok_or(DumpError::Archive)?;
            Plain::Archive(Archive::start(archives, unpacked)?)
        } else if let Some(name) = unreadable(start) {
            return Err(DumpError::Packed(name));
        } else {
            Plain::Direct(unpacked)
        };
        Ok(Self { reader })
    }

    /// After the last byte: the file's SHA-256 and its length in bytes.
    pub(super) fn finish(self) -> Result<(String, u64), DumpError> {
        let mut summed = match self.reader {
            Plain::Direct(unpacked) => unpacked.into_inner(),
            Plain::Archive(archive) => archive.finish()?,
        };
        // What a decoder left unread is a part of the file too.
        io::copy(&mut summed, &mut io::sink()).map_err(DumpError::Read)?;
        Ok(summed.finish())
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.reader {
            Plain::Direct(reader) => reader.read(buffer),
            Plain::Archive(archive) => archive.read(buffer),
        }
    }
}

/// Counts and sums what is read from a file.
struct Summed {
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl Summed {
    fn new(file: File) -> Self {
        Self {
            file,
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    fn finish(self) -> (String, u64) {
        let digest = self.hash.finalize();
        let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        (hex, self.bytes)
    }
}

impl Read for Summed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// A stream with what was packed undone.
enum Unpacked<R: Read> {
    Plain(BufReader<R>),
    Gzip(Box<BufReader<MultiGzDecoder<BufReader<R>>>>),
    Zstd(Box<BufReader<zstd::Decoder<'static, BufReader<R>>>>),
}

const BUFFER: usize = 128 << 10;

fn unpacked<R: Read>(stream: R) -> Result<Unpacked<R>, DumpError> {
    let mut stream = BufReader::with_capacity(BUFFER, stream);
    let start = stream.fill_buf().map_err(DumpError::Read)?;
    if start.is_empty() {
        return Err(DumpError::Empty);
    }
    let packing = match start {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
        _ => Packing::Plain,
    };
    Ok(match packing {
        Packing::Plain => Unpacked::Plain(stream),
        Packing::Gzip => {
            let decoder = MultiGzDecoder::new(stream);
            Unpacked::Gzip(Box::new(BufReader::with_capacity(BUFFER, decoder)))
        }
        Packing::Zstd => {
            let decoder = zstd::Decoder::with_buffer(stream).map_err(DumpError::Read)?;
            Unpacked::Zstd(Box::new(BufReader::with_capacity(BUFFER, decoder)))
        }
    })
}

impl<R: Read> Unpacked<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Plain(reader) => reader.fill_buf(),
            Self::Gzip(reader) => reader.fill_buf(),
            Self::Zstd(reader) => reader.fill_buf(),
        }
    }

    fn into_inner(self) -> R {
        match self {
            Self::Plain(reader) => reader.into_inner(),
            Self::Gzip(reader) => reader.into_inner().into_inner().into_inner(),
            Self::Zstd(reader) => reader.into_inner().finish().into_inner(),
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
            Self::Zstd(reader) => reader.read(buffer),
        }
    }
}

fn is_tar(start: &[u8]) -> bool {
    start.starts_with(b"toc.dat\0") && start.get(257..262) == Some(b"ustar")
}

/// What a file is packed with that is not undone here.
fn unreadable(start: &[u8]) -> Option<&'static str> {
    [
        (&b"\xfd7zXZ\0"[..], "xz"),
        (b"BZh", "bzip2"),
        (b"PK\x03\x04", "zip"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"Rar!", "RAR"),
        (b"\x04\x22\x4d\x18", "lz4"),
    ]
    .into_iter()
    .find(|(magic, _)| start.starts_with(magic))
    .map(|(_, name)| name)
}

/// What a failed read means: of the disk below a decoder, or of the stream that it decodes.
pub(crate) fn read_error(error: io::Error) -> DumpError {
    if error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<ArchiveSaid>)
    {
        return DumpError::ArchiveDamaged(error.to_string());
    }
    if error.raw_os_error().is_some() {
        return DumpError::Read(error);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => DumpError::GzipTruncated,
        // Its own word for a stream that ends too early.
        io::ErrorKind::Other if error.to_string().contains("incomplete frame") => {
            DumpError::GzipTruncated
        }
        _ => DumpError::GzipCorrupt(error.to_string()),
    }
}

/// `pg_restore` failed; holds what it said.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ArchiveSaid(String);

/// A pg_restore that turns an archive into plain SQL.
struct Archive {
    child: Child,
    stdout: ChildStdout,
    feeder: Option<JoinHandle<(Unpacked<Summed>, io::Result<u64>)>>,
    said: Option<JoinHandle<String>>,
    /// The last read told the end, and the program that it ended well.
    ended: bool,
    rest: Option<Unpacked<Summed>>,
}

impl Archive {
    fn start(reader: &ArchiveReader, mut archive: Unpacked<Summed>) -> Result<Self, DumpError> {
        let mut command = Command::new(&reader.program);
        command
            .env_clear()
            .env("LC_ALL", "C")
            .current_dir("/")
            .arg("--file=-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if let Some(owner) = reader.run_as {
            command.gid(owner.gid).uid(owner.uid);
        }
        let mut child = command.spawn().map_err(|error| {
            DumpError::ArchiveDamaged(format!("pg_restore could not be run: {error}"))
        })?;
        let broken = || DumpError::Read(io::ErrorKind::BrokenPipe.into());
        let mut stdin = child.stdin.take().ok_or_else(broken)?;
        let stdout = child.stdout.take().ok_or_else(broken)?;
        let mut stderr = child.stderr.take().ok_or_else(broken)?;
        let feeder = std::thread::spawn(move || {
            let copied = copy(&mut archive, &mut stdin);
            (archive, copied)
        });
        let said = std::thread::spawn(move || {
            let mut text = Vec::new();
            // No more than is shown; the rest is read so that it does not wait.
            let _ = (&mut stderr).take(4096).read_to_end(&mut text);
            let _ = io::copy(&mut stderr, &mut io::sink());
            String::from_utf8_lossy(&text).trim().replace('\n', "; ")
        });
        Ok(Self {
            child,
            stdout,
            feeder: Some(feeder),
            said: Some(said),
            ended: false,
            rest: None,
        })
    }

    /// Its output ended: only its exit code tells whether that was the end of the archive.
    fn end(&mut self) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        let status = self.child.wait()?;
        let fed = self.feeder.take().and_then(|thread| thread.join().ok());
        let said = self.said.take().and_then(|thread| thread.join().ok());
        let Some((rest, copied)) = fed else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        self.rest = Some(rest);
        copied?;
        if status.success() {
            self.ended = true;
            return Ok(());
        }
        let said = said.filter(|said| !said.is_empty());
        Err(io::Error::other(ArchiveSaid(
            said.unwrap_or_else(|| status.to_string()),
        )))
    }

    fn finish(mut self) -> Result<Summed, DumpError> {
        self.end().map_err(read_error)?;
        match self.rest.take() {
            Some(unpacked) => Ok(unpacked.into_inner()),
            None => Err(DumpError::Read(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

impl Read for Archive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stdout.read(buffer)? {
            0 if !buffer.is_empty() => self.end().map(|()| 0),
            count => Ok(count),
        }
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        // It can only fail for a process that already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies what is read; gives the error of reading, for a closed pipe only says that the program
/// has ended.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER];
    let mut total = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if to.write_all(&buffer[..count]).is_err() {
            return Ok(total);
        }
        total += count as u64;
    }
}
