//! What the box remembers outside the drive: which drive is its own, and its last good backup.
