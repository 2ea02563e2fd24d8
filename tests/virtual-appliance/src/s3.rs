//! A real S3 server beside the machine, which can die and come back.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{Mutex, PoisonError},
};

use crate::{
    cargo,
    error::{Doing, Error, Result},
    process::{spawn_tied, tied},
};

/// The host, as a machine sees it.
const HOST: &str = "10.0.2.2";

/// An S3 server whose buckets are folders. It listens on 127.0.0.1 only, which
/// machines reach as 10.0.2.2.
#[derive(Debug)]
pub struct S3Server {
    folder: PathBuf,
    port: u16,
    access_key: String,
    secret_key: String,
    child: Option<Child>,
}

impl S3Server {
    /// Starts a server over a folder, in which each folder is a bucket.
    ///
    /// # Errors
    /// [`Error::Program`] when it cannot be built, [`Error::Io`] when it does
    /// not start.
    pub fn start(folder: &Path) -> Result<Self> {
        let mut server = Self {
            folder: folder.to_owned(),
            port: 0,
            access_key: "family".into(),
            secret_key: format!("secret-{}", std::process::id()),
            child: None,
        };
        server.resume()?;
        Ok(server)
    }

    /// Makes a bucket, if it is not there.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder does not take it.
    pub fn bucket(&self, name: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::create_dir_all(&path).doing(|| format!("making {}", path.display()))
    }

    /// Kills the server, in the middle of whatever it is doing.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again, on the same port and folder.
    ///
    /// # Errors
    /// As [`S3Server::start`].
    pub fn resume(&mut self) -> Result<()> {
        self.stop();
        let mut command = tied(program()?);
        command
            .arg("--port")
            .arg(self.port.to_string())
            .arg(&self.folder)
            .env("S3_ACCESS_KEY", &self.access_key)
            .env("S3_SECRET_KEY", &self.secret_key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = spawn_tied(command).doing(|| "starting the S3 server".into())?;
        // It says its port once it listens.
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .doing(|| "listening to the S3 server".into())?;
        }
        self.child = Some(child);
        self.port = line.trim().parse().map_err(|_| Error::Program {
            program: "s3-server".into(),
            status: "no port".into(),
            stderr: line,
        })?;
        Ok(())
    }

    /// Its address as seen from the host.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its address as seen from a machine.
    pub fn guest_endpoint(&self) -> String {
        format!("http://{HOST}:{}", self.port)
    }

    /// The access key's name.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The access key's secret, good for this server only.
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn program() -> Result<PathBuf> {
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut known = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = &*known {
        return Ok(path.clone());
    }
    let built = cargo::build(&["-p", "virtual-appliance", "--bin", "s3-server"])?;
    Ok(known
        .insert(cargo::pick(&built, "s3-server")?.clone())
        .clone())
}
