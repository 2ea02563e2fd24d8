//! From TOML values to checked Rust values. Each function's error completes a sentence that
//! begins with the key: "must be …".

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use toml::de::DeValue;
use uuid::Uuid;

type Checked<T> = Result<T, String>;

/// One line of text, not empty.
pub fn text(value: &DeValue<'_>) -> Checked<String> {
    match value.as_str() {
        Some(text) if !text.is_empty() && !text.contains(char::is_control) => Ok(text.to_owned()),
        Some(_) => Err("must be one line of text, not empty".into()),
        None => Err(format!("must be a text in quotes, not {}", kind(value))),
    }
}

/// One of a few words.
pub fn one_of<T: Copy>(value: &DeValue<'_>, choices: &[(&str, T)]) -> Checked<T> {
    let given = text(value)?;
    let found = choices.iter().find(|(word, _)| *word == given);
    found.map(|&(_, choice)| choice).ok_or_else(|| {
        let words: Vec<_> = choices
            .iter()
            .map(|(word, _)| format!("{word:?}"))
            .collect();
        format!("must be {}, not {given:?}", words.join(" or "))
    })
}

/// A whole number within bounds.
pub fn integer<T>(value: &DeValue<'_>, from: T, to: T) -> Checked<T>
where
    T: Copy + Into<i64> + TryFrom<i64>,
{
    let bounds = || {
        let (from, to): (i64, i64) = (from.into(), to.into());
        format!("must be a whole number from {from} to {to}")
    };
    let digits = value.as_integer().ok_or_else(bounds)?;
    i64::from_str_radix(digits.as_str(), digits.radix())
        .ok()
        .filter(|number| (from.into()..=to.into()).contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(bounds)
}

/// A time in seconds, from one second to one day.
pub fn seconds(value: &DeValue<'_>) -> Checked<Duration> {
    integer::<u32>(value, 1, 86_400).map(|seconds| Duration::from_secs(seconds.into()))
}

/// An amount of memory or storage with its unit, within bounds.
pub fn size(value: &DeValue<'_>, from: ByteSize, to: ByteSize) -> Checked<ByteSize> {
    let wrong = || format!("must be a size from {from} to {to}, such as \"512MiB\"");
    let given = value.as_str().ok_or_else(wrong)?;
    let bare = given.trim_end().ends_with(|c: char| c.is_ascii_digit());
    let size: ByteSize = given.trim().parse().map_err(|_| wrong())?;
    // A bare number is too easily meant as another unit than bytes.
    Some(size)
        .filter(|size| !bare && (from..=to).contains(size))
        .ok_or_else(wrong)
}

/// An absolute path without `.`, `..` and other detours, and not `/`.
pub fn path(value: &DeValue<'_>) -> Checked<PathBuf> {
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

/// The name of one folder.
pub fn folder_name(value: &DeValue<'_>) -> Checked<String> {
    let given = text(value)?;
    let mut parts = Path::new(&given).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) if name == given.as_str() => Ok(given),
        _ => Err(format!("must be the name of a folder, not {given:?}")),
    }
}

/// The name of a user, group, role or database: letters, digits, `_`, `-` and `.`.
pub fn name(value: &DeValue<'_>) -> Checked<String> {
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

/// The name of a systemd unit of one of these kinds.
pub fn unit(value: &DeValue<'_>, kinds: &[&str]) -> Checked<String> {
    let given = text(value)?;
    let fits = given.len() <= 255
        && given
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c))
        && given
            .rsplit_once('.')
            .is_some_and(|(stem, kind)| !stem.is_empty() && kinds.contains(&kind));
    if fits {
        Ok(given)
    } else {
        let kinds: Vec<_> = kinds.iter().map(|kind| format!(".{kind}")).collect();
        Err(format!(
            "must be a unit's name ending in {}, not {given:?}",
            kinds.join(" or ")
        ))
    }
}

/// Services and sockets, each once, at least one.
pub fn units(value: &DeValue<'_>) -> Checked<Vec<String>> {
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

/// A list.
pub fn list<T>(
    value: &DeValue<'_>,
    element: impl Fn(&DeValue<'_>) -> Checked<T>,
) -> Checked<Vec<T>> {
    let elements = value
        .as_array()
        .ok_or_else(|| format!("must be a list in brackets, not {}", kind(value)))?;
    elements
        .iter()
        .enumerate()
        .map(|(at, one)| element(one.get_ref()).map_err(|why| format!("entry {}: {why}", at + 1)))
        .collect()
}

/// The UUID of a drive.
pub fn uuid(value: &DeValue<'_>) -> Checked<Uuid> {
    let given = text(value)?;
    let wrong = || format!("must be a UUID as `drive list` shows it, not {given:?}");
    let uuid = Uuid::try_parse(&given).map_err(|_| wrong())?;
    Some(uuid).filter(|uuid| !uuid.is_nil()).ok_or_else(wrong)
}

/// The address of a web server, without a slash at the end.
pub fn url(value: &DeValue<'_>) -> Checked<String> {
    let given = text(value)?;
    let wrong = || {
        // The address itself is not repeated: it may hold a password.
        String::from("must be an address like \"http://127.0.0.1:2283\", without user or query")
    };
    let url = url::Url::parse(&given).map_err(|_| wrong())?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if plain {
        Ok(url.as_str().trim_end_matches('/').to_owned())
    } else {
        Err(wrong())
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a group",
    }
}
