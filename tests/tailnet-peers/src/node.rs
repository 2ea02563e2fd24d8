//! A machine that may join the tailnet.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::web::{Answer, get};
use crate::{Headscale, Programs};

/// A running tailscaled with its own state, without any rights on this machine's network:
/// connections from the tailnet end at 127.0.0.1, and those into it begin at a proxy.
#[derive(Debug)]
pub struct Node {
    programs: Programs,
    socket: PathBuf,
    proxy: SocketAddr,
    process: Option<Process>,
    folder: TempDir,
}

impl Node {
    /// Starts it, in no tailnet.
    #[must_use]
    pub fn start(programs: &Programs) -> Self {
        let folder = tempfile::tempdir().expect("making a folder");
        let (process, proxy) = launch(programs, folder.path());
        Self {
            programs: programs.clone(),
            socket: folder.path().join("socket"),
            proxy,
            process: Some(process),
            folder,
        }
    }

    /// tailscaled's socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Joins the tailnet as a family's phone does, by Tailscale's own command.
    pub fn join(&self, headscale: &Headscale, hostname: &str) {
        let key = self.folder.path().join("key");
        std::fs::write(&key, headscale.auth_key("1h")).expect("writing the key");
        let output = Command::new(self.programs.program("tailscale"))
            .arg("--socket")
            .arg(&self.socket)
            .args(["up", "--timeout=60s", "--login-server", headscale.url()])
            .args(["--hostname", hostname])
            .arg(format!("--auth-key=file:{}", key.display()))
            .output()
            .expect("running tailscale");
        assert!(output.status.success(), "{output:?}\n{}", self.log());
    }

    /// Opens an address as a program on this machine does: through the tailnet.
    ///
    /// # Errors
    /// When nothing answers in time.
    pub fn get(&self, url: &str) -> std::io::Result<Answer> {
        get(url, Some(self.proxy))
    }

    /// Stops tailscaled, as a machine does that is switched off.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again with the state it had.
    pub fn start_again(&mut self) {
        self.stop();
        let (process, proxy) = launch(&self.programs, self.folder.path());
        self.process = Some(process);
        self.proxy = proxy;
    }

    /// What tailscaled wrote.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }
}

fn launch(programs: &Programs, folder: &Path) -> (Process, SocketAddr) {
    let socket = folder.join("socket");
    let mut process = Process::start(
        Command::new(programs.program("tailscaled"))
            .args(["--tun=userspace-networking", "--port=0"])
            .arg("--no-logs-no-support")
            .arg("--socks5-server=127.0.0.1:0")
            .arg("--outbound-http-proxy-listen=127.0.0.1:0")
            .arg(format!("--statedir={}", folder.display()))
            .arg(format!("--socket={}", socket.display()))
            // headscale's relay is spoken to without TLS here.
            .env("TS_DEBUG_USE_DERP_HTTP", "true"),
        &folder.join("log"),
    );
    let proxy = process.until("tailscaled answers", |log| {
        let said = log.split("HTTP proxy listening on ").nth(1)?;
        let address = said.split_whitespace().next()?.parse().ok()?;
        std::os::unix::net::UnixStream::connect(&socket).ok()?;
        Some(address)
    });
    (process, proxy)
}
