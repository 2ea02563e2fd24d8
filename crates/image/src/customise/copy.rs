//! A customised copy of an image, by the least work that the file system allows.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Seek, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

use super::CustomiseError;
use crate::source::{Image, Packing};
use crate::{CHUNK, Patches, Phase, Progress};

/// How much the kernel copies between two steps of the progress, in bytes.
const STEP: u64 = 16 << 20;

/// Writes the customised image into a new raw file; the original stays as it is.
///
/// A raw image shares its blocks with the copy where the file system can (Btrfs, XFS, APFS),
/// which takes no time; elsewhere the kernel copies what is data, and holes stay holes. A
/// compressed image is unpacked, and what is zero takes no space.
///
/// Gives the SHA-256 of the image file as it is stored, if all of it had to be read.
///
/// # Errors
/// [`CustomiseError`]; nothing is left under the new name then.
pub fn write_copy(
    image: &Image,
    patches: &Patches,
    to: &Path,
    progress: &dyn Progress,
) -> Result<Option<[u8; 32]>, CustomiseError> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let part = folder.unwrap_or(Path::new(".")).join(format!(
        ".{}.part",
        to.file_name().unwrap_or_default().to_string_lossy()
    ));
    let failed = |source| CustomiseError::Write {
        path: to.to_owned(),
        source,
    };
    // What a run that was cut short left.
    let _ = fs::remove_file(&part);
    let result = (|| {
        let (file, sum) = match image.packing() {
            Packing::Raw => (copied(image, &part, progress).map_err(failed)?, None),
            _ => unpacked(image, &part, to, progress)?,
        };
        for (at, bytes) in patches.iter() {
            file.write_all_at(bytes, at).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        fs::hard_link(&part, to).map_err(failed)?;
        progress.end();
        Ok(sum)
    })();
    // The name is the copy's own by now, or there is no copy.
    let _ = fs::remove_file(&part);
    result
}

/// The content of a raw image in a new file.
fn copied(image: &Image, part: &Path, progress: &dyn Progress) -> io::Result<File> {
    progress.begin(Phase::Writing, image.content_size());
    if reflink_copy::reflink(image.path(), part).is_ok() {
        // Settings hold secrets: nobody else reads them from the copy.
        fs::set_permissions(part, Permissions::from_mode(0o600))?;
        return File::options().write(true).open(part);
    }
    let mut from = File::open(image.path())?;
    let to = private(part)?;
    let end = from.metadata()?.len();
    let mut place = 0;
    while let Some((start, data_end)) = data_after(&from, place, end)? {
        progress.advance(start - place);
        place = start;
        while place < data_end {
            let step = STEP.min(data_end - place);
            from.seek(SeekFrom::Start(place))?;
            (&to).seek(SeekFrom::Start(place))?;
            // The standard library leaves this to the kernel where it can.
            if io::copy(&mut (&from).take(step), &mut &to)? != step {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the image became shorter while it was copied",
                ));
            }
            place += step;
            progress.advance(step);
        }
    }
    progress.advance(end - place);
    to.set_len(end)?;
    Ok(to)
}

/// The next range that is not a hole, at or after `place`.
fn data_after(file: &File, place: u64, end: u64) -> io::Result<Option<(u64, u64)>> {
    if place >= end {
        return Ok(None);
    }
    let seek = |from: u64, whence| lseek(file, i64::try_from(from).unwrap_or(i64::MAX), whence);
    let start = match seek(place, Whence::SeekData) {
        Ok(start) => start.unsigned_abs(),
        // Nothing but a hole is left.
        Err(Errno::ENXIO) => return Ok(None),
        // A file system that knows no holes.
        Err(Errno::EINVAL | Errno::EOPNOTSUPP) => return Ok(Some((place, end))),
        Err(error) => return Err(error.into()),
    };
    let hole = seek(start, Whence::SeekHole)?.unsigned_abs();
    Ok(Some((start, hole.min(end))).filter(|(start, end)| start < end))
}

/// The content of a compressed image in a new file.
fn unpacked(
    image: &Image,
    part: &Path,
    to: &Path,
    progress: &dyn Progress,
) -> Result<(File, Option<[u8; 32]>), CustomiseError> {
    let failed = |source| CustomiseError::Write {
        path: to.to_owned(),
        source,
    };
    let mut file = private(part).map_err(failed)?;
    let mut stream = image.stream()?;
    progress.begin(Phase::Writing, image.content_size());
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    loop {
        let count = stream.fill(&mut buffer)?;
        if count == 0 {
            break;
        }
        at += count as u64;
        write_sparse(&mut file, &buffer[..count]).map_err(failed)?;
        progress.advance(count as u64);
    }
    file.set_len(at).map_err(failed)?;
    Ok((file, Some(stream.stored_sum()?)))
}

/// A new file that only its owner reads.
fn private(path: &Path) -> io::Result<File> {
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn write_sparse(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    for block in bytes.chunks(4096) {
        if block.iter().all(|byte| *byte == 0) {
            file.seek_relative(block.len() as i64)?;
        } else {
            file.write_all(block)?;
        }
    }
    Ok(())
}
