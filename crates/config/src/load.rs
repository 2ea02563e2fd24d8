use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Place};
use crate::options::{RULES, Rule};
use crate::settings::Settings;

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
    pub fn load(file: Option<&Path>) -> Result<Self, Error> {
        match file {
            Some(file) => read(&[(file.to_path_buf(), Missing::Refused)]),
            None => Self::load_from(Path::new(CONFIG_FILE), Path::new(CONFIG_FOLDER)),
        }
    }

    /// As [`Settings::load`] without a file, from another place than `/etc`.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn load_from(file: &Path, folder: &Path) -> Result<Self, Error> {
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
fn fragments(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read {
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

fn read(files: &[(PathBuf, Missing)]) -> Result<Settings, Error> {
    let mut merged = Merged::default();
    for (file, missing) in files {
        match fs::read_to_string(file) {
            Ok(text) => merged.add(file, &text)?,
            Err(error)
                if *missing == Missing::Accepted && error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                let file = file.clone();
                return Err(Error::Read { file, source });
            }
        }
    }
    merged.finish()
}

/// The settings so far, and which line each key was last set in.
#[derive(Default)]
struct Merged {
    settings: Settings,
    places: HashMap<&'static str, Place>,
}

impl Merged {
    fn add(&mut self, file: &Path, text: &str) -> Result<(), Error> {
        let place = |at: usize| Place {
            file: file.to_path_buf(),
            line: text
                .as_bytes()
                .iter()
                .take(at)
                .filter(|&&byte| byte == b'\n')
                .count()
                + 1,
        };
        let table = DeTable::parse(text).map_err(|error| Error::Syntax {
            place: place(error.span().map_or(0, |span| span.start)),
            reason: error.message().to_owned(),
        })?;
        for (group, value) in in_order(table.get_ref()) {
            let group_name = group.get_ref().as_ref();
            let DeValue::Table(keys) = value.get_ref() else {
                return Err(unknown(place(group.span().start), group_name.to_owned()));
            };
            let known = |rule: &Rule| {
                rule.key
                    .split_once('.')
                    .is_some_and(|(it, _)| it == group_name)
            };
            if !RULES.iter().any(known) {
                return Err(unknown(place(group.span().start), group_name.to_owned()));
            }
            for (key, value) in in_order(keys) {
                let place = place(key.span().start);
                let full = format!("{group_name}.{}", key.get_ref());
                let Some(rule) = RULES.iter().find(|rule| rule.key == full) else {
                    return Err(unknown(place, full));
                };
                if let Err(reason) = (rule.set)(&mut self.settings, value.get_ref()) {
                    let key = rule.key;
                    return Err(Error::Value { place, key, reason });
                }
                self.places.insert(rule.key, place);
            }
        }
        Ok(())
    }

    /// Checks what only shows when everything is read.
    fn finish(mut self) -> Result<Settings, Error> {
        let services = &self.settings.services;
        let stranger = services
            .database_units
            .iter()
            .find(|&unit| !services.units.contains(unit));
        let (key, unit) = match stranger {
            Some(unit) => ("services.database_units", unit),
            None if services.units.contains(&services.server_unit) => return Ok(self.settings),
            None => ("services.server_unit", &services.server_unit),
        };
        let reason = format!("names {unit}, which is not in services.units");
        // Where the key itself is not set, it is the list that was changed.
        let place = self
            .places
            .remove(key)
            .or_else(|| self.places.remove("services.units"));
        Err(Error::Conflict { place, key, reason })
    }
}

type Key<'a> = Spanned<toml::de::DeString<'a>>;

/// A table's entries in the order of the file, so that the first error is the topmost.
fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(&'a Key<'i>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn unknown(place: Place, key: String) -> Error {
    let similar = RULES
        .iter()
        .map(|rule| rule.key)
        .filter(|known| alike(known, &key));
    let similar = similar.min_by_key(|known| known.len().abs_diff(key.len()));
    Error::UnknownKey {
        place,
        key,
        similar,
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
