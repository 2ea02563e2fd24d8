//! Real LUKS2 headers on sparse files. Mappings need a device mapper and are tested in the
//! virtual appliance.

#![allow(clippy::unwrap_used, clippy::panic)]

mod drive;
mod formatting;
mod header;
mod keyslots;
mod overwritten;

use drive::{Drive, keyslot_of, secret};

#[test]
fn libcryptsetup_may_be_called_from_many_threads() {
    let drive = Drive::formatted();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert_eq!(
                    keyslot_of(&drive.path, &secret("correct horse")).unwrap(),
                    0
                )
            });
        }
    });
}
