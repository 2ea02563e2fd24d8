//! The photo server that a family owns: unlock, start, back up, recover.
fn main() {}
