//! The two passes over a card, each spread over threads: reading and unpacking, summing, writing.

use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::thread;

use sha2::{Digest, Sha256};

use super::{FlashError, Options};
use crate::card::{ALIGNMENT, Buffer, Card, read_exact, write_all};
use crate::source::Stream;
use crate::{CHUNK, HEAD, Progress};

/// Buffers on their way at a time: one for each thread, and one between each two.
const BUFFERS: usize = 6;

/// A stretch of the card as it was written.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub at: u64,
    pub length: usize,
    sum: [u8; 32],
}

/// What the first pass did.
pub(super) struct Written {
    /// Size of the image in bytes.
    pub size: u64,
    /// Bytes that were written, those withheld included.
    pub written: u64,
    /// What is on the card now.
    pub chunks: Vec<Chunk>,
    /// What is not yet: the first MiB and, where the image reaches so far, the card's end.
    pub withheld: Vec<(u64, Buffer)>,
}

/// A buffer on its way, and what is in it.
struct Loaded {
    at: u64,
    length: usize,
    buffer: Buffer,
}

/// Image to card, all but the start and the end.
pub(super) fn write(
    stream: &mut Stream,
    card: &mut dyn Card,
    options: &Options<'_>,
    tail: u64,
    progress: &dyn Progress,
) -> Result<Written, FlashError> {
    let size = card.size();
    thread::scope(|scope| {
        let (free, pool) = channel();
        for _ in 0..BUFFERS {
            // Both ends are here: this cannot fail.
            let _ = free.send(Buffer::new(CHUNK));
        }
        let (loaded, to_sum) = sync_channel::<Loaded>(1);
        let (summed, to_write) = sync_channel::<(Loaded, Option<Chunk>)>(1);
        let reader = scope.spawn(move || {
            load(stream, options, size, tail, &pool, |chunk| {
                loaded.send(chunk).is_ok()
            })
        });
        scope.spawn(move || {
            for chunk in to_sum {
                let withheld = chunk.at < HEAD || chunk.at >= tail;
                let sum = (!withheld).then(|| Chunk {
                    at: chunk.at,
                    length: chunk.length,
                    sum: Sha256::digest(&chunk.buffer[..chunk.length]).into(),
                });
                if summed.send((chunk, sum)).is_err() {
                    break;
                }
            }
        });
        let mut done = Written {
            size: 0,
            written: 0,
            chunks: Vec::new(),
            withheld: Vec::new(),
        };
        for (chunk, sum) in &to_write {
            let Loaded { at, length, buffer } = chunk;
            done.written += length as u64;
            progress.advance(length as u64);
            let Some(sum) = sum else {
                let mut kept = Buffer::new(length);
                kept.copy_from_slice(&buffer[..length]);
                done.withheld.push((at, kept));
                let _ = free.send(buffer);
                continue;
            };
            write_all(card, at, &buffer[..length])
                .map_err(|source| FlashError::Write { at, source })?;
            done.chunks.push(sum);
            let _ = free.send(buffer);
        }
        drop(to_write);
        done.size = reader.join().map_err(|_| FlashError::Thread)??;
        Ok(done)
    })
}

/// Reads, unpacks, customises and pads; gives the image's size.
fn load(
    stream: &mut Stream,
    options: &Options<'_>,
    card: u64,
    tail: u64,
    pool: &Receiver<Buffer>,
    mut pass_on: impl FnMut(Loaded) -> bool,
) -> Result<u64, FlashError> {
    let mut at = 0;
    let mut spare = None;
    loop {
        let buffer = match spare.take() {
            Some(buffer) => Some(buffer),
            None => pool.recv().ok(),
        };
        let Some(mut buffer) = buffer else {
            // The writer failed, and says so itself.
            return Ok(at);
        };
        let count = stream.fill(&mut buffer)?;
        if count == 0 {
            return Ok(at);
        }
        let end = at + count as u64;
        if end > card {
            return Err(FlashError::Overflow { card });
        }
        let patched = options.patches.apply(at, &mut buffer[..count]);
        let skipped = !patched
            && at >= HEAD
            && at < tail
            && options
                .bmap
                .is_some_and(|map| !map.holds_data(at, count as u64));
        if skipped {
            if let Some(place) = buffer[..count].iter().position(|byte| *byte != 0) {
                let at = at + place as u64;
                return Err(FlashError::Bmap { at });
            }
            spare = Some(buffer);
        } else {
            let length = padded(count, at, card);
            buffer[count..length].fill(0);
            if !pass_on(Loaded { at, length, buffer }) {
                return Ok(at);
            }
        }
        at = end;
    }
}

/// The image's last bytes fill a block, as far as the card has one.
fn padded(count: usize, at: u64, card: u64) -> usize {
    let whole = count.next_multiple_of(ALIGNMENT);
    if at + whole as u64 <= card {
        whole
    } else {
        count.next_multiple_of(512).min((card - at) as usize)
    }
}

/// Card to sums. Gives the first stretch that differs, with what is there.
pub(super) fn compare(
    card: &mut dyn Card,
    chunks: &[Chunk],
    progress: &dyn Progress,
) -> Result<Option<(Chunk, Buffer)>, FlashError> {
    thread::scope(|scope| {
        let (free, pool) = channel();
        for _ in 0..BUFFERS {
            let _ = free.send(Buffer::new(CHUNK));
        }
        let (read, to_sum) = sync_channel::<(Chunk, Buffer)>(BUFFERS);
        let summing = scope.spawn(move || {
            for (chunk, buffer) in to_sum {
                let sum: [u8; 32] = Sha256::digest(&buffer[..chunk.length]).into();
                if sum != chunk.sum {
                    return Some((chunk, buffer));
                }
                progress.advance(chunk.length as u64);
                let _ = free.send(buffer);
            }
            None
        });
        let mut failed = None;
        for chunk in chunks {
            // Summing stopped at a difference, and gives no buffer back.
            let Ok(mut buffer) = pool.recv() else { break };
            let at = chunk.at;
            if let Err(source) = read_exact(card, at, &mut buffer[..chunk.length]) {
                failed = Some(FlashError::Read { at, source });
                break;
            }
            if read.send((chunk.clone(), buffer)).is_err() {
                break;
            }
        }
        drop(read);
        let differing = summing.join().map_err(|_| FlashError::Thread)?;
        match (differing, failed) {
            (None, Some(error)) => Err(error),
            (differing, _) => Ok(differing),
        }
    })
}
