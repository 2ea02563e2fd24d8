use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, ValueDeserializer};

use crate::error::{ConfigError, Place};
use crate::fragment::{Fragment, KeyDoc, NAME};
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
        self.add_table(&place, &[], table.into_inner())
    }

    /// Reads each entry as a fragment of its own, in the order of the file: so an error is about
    /// one key, and the first is the topmost.
    fn add_table<'i>(
        &mut self,
        place: &dyn Fn(usize) -> Place,
        above: &[Key<'i>],
        table: DeTable<'i>,
    ) -> Result<(), ConfigError> {
        let mut entries: Vec<_> = table.into_iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let place_here = place(key.span().start);
            let path = [above, &[key]].concat();
            let names: Vec<&str> = path.iter().map(|key| key.get_ref().as_ref()).collect();
            let key = names.join(".");
            let is_table = match self.keys.iter().find_map(|known| fit(&known.key, &names)) {
                Some(Fit::Value) => false,
                Some(Fit::Table) if value.get_ref().is_table() => true,
                _ => return Err(self.unknown(place_here, key, &names)),
            };
            let span = value.span();
            match value.into_inner() {
                // An empty one still names something.
                DeValue::Table(inside) if is_table && !inside.is_empty() => {
                    self.add_table(place, &path, inside)?;
                }
                value => {
                    let mut value = Spanned::new(span.clone(), value);
                    for key in path.into_iter().rev() {
                        let table = DeTable::from_iter([(key, value)]);
                        value = Spanned::new(span.clone(), DeValue::Table(table));
                    }
                    match F::deserialize(ValueDeserializer::from(value)) {
                        Ok(fragment) => self.fragment.merge(fragment),
                        Err(error) => {
                            let (place, reason) = (place_here, error.message().to_owned());
                            return Err(ConfigError::Value { place, key, reason });
                        }
                    }
                    self.places.insert(key, place_here);
                }
            }
        }
        Ok(())
    }

    fn unknown(&self, place: Place, key: String, path: &[&str]) -> ConfigError {
        let known = self.keys.iter().map(|known| with_names(&known.key, path));
        let similar = known
            .filter(|known| alike(known, &key))
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

/// What a documented key says is at a path.
#[derive(Clone, Copy)]
enum Fit {
    Value,
    Table,
}

fn fit(known: &str, path: &[&str]) -> Option<Fit> {
    let mut parts = known.split('.');
    let fits = |name: &&str| {
        parts
            .next()
            .is_some_and(|part| part == NAME || part == *name)
    };
    if !path.iter().all(fits) {
        return None;
    }
    Some(parts.next().map_or(Fit::Value, |_| Fit::Table))
}

/// A documented key with the names that a path gives.
fn with_names(known: &str, path: &[&str]) -> String {
    let named = known
        .split('.')
        .enumerate()
        .map(|(at, part)| match path.get(at) {
            Some(&given) if part == NAME => given,
            _ => part,
        });
    named.collect::<Vec<_>>().join(".")
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
