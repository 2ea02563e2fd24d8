//! The kinds of value: each checks a value of a file and names itself in the reference. An error
//! completes a sentence that begins with the key: "must be …".

use std::marker::PhantomData;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Value;
use uuid::Uuid;

use crate::choice::Choice;

type Checked<T> = Result<T, String>;

/// A kind of value.
pub(crate) trait Kind {
    /// What it becomes in the settings.
    type Value: Serialize;

    /// Its name in the reference.
    fn name() -> String;

    /// Checks a value of a file.
    fn read(value: &Value) -> Checked<Self::Value>;

    /// The value as written in a file; `None` when there is none.
    fn show(value: &Self::Value) -> Option<String> {
        Value::try_from(value).ok().map(|value| value.to_string())
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident: $type:ty, $name:literal, $read:expr;)+) => {$(
        $(#[$doc])+
        pub(crate) enum $kind {}

        impl Kind for $kind {
            type Value = $type;

            fn name() -> String {
                $name.into()
            }

            fn read(value: &Value) -> Checked<$type> {
                $read(value)
            }
        }
    )+};
}

kinds! {
    /// The UUID of a drive.
    DriveUuid: Uuid, "UUID", uuid;
    /// An absolute path without `.`, `..` and other detours, and not `/`.
    AbsolutePath: PathBuf, "path", path;
    /// The name of one folder.
    FolderName: String, "name", folder_name;
    /// The name of a user, group, role or database: letters, digits, `_`, `-` and `.`.
    Name: String, "name", name;
    /// A name under `/dev/mapper`.
    MapperName: String, "name", mapper_name;
    /// The address of a web server, without a slash at the end.
    Address: String, "address", address;
    /// A systemd target.
    TargetUnit: String, "unit", |value| unit(value, &["target"]);
    /// A systemd service.
    ServiceUnit: String, "unit", |value| unit(value, &["service"]);
    /// Services and sockets, each once, at least one.
    Units: Vec<String>, "list of units", units;
    /// Glob patterns.
    Patterns: Vec<String>, "list of patterns", |value| list(value, text);
}

/// A whole number within bounds.
pub(crate) struct Number<T, const MIN: i64, const MAX: i64>(PhantomData<T>);

impl<T: TryFrom<i64> + Serialize, const MIN: i64, const MAX: i64> Kind for Number<T, MIN, MAX> {
    type Value = T;

    fn name() -> String {
        "number".into()
    }

    fn read(value: &Value) -> Checked<T> {
        let number = value.as_integer().filter(|it| (MIN..=MAX).contains(it));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("must be a whole number from {MIN} to {MAX}"))
    }
}

/// A time in seconds, from one second to one day.
pub(crate) enum Seconds {}

impl Kind for Seconds {
    type Value = Duration;

    fn name() -> String {
        "seconds".into()
    }

    fn read(value: &Value) -> Checked<Duration> {
        Number::<u64, 1, 86_400>::read(value).map(Duration::from_secs)
    }

    fn show(value: &Duration) -> Option<String> {
        Some(value.as_secs().to_string())
    }
}

/// An amount of memory or storage with its unit, within bounds in MiB.
pub(crate) enum Size<const MIN: u64, const MAX: u64> {}

impl<const MIN: u64, const MAX: u64> Kind for Size<MIN, MAX> {
    type Value = ByteSize;

    fn name() -> String {
        "size".into()
    }

    fn read(value: &Value) -> Checked<ByteSize> {
        let (from, to) = (ByteSize::mib(MIN), ByteSize::mib(MAX));
        let given = value.as_str().unwrap_or_default().trim();
        // A bare number is too easily meant as another unit than bytes.
        let bare = given.ends_with(|c: char| c.is_ascii_digit());
        let size = given.parse().ok();
        size.filter(|size| !bare && (from..=to).contains(size))
            .ok_or_else(|| format!("must be a size from {from} to {to}, such as \"512MiB\""))
    }

    fn show(value: &ByteSize) -> Option<String> {
        // Whole MiB: the shortest form that is read back as the same number.
        Some(format!(
            "\"{}MiB\"",
            value.as_u64() / ByteSize::mib(1).as_u64()
        ))
    }
}

/// One of a few words.
pub(crate) struct OneOf<T>(PhantomData<T>);

impl<T: Choice + Serialize + DeserializeOwned> Kind for OneOf<T> {
    type Value = T;

    fn name() -> String {
        let words = T::ALL
            .iter()
            .map(|choice| format!("`{:?}`", choice.as_str()));
        words.collect::<Vec<_>>().join(" or ")
    }

