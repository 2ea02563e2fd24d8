/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Receiving an image.
    Fetching,
    /// Looking whether a card has the room that it reports.
    Probing,
    /// Writing onto a card.
    Writing,
    /// Reading the card back and comparing.
    Comparing,
    /// Reading an image through for its sum.
    Checking,
}

/// Is told how far the work is; called from several threads.
pub trait Progress: Sync {
    /// A phase begins; `total` in bytes, where it is known.
    fn begin(&self, phase: Phase, total: Option<u64>);
    /// So many bytes more are done.
    fn advance(&self, bytes: u64);
    /// The phase is over.
    fn end(&self);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: Phase, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}
