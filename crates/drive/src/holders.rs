//! Who holds files under a mount point.

use std::path::{Path, PathBuf};

use procfs::ProcError;
use procfs::process::{FDTarget, MMapPath, Process, all_processes};
use serde::Serialize;

/// A process that keeps a mount point busy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Process ID.
    pub pid: i32,
    /// Short command name.
    pub command: String,
    /// One of the files it holds.
    pub path: PathBuf,
    /// How it holds it.
    pub how: How,
}

/// How a process holds a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Working directory.
    WorkingDirectory,
    /// Root directory.
    Root,
    /// Open file.
    OpenFile,
    /// Mapped file.
    Mapped,
}

/// The process table could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the process table: {why}")]
pub struct HoldersError {
    /// Why.
    pub why: String,
}

/// Every process but this one that holds something at or under `mount_point`, one entry each, in
/// the order of their IDs. Processes that end meanwhile or may not be looked into are passed over.
///
/// # Errors
/// When `/proc` cannot be listed.
pub fn holders(mount_point: &Path) -> Result<Vec<Holder>, HoldersError> {
    let unreadable = |error: ProcError| HoldersError {
        why: error.to_string(),
    };
    let own = std::process::id();
    let mut holders: Vec<Holder> = all_processes()
        .map_err(unreadable)?
        .flatten()
        .filter(|process| u32::try_from(process.pid) != Ok(own))
        .filter_map(|process| {
            let (path, how) = held(&process, mount_point)?;
            Some(Holder {
                pid: process.pid,
                command: command(&process),
                path,
                how,
            })
        })
        .collect();
    holders.sort_by_key(|holder| holder.pid);
    Ok(holders)
}

/// The first thing that the process holds there. Compared by path, not by device: asking the
/// device of a file would hang on the dead network mounts of other people's processes.
fn held(process: &Process, mount_point: &Path) -> Option<(PathBuf, How)> {
    let there = |path: &PathBuf| path.starts_with(mount_point);
    if let Some(path) = process.cwd().ok().filter(there) {
        return Some((path, How::WorkingDirectory));
    }
    if let Some(path) = process.root().ok().filter(there) {
        return Some((path, How::Root));
    }
    let open = process.fd().ok().and_then(|fds| {
        fds.flatten().find_map(|fd| match fd.target {
            FDTarget::Path(path) => Some(path).filter(there),
            _ => None,
        })
    });
    if let Some(path) = open {
        return Some((path, How::OpenFile));
    }
    let maps = process.maps().ok()?;
    maps.into_iter().find_map(|map| match map.pathname {
        MMapPath::Path(path) if there(&path) => Some((path, How::Mapped)),
        _ => None,
    })
}

fn command(process: &Process) -> String {
    process
        .stat()
        .map_or_else(|_| "?".to_owned(), |stat| stat.comm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::process::{Command, Stdio};
    use tempfile::TempDir;

    /// A child that sleeps with its standard input from `file` and in `folder`.
    fn sleeper(file: Option<&Path>, folder: &Path) -> std::process::Child {
        let stdin = file.map_or(Stdio::null(), |file| File::open(file).unwrap().into());
        Command::new("sleep")
            .arg("60")
            .stdin(stdin)
            .current_dir(folder)
            .spawn()
            .unwrap()
    }

    #[test]
    fn whoever_holds_a_file_or_stands_in_a_folder_is_named() {
        let folder = TempDir::new().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let file = root.join("photo.jpg");
        fs::write(&file, "x").unwrap();
        let mut reader = sleeper(Some(&file), Path::new("/"));
        let mut stander = sleeper(None, &root);

        let found = holders(&root).unwrap();
        for child in [&mut reader, &mut stander] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let of = |child: &std::process::Child| {
            found
                .iter()
                .find(|holder| u32::try_from(holder.pid) == Ok(child.id()))
                .unwrap_or_else(|| panic!("{found:?}"))
        };
        let open = of(&reader);
        assert_eq!((open.how, open.path.as_path()), (How::OpenFile, &*file));
        assert_eq!(open.command, "sleep");
        let standing = of(&stander);
        assert_eq!(
            (standing.how, standing.path.as_path()),
            (How::WorkingDirectory, &*root)
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_folder_whose_name_only_begins_alike_is_not_held() {
        let folder = TempDir::new().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let other = root.join("drive-two");
        fs::create_dir(&other).unwrap();
        let mut stander = sleeper(None, &other);
        let found = holders(&root.join("drive"));
        stander.kill().unwrap();
        stander.wait().unwrap();
        assert_eq!(found.unwrap(), []);
    }
}