    fn read(value: &Value) -> Checked<T> {
        let given = text(value)?;
        let choice = value.clone().try_into();
        choice.map_err(|_| format!("must be {}, not {given:?}", Self::name().replace('`', "")))
    }
}

/// A value that may be left out.
impl<K: Kind> Kind for Option<K> {
    type Value = Option<K::Value>;

    fn name() -> String {
        K::name()
    }

    fn read(value: &Value) -> Checked<Self::Value> {
        K::read(value).map(Some)
    }

    fn show(value: &Self::Value) -> Option<String> {
        value.as_ref().and_then(K::show)
    }
}

/// One line of text, not empty.
fn text(value: &Value) -> Checked<String> {
    match value.as_str() {
        Some(text) if !text.is_empty() && !text.contains(char::is_control) => Ok(text.to_owned()),
        Some(_) => Err("must be one line of text, not empty".into()),
        None => Err(format!("must be a text in quotes, not {}", type_of(value))),
    }
}

fn path(value: &Value) -> Checked<PathBuf> {
    let given = text(value)?;
    let path = Path::new(&given);
    let direct: PathBuf = path
        .components()
        .filter(|part| matches!(part, Component::RootDir | Component::Normal(_)))
        .collect();
    let straight = direct.as_os_str() == path.as_os_str();
    if path.is_absolute() && straight && path.parent().is_some() {
        Ok(direct)
    } else {
        Err(format!(
            "must be an absolute path without \"..\" or a slash at its end, not {given:?}"
        ))
    }
}

fn folder_name(value: &Value) -> Checked<String> {
    let given = text(value)?;
    let mut parts = Path::new(&given).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) if name == given.as_str() => Ok(given),
        _ => Err(format!("must be the name of a folder, not {given:?}")),
    }
}

fn name(value: &Value) -> Checked<String> {
    let given = text(value)?;
    let fits = given.len() <= 63
        && given.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && given
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if fits {
        Ok(given)
    } else {
        Err(format!(
            "must be letters, digits, \"_\", \"-\" and \".\", beginning with a letter, not {given:?}"
        ))
    }
}

fn mapper_name(value: &Value) -> Checked<String> {
    let name = name(value)?;
    // The device-mapper's own control node is /dev/mapper/control.
    if name == "control" {
        return Err("must not be \"control\", which the kernel uses itself".into());
    }
    Ok(name)
}

/// The name of a systemd unit of one of these types.
fn unit(value: &Value, types: &[&str]) -> Checked<String> {
    let given = text(value)?;
    let fits = given.len() <= 255
        && given
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c))
        && given
            .rsplit_once('.')
            .is_some_and(|(stem, it)| !stem.is_empty() && types.contains(&it));
    if fits {
        Ok(given)
    } else {
        let types: Vec<_> = types.iter().map(|it| format!(".{it}")).collect();
        Err(format!(
            "must be a unit's name ending in {}, not {given:?}",
            types.join(" or ")
        ))
    }
}

fn units(value: &Value) -> Checked<Vec<String>> {
    let units = list(value, |value| unit(value, &["service", "socket"]))?;
    if units.is_empty() {
        return Err("must name at least one unit".into());
    }
    match units
        .iter()
        .enumerate()
        .find(|(at, unit)| units[..*at].contains(unit))
    {
        Some((_, twice)) => Err(format!("names {twice} twice")),
        None => Ok(units),
    }
}

fn list<T>(value: &Value, element: impl Fn(&Value) -> Checked<T>) -> Checked<Vec<T>> {
    let elements = value
        .as_array()
        .ok_or_else(|| format!("must be a list in brackets, not {}", type_of(value)))?;
    elements
        .iter()
        .enumerate()
        .map(|(at, one)| element(one).map_err(|why| format!("entry {}: {why}", at + 1)))
        .collect()
}

fn uuid(value: &Value) -> Checked<Uuid> {
    let given = text(value)?;
    let uuid = Uuid::try_parse(&given).ok().filter(|uuid| !uuid.is_nil());
    uuid.ok_or_else(|| format!("must be a UUID as `drive list` shows it, not {given:?}"))
}

fn address(value: &Value) -> Checked<String> {
    let given = text(value)?;
    let url = url::Url::parse(&given).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    // The address itself is not repeated: it may hold a password.
    let wrong = "must be an address like \"http://127.0.0.1:2283\", without user or query";
    url.map(|url| url.as_str().trim_end_matches('/').to_owned())
        .ok_or_else(|| wrong.into())
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a group",
    }
}
