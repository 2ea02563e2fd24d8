use nix::unistd::{Group, User};

/// The user and group that own a file, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// A user or group that could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// The name is unknown to this machine.
    #[error("there is no {kind} named {name:?} on this machine")]
    Unknown {
        /// "user" or "group".
        kind: &'static str,
        /// The name that was looked up.
        name: String,
    },
    /// The user database could not be read.
    #[error("cannot look up the {kind} {name:?}")]
    Lookup {
        /// "user" or "group".
        kind: &'static str,
        /// The name that was looked up.
        name: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl Owner {
    /// root:root.
    pub const ROOT: Self = Self { uid: 0, gid: 0 };

    /// A user with its own group, whatever that is called.
    ///
    /// # Errors
    /// When the name is unknown or the user database cannot be read.
    pub fn of_user(user: &str) -> Result<Self, OwnerError> {
        let user = found("user", user, User::from_name(user))?;
        Ok(Self {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        })
    }

    /// Whoever this process runs as.
    pub fn of_this_process() -> Self {
        Self {
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
        }
    }

    /// Looks up a user and a group by name, through the system's own resolution (NSS).
    ///
    /// # Errors
    /// When either name is unknown or the user database cannot be read.
    pub fn lookup(user: &str, group: &str) -> Result<Self, OwnerError> {
        let uid = found("user", user, User::from_name(user))?.uid.as_raw();
        let gid = found("group", group, Group::from_name(group))?.gid.as_raw();
        Ok(Self { uid, gid })
    }
}

fn found<T>(
    kind: &'static str,
    name: &str,
    answer: nix::Result<Option<T>>,
) -> Result<T, OwnerError> {
    match answer {
        Ok(Some(entry)) => Ok(entry),
        Ok(None) => Err(OwnerError::Unknown {
            kind,
            name: name.to_owned(),
        }),
        Err(errno) => Err(OwnerError::Lookup {
            kind,
            name: name.to_owned(),
            source: errno.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_by_name() {
        assert_eq!(Owner::lookup("root", "root").unwrap(), Owner::ROOT);
    }

    #[test]
    fn an_unknown_name_is_said_with_its_kind() {
        let user = Owner::lookup("no-such-user-here", "root").unwrap_err();
        assert_eq!(
            user.to_string(),
            "there is no user named \"no-such-user-here\" on this machine"
        );
        let group = Owner::lookup("root", "no-such-group-here").unwrap_err();
        assert!(matches!(group, OwnerError::Unknown { kind: "group", .. }));
    }
}
