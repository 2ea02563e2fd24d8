//! The steps carried out.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use appliance_files::{Owner, create_dir_durably, write_durably, write_durably_owned};
use nix::unistd::User;
use secrecy::{ExposeSecret, SecretString};

use crate::Tailnet;
use crate::plan::FirstBootStep;

/// The box that is set up.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The root of its file system; another folder in tests.
    pub root: PathBuf,
    /// The user who signs in.
    pub user: String,
    /// The file of those who may sign in by key; `None`: in the user's home.
    pub keys_file: Option<PathBuf>,
    /// A file of the SSH server's that lets the user in by password, written as long as there is
    /// no key; `None`: the SSH server's configuration is left alone.
    pub password_sign_in_file: Option<PathBuf>,
    /// The folder of what the box remembers.
    pub state: PathBuf,
}

/// Name of the file that hands over the Tailscale key, in the folder of what the box remembers.
pub const TAILSCALE_KEY: &str = "tailscale-auth-key";

/// Name of the file beside it with the control server, if it is not Tailscale's.
pub const TAILSCALE_SERVER: &str = "tailscale-login-server";

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] appliance_files::FileError),
    /// A file or folder could not be read, made or linked.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The user who signs in does not exist.
    #[error("there is no user {0} on this box")]
    NoUser(String),
    /// The time zone's rules are not here.
    #[error("this box has no rules for the time zone {0}")]
    NoTimeZone(String),
    /// A program failed, or is missing.
    #[error("{program} failed: {why}")]
    Program {
        /// Which.
        program: &'static str,
        /// What it said.
        why: String,
    },
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ApplyError {
    let path = path.to_owned();
    move |source| ApplyError::File {
        action,
        path,
        source,
    }
}

impl Machine {
    fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// Whether this is the system that runs, and not a folder of a test's.
    fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Carries one step out.
    ///
    /// # Errors
    /// [`ApplyError`]; the same step can be tried again.
    pub fn apply(&self, step: &FirstBootStep) -> Result<(), ApplyError> {
        match step {
            FirstBootStep::Hostname(name) => self.hostname(name),
            FirstBootStep::TimeZone(zone) => self.time_zone(zone),
            FirstBootStep::Locale(locale) => self.locale(locale),
            FirstBootStep::AuthorizedKeys(keys) => self.authorized_keys(keys),
            FirstBootStep::Password(hash) => self.password(hash),
            FirstBootStep::NetworkFile(network) => {
                let path = self.root.join(&network.path);
                make_folders(&path)?;
                let content = network.content.expose_secret().as_bytes();
                Ok(write_durably(&path, content, network.mode)?)
            }
            FirstBootStep::RadioCountry(country) => {
                let path = self.path("etc/modprobe.d/immich-appliance-wifi.conf");
                make_folders(&path)?;
                let text = format!("options cfg80211 ieee80211_regdom={country}\n");
                Ok(write_durably(&path, text.as_bytes(), 0o644)?)
            }
            FirstBootStep::Tailnet(tailnet) => self.tailnet(tailnet),
        }
    }

    fn hostname(&self, name: &str) -> Result<(), ApplyError> {
        let path = self.path("etc/hostname");
        write_durably(&path, format!("{name}\n").as_bytes(), 0o644)?;
        let hosts = self.path("etc/hosts");
        match fs::read_to_string(&hosts) {
            Ok(text) => write_durably(&hosts, hosts_with(&text, name).as_bytes(), 0o644)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(file("read", &hosts)(error)),
        }
        if self.is_live() {
            nix::unistd::sethostname(name)
                .map_err(|errno| file("set the name from", &path)(errno.into()))?;
        }
        Ok(())
    }

    fn time_zone(&self, zone: &str) -> Result<(), ApplyError> {
        let folder = ["usr/share/zoneinfo", "etc/zoneinfo"]
            .into_iter()
            .find(|folder| self.path(folder).join(zone).is_file())
            .ok_or_else(|| ApplyError::NoTimeZone(zone.to_owned()))?;
        let link = self.path("etc/localtime");
        let new = self.path("etc/.localtime.new");
        let _ = fs::remove_file(&new);
        symlink(Path::new("/").join(folder).join(zone), &new).map_err(file("link", &new))?;
        fs::rename(&new, &link).map_err(file("put in place", &link))?;
        appliance_files::sync_dir(&self.path("etc"))?;
        // Debian keeps the name a second time.
        let name = self.path("etc/timezone");
        if name.exists() {
            write_durably(&name, format!("{zone}\n").as_bytes(), 0o644)?;
        }
        Ok(())
    }

