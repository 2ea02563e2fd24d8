use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, Error, ValueDeserializer};

use crate::error::{ConfigError, Place};
use crate::fragment::{Fragment, KeyDoc, NAME};
use crate::kind::{Kind, Name};
use crate::settings::{Settings, SettingsFragment};

/// The configuration file that is read first; it may be missing.
pub const CONFIG_FILE: &str = "/etc/immich-appliance/config.toml";
/// The folder whose `*.toml` files are read after it, by name; it may be missing.
pub const CONFIG_FOLDER: &str = "/etc/immich-appliance/config.d";

impl Settings {
    /// Reads the configuration: this one file if one is given (it must exist), else
    /// [`CONFIG_FILE`] and the fragments in [`CONFIG_FOLDER`]. A later file wins key by key.
    ///
    /// # Errors
    /// When a file cannot be read or is not valid; the error says where.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        match file {
            Some(file) => read(&[(file.to_path_buf(), Missing::Refused)]),
            None => Self::load_from(Path::new(CONFIG_FILE), Path::new(CONFIG_FOLDER)),
        }
    }

    /// As [`Settings::load`] without a file, from another place than `/etc`.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn load_from(file: &Path, folder: &Path) -> Result<Self, ConfigError> {
        let mut files = vec![(file.to_path_buf(), Missing::Accepted)];
        files.extend(
            fragments(folder)?
                .into_iter()
                .map(|file| (file, Missing::Refused)),
        );
        read(&files)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Accepted,
    Refused,
}

/// The fragments in a folder in the order they are read: by name, hidden files left out.
fn fragments(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let failed = |source| ConfigError::Read {
        file: folder.to_path_buf(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let hidden = path
            .file_name()
            .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden
            && path
                .extension()
                .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(files: &[(PathBuf, Missing)]) -> Result<Settings, ConfigError> {
    let mut merged = Merged::<SettingsFragment>::new();
    for (file, missing) in files {
        match fs::read_to_string(file) {
            Ok(text) => merged.add(file, &text)?,
            Err(error)
                if *missing == Missing::Accepted && error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                let file = file.clone();
                return Err(ConfigError::Read { file, source });
            }
        }
    }
    merged.finish()
}

/// What the files set so far, and which line each key was last set in.
struct Merged<F> {
    fragment: F,
    keys: Vec<KeyDoc>,
    places: HashMap<String, Place>,
}

impl<F: Fragment<Value: Default> + Default> Merged<F> {
    fn new() -> Self {
        let mut keys = Vec::new();
        F::describe("", "", &F::Value::default(), &mut keys);
        Self {
            fragment: F::default(),
            keys,
            places: HashMap::new(),
        }
    }

    fn add(&mut self, file: &Path, text: &str) -> Result<(), ConfigError> {
        let place = |at: usize| Place {
            file: file.to_path_buf(),
            line: 1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count(),
        };
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            place: place(error.span().map_or(0, |span| span.start)),
            reason: error.message().to_owned(),
        })?;
        self.add_table(&place, &[], table.get_ref())
    }

    /// Reads each value as a fragment of its own, in the order of the file: so an error is about
    /// one key, and the first is the topmost.
    fn add_table<'i>(
        &mut self,
        place: &dyn Fn(usize) -> Place,
        above: &[Key<'i>],
        table: &DeTable<'i>,
    ) -> Result<(), ConfigError> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let here = place(key.span().start);
            let path = [above, std::slice::from_ref(key)].concat();
            let names: Vec<_> = path.iter().map(|key| written(key.get_ref())).collect();
            let key = names.join(".");
            let refused = |reason: &str| ConfigError::Value {
                place: here.clone(),
                key: key.clone(),
                reason: reason.into(),
            };
            let Some(at) = self.keys.iter().find_map(|known| at(&known.key, &names)) else {
                return Err(self.unknown(here, key, &names));
            };
            if at == At::NamedTable {
                let name = path[above.len()].get_ref().as_ref();
                Name::read(&name.into()).map_err(|reason| refused(&reason))?;
            }
            match value.get_ref() {
                _ if at == At::Value => {}
                // It sets nothing, but may be one of those by name.
                DeValue::Table(inside) if inside.is_empty() => {}
                DeValue::Table(inside) => {
                    self.add_table(place, &path, inside)?;
                    continue;
                }
                _ => return Err(self.unknown(here, key, &names)),
            }
            let fragment = alone(&path, value).map_err(|error| refused(error.message()))?;
            self.fragment.merge(fragment);
            self.places.insert(key, here);
        }
        Ok(())
    }

    fn unknown(&self, place: Place, key: String, path: &[String]) -> ConfigError {
        let similar = self.keys.iter().flat_map(|known| {
            let parts = with_names(&known.key, path);
            [&parts[..parts.len().min(path.len())], &parts[..]].map(|parts| parts.join("."))
        });
        let similar = similar
            .filter(|known| *known != key && !known.ends_with(NAME) && alike(known, &key))
            .min_by_key(|known| known.len().abs_diff(key.len()));
        ConfigError::UnknownKey {
            place,
            key,
            similar,
        }
    }

    fn settings(self) -> F::Value {
        let mut settings = F::Value::default();
        self.fragment.apply(&mut settings);
        settings
    }
}

