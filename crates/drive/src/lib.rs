//! The drive: block devices, LUKS, file system, mount and folder layout.