    fn locale(&self, locale: &str) -> Result<(), ApplyError> {
        let text = format!("LANG={locale}\n");
        write_durably(&self.path("etc/locale.conf"), text.as_bytes(), 0o644)?;
        // Where Debian's sessions look.
        if self.path("etc/default").is_dir() {
            write_durably(&self.path("etc/default/locale"), text.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    fn authorized_keys(&self, keys: &[String]) -> Result<(), ApplyError> {
        if let Some(path) = &self.keys_file {
            make_folders(path)?;
            let text: String = keys.iter().map(|key| format!("{key}\n")).collect();
            write_durably(path, text.as_bytes(), 0o644)?;
        } else {
            let user = self.user()?;
            let owner = Owner {
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
            };
            let home = self
                .root
                .join(user.dir.strip_prefix("/").unwrap_or(&user.dir));
            let folder = home.join(".ssh");
            create_dir_durably(&folder, 0o700, Some(owner))?;
            let path = folder.join("authorized_keys");
            let old = match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
                Err(error) => return Err(file("read", &path)(error)),
            };
            write_durably_owned(&path, with_keys(&old, keys).as_bytes(), 0o600, owner)?;
        }
        // By key only, once there is one.
        if let Some(path) = &self.password_sign_in_file {
            appliance_files::remove_durably(path)?;
        }
        Ok(())
    }

    fn password(&self, hash: &SecretString) -> Result<(), ApplyError> {
        self.user()?;
        // By standard input: an argument could be read by every user of the machine.
        let failed = |why: String| ApplyError::Program {
            program: "chpasswd",
            why,
        };
        let mut command = Command::new("chpasswd");
        command.arg("--encrypted");
        if !self.is_live() {
            command.arg("--root").arg(&self.root);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let line = zeroize::Zeroizing::new(format!("{}:{}\n", self.user, hash.expose_secret()));
        if let Some(mut input) = child.stdin.take() {
            // What it says on its error output tells more than a pipe that broke.
            let _ = input.write_all(line.as_bytes());
        }
        let output = child
            .wait_with_output()
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            ));
        }
        let has_key = self
            .keys_file
            .as_ref()
            .is_some_and(|path| fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0));
        if let Some(path) = self.password_sign_in_file.as_ref().filter(|_| !has_key) {
            make_folders(path)?;
            let text = format!("Match User {}\n  PasswordAuthentication yes\n", self.user);
            write_durably(path, text.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    fn tailnet(&self, tailnet: &Tailnet) -> Result<(), ApplyError> {
        let key = tailnet.auth_key.expose_secret().as_bytes();
        write_durably(&self.state.join(TAILSCALE_KEY), key, 0o600)?;
        let server = self.state.join(TAILSCALE_SERVER);
        match &tailnet.login_server {
            Some(address) => write_durably(&server, address.as_bytes(), 0o600)?,
            None => {
                appliance_files::remove_durably(&server)?;
            }
        }
        Ok(())
    }

    fn user(&self) -> Result<User, ApplyError> {
        User::from_name(&self.user)
            .ok()
            .flatten()
            .ok_or_else(|| ApplyError::NoUser(self.user.clone()))
    }
}

/// The folders above a file, readable for all as those of /etc are.
fn make_folders(path: &Path) -> Result<(), ApplyError> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    fs::create_dir_all(folder).map_err(file("make the folder", folder))
}

/// `/etc/hosts` in which the box knows its own name.
fn hosts_with(text: &str, name: &str) -> String {
    let own = format!("127.0.1.1 {name}");
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("127.0.1.1"))
        .collect();
    lines.push(&own);
    lines.join("\n") + "\n"
}

/// An old list of keys with the new ones it does not hold yet.
fn with_keys(old: &str, keys: &[String]) -> String {
    let mut text = old.trim_end().to_owned();
    for key in keys {
        if !old.lines().any(|line| line.trim() == key) {
            if !text.is_empty() {
                text.push('\n');
            }
            text += key;
        }
    }
    text + "\n"
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_boxs_name_stands_in_hosts_once_however_often_it_changes() {
        let once = hosts_with("127.0.0.1 localhost\n127.0.1.1 old\n::1 localhost\n", "new");
        assert_eq!(once, "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 new\n");
        assert_eq!(hosts_with(&once, "new"), once);
    }

    #[test]
    fn keys_are_added_once_and_none_is_taken_away() {
        let keys = [
            "ssh-ed25519 A one".to_owned(),
            "ssh-ed25519 B two".to_owned(),
        ];
        let once = with_keys("ssh-ed25519 B two", &keys);
        assert_eq!(once, "ssh-ed25519 B two\nssh-ed25519 A one\n");
        assert_eq!(with_keys(&once, &keys), once);
        assert_eq!(with_keys("", &keys[..1]), "ssh-ed25519 A one\n");
    }
}
