//! Running the e2fsprogs: no inherited environment, no questions, English.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::FilesystemError;

/// Where distributions keep them, for a caller whose PATH lacks the system's folders.
const FOLDERS: &str = "/usr/sbin:/sbin:/usr/bin:/bin:/run/current-system/sw/bin";

/// So much of what a tool said fits an error.
const SAID: usize = 2000;

pub(super) fn run<'a>(
    tool: &'static str,
    arguments: impl IntoIterator<Item = &'a OsStr>,
) -> Result<Output, FilesystemError> {
    let mut path = env::var_os("PATH").unwrap_or_default();
    if !path.is_empty() {
        path.push(":");
    }
    path.push(FOLDERS);
    // Resolved here: `Command` would look along our own PATH, not the child's.
    let program = find(tool, &path).unwrap_or_else(|| OsString::from(tool));
    Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", path)
        .env("LC_ALL", "C")
        // Defaults come from our arguments, not from what the distribution prefers.
        .env("MKE2FS_CONFIG", "/dev/null")
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| FilesystemError::Start { tool, source })
}

fn find(tool: &str, path: &OsStr) -> Option<OsString> {
    env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(tool))
        .find(|program| program.is_file())
        .map(Into::into)
}

/// The end of what a tool said on both streams.
pub(super) fn said(output: &Output) -> String {
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    let said = said.trim();
    let mut start = said.len().saturating_sub(SAID);
    while !said.is_char_boundary(start) {
        start += 1;
    }
    said[start..].to_owned()
}

pub(super) fn failed(tool: &'static str, device: &Path, output: &Output) -> FilesystemError {
    FilesystemError::Failed {
        tool,
        device: device.to_owned(),
        status: output.status.to_string(),
        output: said(output),
    }
}
