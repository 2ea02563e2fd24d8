//! A folder that may not be written to. Root may, so this test runs as an ordinary user.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use appliance_backup::{Error, Repository};
use common::{local, options};
use nix::unistd::{Uid, geteuid, seteuid};

#[test]
fn a_place_that_may_not_be_written_to_is_told() {
    if geteuid().is_root() {
        seteuid(Uid::from_raw(65534)).unwrap();
    }
    let place = tempfile::tempdir().unwrap();
    let set_mode =
        |mode| fs::set_permissions(place.path(), fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o500);
    let target = local(&place.path().join("repo"));
    let result = Repository::init_or_join(&target, &options());
    set_mode(0o700);
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
}