impl Merged<SettingsFragment> {
    /// Checks what only shows when everything is read.
    fn finish(mut self) -> Result<Settings, ConfigError> {
        let mut places = std::mem::take(&mut self.places);
        let settings = self.settings();
        let services = &settings.services;
        let stranger = services
            .database_units
            .iter()
            .find(|&unit| !services.units.contains(unit));
        let (key, unit) = match stranger {
            Some(unit) => ("services.database_units", unit),
            None if services.units.contains(&services.server_unit) => return Ok(settings),
            None => ("services.server_unit", &services.server_unit),
        };
        let reason = format!("names {unit}, which is not in services.units");
        // Where the key itself is not set, it is the list that was changed.
        let place = places
            .remove(key)
            .or_else(|| places.remove("services.units"));
        Err(ConfigError::Conflict { place, key, reason })
    }
}

type Key<'i> = Spanned<DeString<'i>>;

/// One value of a file, as if it were the only one.
fn alone<'i, F: Fragment>(path: &[Key<'i>], value: &Spanned<DeValue<'i>>) -> Result<F, Error> {
    let span = value.span();
    let whole = path.iter().rfold(value.clone(), |value, key| {
        let table = DeTable::from_iter([(key.clone(), value)]);
        Spanned::new(span.clone(), DeValue::Table(table))
    });
    F::deserialize(ValueDeserializer::from(whole))
}

/// What is at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Value,
    Table,
    NamedTable,
}

/// What a documented key says is at a path, if it leads there.
fn at(known: &str, path: &[String]) -> Option<At> {
    let parts: Vec<_> = known.split('.').collect();
    let leads = with_names(known, path).starts_with(path);
    leads.then(|| match parts.get(path.len()) {
        None => At::Value,
        Some(_) if parts[path.len() - 1] == NAME => At::NamedTable,
        Some(_) => At::Table,
    })
}

/// The parts of a documented key, with the names that a path gives.
fn with_names(known: &str, path: &[String]) -> Vec<String> {
    let parts = known.split('.').enumerate();
    let named = parts.map(|(at, part)| match path.get(at) {
        Some(name) if part == NAME => name.clone(),
        _ => part.to_owned(),
    });
    named.collect()
}

/// A part of a key as it has to be written in a file.
fn written(part: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    match !part.is_empty() && part.chars().all(bare) {
        true => part.to_owned(),
        false => format!("{part:?}"),
    }
}

/// Whether a key is most likely the other, mistyped or put into the wrong group.
fn alike(known: &str, key: &str) -> bool {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().replace('-', "_");
    let (known, key) = (last(known), last(key));
    let shared_start = known
        .bytes()
        .zip(key.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let shared_end = known
        .bytes()
        .rev()
        .zip(key.bytes().rev())
        .take_while(|(a, b)| a == b)
        .count();
    known == key || shared_start + shared_end + 2 >= known.len().max(key.len()).max(4)
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
