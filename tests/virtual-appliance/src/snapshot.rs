//! A machine frozen right after boot, with a layer of files on top of the
//! image. Every scenario wakes a copy of its own in seconds.

use std::{
    fs::{self, Permissions},
    iter,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    cache::{self, InUse, Key},
    disk::Disk,
    error::{Doing, Error, Result},
    image::BaseImage,
    machine::Machine,
    probe::{self, Accelerator},
    qemu::{self, Boot},
    turn,
};

/// The disk that was plugged in, in a snapshot's folder.
const PLUGGED: &str = "plugged.raw";

/// What else belongs to the snapshot of a machine with a disk.
const BESIDE: &str = "beside";

/// What a snapshot has over the base image: files, then commands that put them
/// to use.
#[derive(Debug, Default, Clone)]
pub struct Layer {
    files: Vec<(String, u32, Vec<u8>)>,
    commands: Vec<String>,
}

impl Layer {
    /// Adds a file at an absolute path, with its mode.
    #[must_use]
    pub fn file(mut self, path: &str, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), mode, content.into()));
        self
    }

    /// Adds a file or, under the path, a folder of the host with all in it.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when it cannot be read.
    pub fn copy(mut self, path: &str, mode: u32, from: &Path) -> Result<Self> {
        let doing = || format!("reading {}", from.display());
        if !from.is_dir() {
            return Ok(self.file(path, mode, fs::read(from).doing(doing)?));
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(from).doing(doing)? {
            names.push(entry.doing(doing)?.file_name());
        }
        names.sort();
        for name in names {
            let path = format!("{path}/{}", name.to_string_lossy());
            self = self.copy(&path, mode, &from.join(name))?;
        }
        Ok(self)
    }

    /// Adds a command that root runs once the files are there.
    #[must_use]
    pub fn command(mut self, line: &str) -> Self {
        self.commands.push(line.to_owned());
        self
    }

    fn add_to(&self, key: &mut Key) {
        for (path, mode, content) in &self.files {
            key.add(&format!("{path} {mode:o}"), content);
        }
        for command in &self.commands {
            key.add("command", command.as_bytes());
        }
    }

    fn install(&self, machine: &Machine) -> Result<()> {
        let staging = tempfile::tempdir().doing(|| "making a folder for the layer".into())?;
        for (path, mode, content) in &self.files {
            let path = staging.path().join(path.trim_start_matches('/'));
            let folder = path.parent().unwrap_or(staging.path());
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&path, content))
                .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(*mode)))
                .doing(|| format!("writing {}", path.display()))?;
        }
        machine.upload(staging.path(), "/")?;
        for command in &self.commands {
            machine.sh(command)?;
        }
        Ok(())
    }
}

/// A frozen machine.
#[derive(Debug, Clone)]
pub struct Snapshot {
    image: Arc<BaseImage>,
    accelerator: Accelerator,
    folder: Arc<InUse>,
    /// What its disk is based on, one on the other, which has to stay.
    bases: Vec<Arc<InUse>>,
}

impl Snapshot {
    /// The snapshot of an image with a layer, made first if it is not there.
    ///
    /// # Errors
    /// As booting a machine and running the layer's commands in it.
    pub fn ensure(image: &Arc<BaseImage>, layer: &Layer) -> Result<Self> {
        let accelerator = Accelerator::probe(image)?;
        let mut key = Key::default();
        key.add("image", image.key.as_bytes());
        key.add("qemu", probe::qemu_version()?.as_bytes());
        key.add("hardware", qemu::HARDWARE.join(" ").as_bytes());
        key.add("kernel arguments", qemu::KERNEL_ARGUMENTS.as_bytes());
        key.add("accelerator", accelerator.identity().as_bytes());
        layer.add_to(&mut key);
        // Before the shelf's lock, never after it: whoever holds a turn may be
        // waiting for that lock.
        let _turn = turn::take()?;
        let folder = cache::ensure("snapshots", &key.finish(), |folder| {
            let mut machine = Machine::from_base("snapshot", image)?;
            machine.boot()?;
            layer.install(&machine)?;
            machine.save(&folder.join("state"), &folder.join("disk.qcow2"))
        })?;
        Ok(Self {
            image: Arc::clone(image),
            accelerator,
            folder: Arc::new(folder),
            bases: Vec::new(),
        })
    }

