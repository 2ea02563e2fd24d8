//! Secrets: where they are read from, how they are made, and that they are wiped.
