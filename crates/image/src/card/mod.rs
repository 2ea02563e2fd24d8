//! A card: something of a fixed size that is written and read by place, past every cache.

mod buffer;
mod node;

use std::io;

pub use buffer::{ALIGNMENT, Buffer};
pub use node::{Node, eject, unmount};

/// A card that is being written. Places and lengths are multiples of [`ALIGNMENT`], except the
/// very end of a card whose size is none.
pub trait Card: Send {
    /// Its size in bytes.
    fn size(&self) -> u64;

    /// Writes some of `data` at `at`; gives how much.
    ///
    /// # Errors
    /// What the device said.
    fn write_at(&mut self, at: u64, data: &[u8]) -> io::Result<usize>;

    /// Reads some of what is at `at`, from the device and no cache; gives how much.
    ///
    /// # Errors
    /// What the device said.
    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Returns once everything written is on the medium.
    ///
    /// # Errors
    /// What the device said: some of it is not.
    fn sync(&mut self) -> io::Result<()>;
}

/// Writes all of `data`; a device that takes nothing any more is an error.
pub(crate) fn write_all(card: &mut dyn Card, at: u64, data: &[u8]) -> io::Result<()> {
    let mut done = 0;
    while done < data.len() {
        match card.write_at(at + done as u64, &data[done..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills `into`; a device that ends before that is an error.
pub(crate) fn read_exact(card: &mut dyn Card, at: u64, into: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while done < into.len() {
        match card.read_at(at + done as u64, &mut into[done..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
