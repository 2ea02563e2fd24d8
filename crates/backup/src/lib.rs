//! Backups: a restic repository, written and read by rustic_core.
