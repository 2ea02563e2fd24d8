//! The person at the keyboard: under sudo and its like not the user that the program runs as.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{Gid, Uid, User, geteuid};

/// Longest file that is read, in bytes.
const LONGEST: &str = "65536";

/// Who started the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Person {
    /// The user that it runs as.
    Themselves(PathBuf),
    /// Another user, through sudo, doas or pkexec.
    Behind {
        /// The user's number.
        uid: Uid,
        /// The number of the user's group.
        gid: Gid,
        /// The user's home.
        home: PathBuf,
    },
}

impl Person {
    /// As the environment and the user database say. `None` if there is no home.
    pub fn here() -> Option<Self> {
        Self::of(geteuid(), |name| std::env::var(name).ok(), user)
            .or_else(|| std::env::home_dir().map(Self::Themselves))
    }

    /// The person behind root, if there is one.
    fn of(
        running_as: Uid,
        variable: impl Fn(&str) -> Option<String>,
        user: impl Fn(&Named) -> Option<User>,
    ) -> Option<Self> {
        if !running_as.is_root() {
            return None;
        }
        let number = |name| variable(name)?.parse::<u32>().ok();
        let named = match number("SUDO_UID").or_else(|| number("PKEXEC_UID")) {
            Some(uid) => Named::Uid(Uid::from_raw(uid)),
            None => Named::Name(variable("DOAS_USER")?),
        };
        let person = match (user(&named), named) {
            (Some(user), _) => Self::Behind {
                uid: user.uid,
                gid: user.gid,
                home: user.dir,
            },
            // A static program knows only the users of /etc/passwd; sudo knows the others too.
            (None, Named::Uid(uid)) => Self::Behind {
                uid,
                gid: Gid::from_raw(number("SUDO_GID")?),
                home: variable("SUDO_HOME")?.into(),
            },
            (None, Named::Name(_)) => return None,
        };
        match &person {
            Self::Behind { uid, .. } if uid.is_root() => None,
            _ => Some(person),
        }
    }

    /// The texts of the files with this extension in a folder of the home, in the order of their
    /// names. They are read with the person's own rights: root does not follow a link that
    /// somebody else can lay.
    pub fn texts(&self, folder: &str, extension: &str) -> Vec<String> {
        let (Self::Themselves(home) | Self::Behind { home, .. }) = self;
        let mut files: Vec<_> = fs::read_dir(home.join(folder))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == extension))
            .collect();
        files.sort();
        files.iter().filter_map(|path| self.read(path)).collect()
    }

    fn read(&self, path: &Path) -> Option<String> {
        let Self::Behind { uid, gid, .. } = self else {
            return fs::read_to_string(path).ok();
        };
        let output = Command::new("head")
            .args(["-c", LONGEST, "--"])
            .arg(path)
            // Supplementary groups go with the user.
            .uid(uid.as_raw())
            .gid(gid.as_raw())
            .current_dir("/")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        output.status.success().then_some(())?;
        String::from_utf8(output.stdout).ok()
    }
}

/// How sudo and its like name a user.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    Uid(Uid),
    Name(String),
}

fn user(named: &Named) -> Option<User> {
    match named {
        Named::Uid(uid) => User::from_uid(*uid),
        Named::Name(name) => User::from_name(name),
    }
    .ok()
    .flatten()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    const ROOT: Uid = Uid::from_raw(0);
    const NOBODY: u32 = 65534;

    fn person(running_as: Uid, variables: &[(&str, &str)]) -> Option<(u32, PathBuf)> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        };
        match Person::of(running_as, variable, user)? {
            Person::Behind { uid, home, .. } => Some((uid.as_raw(), home)),
            Person::Themselves(home) => panic!("{}", home.display()),
        }
    }

    #[test]
    fn sudo_doas_and_pkexec_each_tell_whose_home_it_is() {
        let nobody = User::from_uid(Uid::from_raw(NOBODY)).unwrap().unwrap();
        let expected = Some((NOBODY, nobody.dir));
        assert_eq!(person(ROOT, &[("SUDO_UID", "65534")]), expected);
        assert_eq!(person(ROOT, &[("PKEXEC_UID", "65534")]), expected);
        assert_eq!(person(ROOT, &[("DOAS_USER", &nobody.name)]), expected);
        // A user that /etc/passwd does not know.
        let variables = [
            ("SUDO_UID", "4000000000"),
            ("SUDO_GID", "4000000000"),
            ("SUDO_HOME", "/home/mum"),
        ];
        let expected = Some((4_000_000_000, PathBuf::from("/home/mum")));
        assert_eq!(person(ROOT, &variables), expected);
    }

    #[test]
    fn who_is_not_behind_root_has_their_own_home() {
        assert_eq!(person(ROOT, &[]), None);
        assert_eq!(person(ROOT, &[("SUDO_UID", "0")]), None);
        assert_eq!(person(ROOT, &[("SUDO_UID", "mum")]), None);
        let other = Uid::from_raw(1000);
        assert_eq!(person(other, &[("SUDO_UID", "65534")]), None);
    }

    #[test]
    fn what_the_person_may_not_read_is_not_read_for_them() {
        if !geteuid().is_root() {
            println!("SKIPPED: only root reads as somebody else");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_owned();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
        let keys = home.join(".ssh");
        fs::create_dir(&keys).unwrap();
        let secret = home.join("secret");
        fs::write(&secret, "of root").unwrap();
        // The group is root's own: a group that was kept would read it.
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(keys.join("a.pub"), "ssh-ed25519 A").unwrap();
        fs::set_permissions(keys.join("a.pub"), fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&secret, keys.join("b.pub")).unwrap();
        fs::write(keys.join("c"), "private").unwrap();
        for path in [&keys, &keys.join("a.pub")] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let behind = Person::Behind {
            uid: Uid::from_raw(NOBODY),
            gid: Gid::from_raw(NOBODY),
            home: home.clone(),
        };
        assert_eq!(behind.texts(".ssh", "pub"), ["ssh-ed25519 A"]);
        let root = Person::Themselves(home);
        assert_eq!(root.texts(".ssh", "pub"), ["ssh-ed25519 A", "of root"]);
    }
}
