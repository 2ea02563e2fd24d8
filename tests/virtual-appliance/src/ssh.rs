//! The SSH connection to a machine, which all commands in it share.

use std::{
    fs,
    io::Read,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    cache,
    error::{Doing, Result},
    process::{output, program, quote, spawn_tied, tied},
};

/// The key that opens every machine, made once and kept beside the images.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) private: PathBuf,
    pub(crate) public: String,
}

impl Key {
    pub(crate) fn ensure() -> Result<Self> {
        let folder = cache::ensure("keys", "ssh", |folder| {
            output(
                program("ssh-keygen", "openssh-client")?
                    .args([
                        "-q",
                        "-t",
                        "ed25519",
                        "-N",
                        "",
                        "-C",
                        "virtual-appliance",
                        "-f",
                    ])
                    .arg(folder.join("id_ed25519")),
            )
            .map(drop)
        })?;
        let private = folder.path().join("id_ed25519");
        let public = private.with_extension("pub");
        let public =
            fs::read_to_string(&public).doing(|| format!("reading {}", public.display()))?;
        Ok(Self {
            private,
            public: public.trim().to_owned(),
        })
    }
}

/// The connection to one machine.
#[derive(Debug)]
pub(crate) struct Ssh {
    port: u16,
    key: PathBuf,
    control: PathBuf,
    master: Child,
}

impl Ssh {
    /// Whether a machine's SSH server answers on this port of the host. QEMU
    /// accepts connections for a machine that is not there yet, so only the
    /// server's greeting counts.
    pub(crate) fn answers(port: u16) -> bool {
        let patience = Duration::from_secs(5);
        TcpStream::connect(("127.0.0.1", port))
            .and_then(|mut stream| {
                stream.set_read_timeout(Some(patience))?;
                let mut greeting = [0; 4];
                stream.read_exact(&mut greeting)?;
                Ok(greeting == *b"SSH-")
            })
            .unwrap_or(false)
    }

    /// Connects; none when the connection does not come about before the deadline.
    pub(crate) fn connect(
        port: u16,
        key: &Key,
        control: &Path,
        deadline: Instant,
    ) -> Result<Option<Self>> {
        let mut command = tied("ssh");
        command
            .args(options(port, &key.private, control))
            .args(["-o", "ControlMaster=yes", "-N", "root@127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let master = spawn_tied(command).doing(|| "starting ssh".into())?;
        let mut ssh = Self {
            port,
            key: key.private.clone(),
            control: control.to_owned(),
            master,
        };
        while Instant::now() < deadline {
            if ssh.control.exists() && ssh.is_alive() {
                return Ok(Some(ssh));
            }
            if ssh.has_ended() {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(None)
    }

    /// Whether the connection stands.
    pub(crate) fn is_alive(&self) -> bool {
        self.client()
            .args(["-O", "check", "root@127.0.0.1"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.master.try_wait(), Ok(None))
    }

    /// The beginning of an ssh command that uses this connection, never one of
    /// its own: it ends at once when this one is gone.
    pub(crate) fn client(&self) -> Command {
        let mut command = Command::new("ssh");
        command
            .args(options(self.port, &self.key, &self.control))
            .args(["-o", "ControlMaster=no", "-o", "ProxyCommand=false"]);
        command
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        let _ = self.master.kill();
        let _ = self.master.wait();
        let _ = fs::remove_file(&self.control);
    }
}

fn options(port: u16, key: &Path, control: &Path) -> Vec<String> {
    let mut arguments = vec!["-F".into(), "none".into(), "-p".into(), port.to_string()];
    arguments.extend(["-i".into(), key.display().to_string()]);
    arguments.extend(["-S".into(), control.display().to_string()]);
    for option in [
        "IdentitiesOnly=yes",
        "BatchMode=yes",
        // Every machine has keys of its own and none lives long.
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "GlobalKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
        // What an emulated processor computes quickest.
        "KexAlgorithms=curve25519-sha256",
        "HostKeyAlgorithms=ssh-ed25519",
        "ConnectTimeout=60",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=8",
    ] {
        arguments.extend(["-o".into(), option.into()]);
    }
    arguments
}

/// The command with which a person logs in to a machine.
pub(crate) fn login_line(port: u16, key: &Key) -> String {
    format!(
        "ssh -i {} -p {port} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@127.0.0.1",
        quote(&key.private.display().to_string())
    )
}
