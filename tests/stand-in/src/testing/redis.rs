use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::settings::RedisAddress;

/// A throwaway Redis, which keeps nothing and ends with this value.
pub struct Redis {
    folder: TempDir,
    process: Child,
}

impl Redis {
    /// Starts one on a Unix socket.
    ///
    /// # Errors
    /// When Redis is not installed, or does not start.
    pub fn start() -> Result<Self, String> {
        let folder = tempfile::Builder::new()
            .prefix("redis-")
            .tempdir()
            .map_err(|error| error.to_string())?;
        let socket = folder.path().join("redis.sock");
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server cannot be run: {error}"))?;
        let redis = Self { folder, process };
        for _ in 0..200 {
            if UnixStream::connect(&socket).is_ok() {
                return Ok(redis);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("redis-server does not start".to_owned())
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> RedisAddress {
        RedisAddress::Socket(self.folder.path().join("redis.sock"))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