    /// The snapshot of what a machine becomes that starts from this one and has a USB disk
    /// plugged in, made first if it is not there. `steps` is everything that decides what
    /// `make` does; it gives the running machine and its disk, and may put files into the folder
    /// that it is told, which [`Snapshot::beside`] is then. Those of one `kind` are made one
    /// after another, so one kind is never made within itself.
    ///
    /// # Errors
    /// As `make`, and as saving the machine.
    pub fn with_disk<E: From<Error>>(
        &self,
        kind: &str,
        steps: &[u8],
        make: impl FnOnce(&Path) -> std::result::Result<(Machine, Disk), E>,
    ) -> std::result::Result<Self, E> {
        let mut key = Key::default();
        // A snapshot that was made anew has another disk, even if from the same parts.
        let state = self.path("state");
        let made = fs::metadata(&state).and_then(|state| state.modified());
        let made = made.doing(|| format!("looking at {}", state.display()))?;
        key.add("on", self.folder.path().as_os_str().as_encoded_bytes());
        key.add("of", format!("{made:?}").as_bytes());
        key.add("steps", steps);
        let _turn = turn::take()?;
        let folder = cache::ensure(kind, &key.finish(), |folder| {
            let beside = folder.join(BESIDE);
            fs::create_dir(&beside).doing(|| format!("making {}", beside.display()))?;
            let (machine, disk) = make(&beside)?;
            machine.save(&folder.join("state"), &folder.join("disk.qcow2"))?;
            disk.keep(&folder.join(PLUGGED))?;
            Ok::<_, E>(())
        })?;
        Ok(Self {
            image: Arc::clone(&self.image),
            accelerator: self.accelerator,
            folder: Arc::new(folder),
            bases: self.disks(),
        })
    }

    /// A machine of its own that goes on where the snapshot was taken, with a copy of the
    /// disk that was plugged in.
    ///
    /// # Errors
    /// As [`Snapshot::start`], and when the disk cannot be copied.
    pub fn start_with_disk(&self, name: &str, serial: &str) -> Result<(Machine, Disk)> {
        let disk = Disk::copy(serial, &self.path(PLUGGED))?;
        let machine = self.woken(name, Some(&disk))?;
        Ok((machine, disk))
    }

    /// The folder of what was put beside it.
    pub fn beside(&self) -> PathBuf {
        self.path(BESIDE)
    }

    /// A machine of its own that goes on where the snapshot was taken.
    ///
    /// # Errors
    /// [`Error::Ended`](crate::Error::Ended) or [`Error::Qmp`](crate::Error::Qmp) when QEMU cannot
    /// load the snapshot.
    pub fn start(&self, name: &str) -> Result<Machine> {
        self.woken(name, None)
    }

    fn woken(&self, name: &str, disk: Option<&Disk>) -> Result<Machine> {
        let mut machine = Machine::new(
            name,
            self.accelerator,
            Boot::Kernel(Arc::clone(&self.image)),
            &self.path("disk.qcow2"),
            self.disks(),
        )?;
        machine.wake(&self.path("state"), disk)?;
        Ok(machine)
    }

    /// What a disk is based on that is based on this one.
    fn disks(&self) -> Vec<Arc<InUse>> {
        let own = iter::once(&self.folder);
        own.chain(&self.bases).cloned().collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(layer: &Layer) -> String {
        let mut key = Key::default();
        layer.add_to(&mut key);
        key.finish()
    }

    #[test]
    fn a_layers_every_part_counts() {
        let layer = Layer::default().file("/a", 0o644, "x").command("true");
        let others = [
            Layer::default().file("/b", 0o644, "x").command("true"),
            Layer::default().file("/a", 0o755, "x").command("true"),
            Layer::default().file("/a", 0o644, "y").command("true"),
            Layer::default().file("/a", 0o644, "x").command("false"),
            Layer::default().file("/a", 0o644, "x"),
        ];
        for other in others {
            assert_ne!(key(&layer), key(&other), "{other:?}");
        }
    }

    #[test]
    fn a_folder_is_copied_with_all_in_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::write(folder.path().join("sub/b"), "2").unwrap();
        fs::write(folder.path().join("a"), "1").unwrap();
        let layer = Layer::default()
            .copy("/etc/x", 0o644, folder.path())
            .unwrap();
        let paths: Vec<&str> = layer.files.iter().map(|(path, ..)| path.as_str()).collect();
        assert_eq!(paths, ["/etc/x/a", "/etc/x/sub/b"]);
    }
}
