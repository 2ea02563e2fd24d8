//! Files that survive a power cut: written to a temporary name, synced, renamed, the folder synced.
