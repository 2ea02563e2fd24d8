use std::net::IpAddr;

use ipnet::IpNet;
use secrecy::SecretString;
use toml::{Table, Value};

use crate::fields::{FIELDS, Field, Kind};
use crate::{MAX_BYTES, Problems, validate};

/// What a person wants the box to be. Everything in it has been checked.
///
/// `Debug` shows no secret.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The box's name in the network, in lower case.
    pub hostname: Option<String>,
    /// A name from the time zone database.
    pub time_zone: Option<String>,
    /// A UTF-8 locale.
    pub locale: Option<String>,
    /// Public keys of those who may sign in, one line each.
    pub ssh_keys: Vec<String>,
    /// Hash of the administrator's password.
    pub password_hash: Option<SecretString>,
    /// The wireless network.
    pub wifi: Option<Wifi>,
    /// A fixed address.
    pub network: Option<StaticAddress>,
    /// The Tailscale network.
    pub tailscale: Option<Tailnet>,
}

/// A wireless network.
#[derive(Debug, Clone)]
pub struct Wifi {
    /// Its name, 1 to 32 bytes.
    pub ssid: String,
    /// Passphrase or key; `None` for an open network.
    pub passphrase: Option<SecretString>,
    /// Two capital letters.
    pub country: Option<String>,
    /// Whether it does not tell its name.
    pub hidden: bool,
}

/// A fixed address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticAddress {
    /// The address and its network.
    pub address: IpNet,
    /// The router, in the same network.
    pub gateway: IpAddr,
    /// Name servers; the router when none is given.
    pub dns: Vec<IpAddr>,
    /// The interface, where a certain one is meant.
    pub interface: Option<String>,
}

/// Joining a Tailscale network.
#[derive(Debug, Clone)]
pub struct Tailnet {
    /// The key to join with.
    pub auth_key: SecretString,
    /// A control server other than Tailscale's own.
    pub login_server: Option<String>,
}

impl Settings {
    /// Reads a settings file. A byte order mark and Windows' line ends are no error.
    ///
    /// Not by serde's derives: their messages quote the value they refuse, which may be secret,
    /// and end at the first; here all problems are told at once.
    ///
    /// # Errors
    /// Every problem, each with the field and the reason.
    pub fn parse(bytes: &[u8]) -> Result<Self, Problems> {
        if bytes.len() > MAX_BYTES {
            let reason = format!("is larger than {} KiB", MAX_BYTES / 1024);
            return Err(Problems::one("the file", reason));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| {
            Problems::one(
                "the file",
                "is not UTF-8 text: save it as UTF-8 in the editor",
            )
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let table: Table = toml::from_str(text).map_err(|error| syntax(text, &error))?;
        Self::from_table(&table)
    }

    /// As [`Settings::parse`], from TOML that is read already.
    ///
    /// # Errors
    /// As [`Settings::parse`].
    pub fn from_table(table: &Table) -> Result<Self, Problems> {
        let mut problems = Problems(Vec::new());
        known("", table, &mut problems);
        let settings = validate::settings(&Given(table), &mut problems);
        if problems.0.is_empty() {
            Ok(settings)
        } else {
            // One field can be wrong in two ways; the first says enough.
            let mut seen = std::collections::HashSet::new();
            problems
                .0
                .retain(|problem| seen.insert(problem.field.clone()));
            Err(problems)
        }
    }

    /// Whether somebody could sign in with nothing but these settings.
    pub fn lets_somebody_in(&self) -> bool {
        !self.ssh_keys.is_empty() || self.password_hash.is_some()
    }
}

/// The parser's own words, without the line it shows: that line may hold a secret.
fn syntax(text: &str, error: &toml::de::Error) -> Problems {
    let line = error.span().map(|span| {
        let before = text.as_bytes().get(..span.start).unwrap_or_default();
        before.iter().filter(|&&byte| byte == b'\n').count() + 1
    });
    let place = line.map_or_else(|| "the file".to_owned(), |line| format!("line {line}"));
    // A duplicate key is named in the message; values are not.
    let words = error.message().lines().next().unwrap_or("unknown");
    Problems::one(place, format!("is not valid TOML: {words}"))
}

/// Unknown keys and wrong types, with the nearest known name.
fn known(group: &str, table: &Table, problems: &mut Problems) {
    for (key, value) in table {
        let name = if group.is_empty() {
            key.clone()
        } else {
            format!("{group}.{key}")
        };
        let field = FIELDS
            .iter()
            .find(|field| field.group == group && field.key == key);
        let is_group = group.is_empty() && FIELDS.iter().any(|field| field.group == key);
        match (field, value) {
            (Some(field), value) if !fits(field.kind, value) => {
                problems.add(name, format!("must be {}", field.kind.in_words()));
            }
            (Some(_), _) => {}
            (None, Value::Table(inner)) if is_group => known(key, inner, problems),
            (None, _) if is_group => {
                problems.add(
                    name,
                    format!("must be a group: a line [{key}] and its fields"),
                );
            }
            (None, _) => {
                // A key is what the person typed; a secret pasted there must not be repeated.
                let shown = if name.len() <= 40 {
                    name
                } else {
                    "a key".into()
                };
                let mut known: Vec<&Field> =
                    FIELDS.iter().filter(|field| field.group == group).collect();
                known.dedup_by_key(|field| field.key);
                let keys: Vec<&str> = known.iter().map(|field| field.key).collect();
                problems.add(
                    shown,
                    format!("is not known; the fields here are {}", keys.join(", ")),
                );
            }
        }
    }
}

fn fits(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Text | Kind::Secret => value.is_str(),
        Kind::Flag => value.is_bool(),
        Kind::Texts => value
            .as_array()
            .is_some_and(|values| values.iter().all(Value::is_str)),
    }
}

/// The values as they were given. A value of the wrong type is told by [`known`] and counts as
/// missing here.
pub(crate) struct Given<'a>(&'a Table);

impl<'a> Given<'a> {
    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.0.get(group).is_some_and(Value::is_table)
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        match name.split_once('.') {
            Some((group, key)) => self.0.get(group)?.as_table()?.get(key),
            None => self.0.get(name),
        }
    }

    /// Whether there is a value, of whatever type.
    pub(crate) fn is_there(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.value(name)?.as_str()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.value(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<&'a str> {
        self.value(name)
            .and_then(Value::as_array)
            .map(|values| values.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default()
    }
}
