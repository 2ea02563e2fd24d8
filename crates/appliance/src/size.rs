use appliance_config::ByteSize;

/// Bytes as people read them, in decimal units as on the drive's box: 1.5 TB.
pub(crate) fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().si().to_string()
}
