//! Files into a machine and out of it, over its SSH connection.

use std::{fs, path::Path};

use crate::{
    error::{Doing, Result},
    machine::Machine,
    process::{output, program, quote},
};

impl Machine {
    /// Writes a file in the machine, with the folders on the way to it.
    ///
    /// # Errors
    /// As [`Machine::sh`].
    pub fn write(&self, path: &str, content: impl Into<Vec<u8>>) -> Result<()> {
        let path = quote(path);
        self.command(&format!("mkdir -p \"$(dirname {path})\" && cat >{path}"))
            .stdin(content)
            .run()?
            .ok()
            .map(drop)
    }

    /// Reads a file in the machine.
    ///
    /// # Errors
    /// As [`Machine::sh`].
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let output = self.run(&format!("cat {}", quote(path)))?;
        let content = output.stdout.clone();
        output.ok().map(|_| content)
    }

    /// Copies a folder of the host into a folder of the machine.
    ///
    /// # Errors
    /// As [`Machine::sh`], and [`Error::Program`](crate::Error::Program) when packing fails.
    pub fn upload(&self, from: &Path, to: &str) -> Result<()> {
        let pack = ["--owner=0", "--group=0", "--create", "--directory"];
        let packed = output(program("tar", "tar")?.args(pack).arg(from).arg("."))?.stdout;
        let to = quote(to);
        self.command(&format!(
            "mkdir -p {to} && tar --extract --no-overwrite-dir --directory {to}"
        ))
        .stdin(packed)
        .run()?
        .ok()
        .map(drop)
    }

    /// Copies a folder of the machine into a folder of the host.
    ///
    /// # Errors
    /// As [`Machine::sh`], and [`Error::Program`](crate::Error::Program) when unpacking fails.
    pub fn download(&self, from: &str, to: &Path) -> Result<()> {
        let packed = self.run(&format!("tar --create --directory {} .", quote(from)))?;
        let archive = self.run_folder().join("download.tar");
        fs::create_dir_all(to)
            .and_then(|()| fs::write(&archive, &packed.stdout))
            .doing(|| format!("writing {}", archive.display()))?;
        packed.ok()?;
        output(
            program("tar", "tar")?
                .args(["--extract", "--no-same-owner", "--directory"])
                .arg(to)
                .arg("--file")
                .arg(&archive),
        )?;
        fs::remove_file(&archive).doing(|| format!("removing {}", archive.display()))
    }
}
