use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::Timestamp;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use rustic_core::repofile::Node;

use super::Owners;
use super::job::Failure;
use crate::mode;

/// Gives what was restored its owner, extended attributes, mode and times, in the order in which
/// none undoes another. Returns what failed.
pub(super) fn apply(path: &Path, node: &Node, owners: Owners) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut attempt = |what: &str, result: io::Result<()>| {
        if let Err(error) = result {
            failures.push(Failure::io(what, path, error));
        }
    };
    if owners == Owners::Numeric {
        let result = std::os::unix::fs::lchown(path, node.meta.uid, node.meta.gid);
        attempt("set the owner of", result);
    }
    for attribute in &node.meta.extended_attributes {
        let name = attribute.name.as_str();
        // Others than the file's owner may set need root, as other owners do.
        if owners == Owners::Numeric || name.starts_with("user.") {
            let value = attribute.value.as_deref().unwrap_or_default();
            let what = format!("set the attribute {name} of");
            attempt(&what, set_attribute(path, name, value));
        }
    }
    if let Some(bits) = node.meta.mode
        && !node.is_symlink()
    {
        let permissions = std::fs::Permissions::from_mode(mode::from_go(bits));
        attempt(
            "set the mode of",
            std::fs::set_permissions(path, permissions),
        );
    }
    if let Some(modified) = node.meta.mtime {
        let accessed = node.meta.atime.unwrap_or(modified);
        let result = utimensat(
            AT_FDCWD,
            path,
            &time(accessed),
            &time(modified),
            UtimensatFlags::NoFollowSymlink,
        );
        attempt("set the times of", result.map_err(io::Error::from));
    }
    failures
}

fn set_attribute(path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    if xattr::get(path, name).is_ok_and(|found| found.as_deref() == Some(value)) {
        return Ok(());
    }
    xattr::set(path, name, value)
}

/// The kernel wants nanoseconds counted up from the second, also before 1970.
fn time(timestamp: Timestamp) -> TimeSpec {
    let nanoseconds = timestamp.as_nanosecond();
    let part = |n: i128| i64::try_from(n).unwrap_or_default();
    TimeSpec::new(
        part(nanoseconds.div_euclid(1_000_000_000)),
        part(nanoseconds.rem_euclid(1_000_000_000)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1970_counts_its_nanoseconds_upwards() {
        let early = Timestamp::from_nanosecond(-1).unwrap();
        assert_eq!(time(early), TimeSpec::new(-1, 999_999_999));
    }
}
