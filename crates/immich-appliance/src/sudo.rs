//! Run as an ordinary user, the tool runs itself again through sudo.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Context;

/// Options that name a file descriptor. sudo closes every descriptor but the standard
/// ones, so the one that is named is handed over as standard input.
const DESCRIPTOR_OPTIONS: [&str; 3] = [
    "--passphrase-fd",
    "--repository-password-fd",
    "--auth-key-fd",
];

/// Whether the tool must run itself again to be allowed what it has to do.
pub fn is_needed() -> bool {
    !nix::unistd::geteuid().is_root()
}

/// Replaces this process by the same command run through sudo.
///
/// # Errors
/// If sudo cannot be run, or more than one secret would have to pass through it by a
/// file descriptor.
pub fn run_again() -> anyhow::Result<Infallible> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let (arguments, descriptors) = redirect(std::env::args_os().skip(1).collect());
    match descriptors.as_slice() {
        [] | [0] => {}
        [descriptor] => {
            // SAFETY: the number is only used for dup2, which answers EBADF when it is
            // not an open descriptor; nothing here closes it.
            let given = unsafe { BorrowedFd::borrow_raw(*descriptor) };
            nix::unistd::dup2_stdin(given)
                .with_context(|| format!("cannot pass file descriptor {descriptor} on to sudo"))?;
        }
        _ => anyhow::bail!(
            "only one secret can be passed through sudo by file descriptor: run the command with \
             sudo, or pass the others by file"
        ),
    }
    let error = Command::new("sudo")
        .arg("--")
        .arg(program)
        .args(arguments)
        .exec();
    Err(error).context("this needs root, and sudo could not be run")
}

/// Rewrites the descriptor options to 0 and returns the descriptors they named.
fn redirect(arguments: Vec<OsString>) -> (Vec<OsString>, Vec<i32>) {
    let mut descriptors = Vec::new();
    let mut rewritten = Vec::with_capacity(arguments.len());
    let mut value_expected = false;
    for argument in arguments {
        if value_expected {
            value_expected = false;
            rewritten.push(take(&argument, &mut descriptors).unwrap_or(argument));
            continue;
        }
        value_expected = DESCRIPTOR_OPTIONS.iter().any(|option| argument == **option);
        let joined = DESCRIPTOR_OPTIONS.iter().find_map(|option| {
            let value = argument
                .as_bytes()
                .strip_prefix(option.as_bytes())?
                .strip_prefix(b"=")?;
            let value = take(OsStr::from_bytes(value), &mut descriptors)?;
            Some([option.as_bytes(), b"=", value.as_bytes()].concat())
        });
        rewritten.push(joined.map_or(argument, OsString::from_vec));
    }
    (rewritten, descriptors)
}

fn take(value: &OsStr, descriptors: &mut Vec<i32>) -> Option<OsString> {
    descriptors.push(value.to_str()?.parse().ok()?);
    Some("0".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirected(arguments: &[&str]) -> (Vec<String>, Vec<i32>) {
        let (rewritten, descriptors) = redirect(arguments.iter().map(OsString::from).collect());
        let rewritten = rewritten
            .into_iter()
            .map(|a| a.into_string().unwrap())
            .collect();
        (rewritten, descriptors)
    }

    #[test]
    fn a_descriptor_becomes_standard_input_in_both_spellings() {
        let (rewritten, descriptors) = redirected(&["unlock", "--passphrase-fd", "7", "--start"]);
        assert_eq!(rewritten, ["unlock", "--passphrase-fd", "0", "--start"]);
        assert_eq!(descriptors, [7]);
        let (rewritten, descriptors) = redirected(&["unlock", "--passphrase-fd=7"]);
        assert_eq!(rewritten, ["unlock", "--passphrase-fd=0"]);
        assert_eq!(descriptors, [7]);
    }

    #[test]
    fn everything_else_passes_untouched() {
        let (rewritten, descriptors) = redirected(&["backup", "ls", "latest", "--json"]);
        assert_eq!(rewritten, ["backup", "ls", "latest", "--json"]);
        assert!(descriptors.is_empty());
    }
}
