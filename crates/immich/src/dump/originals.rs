//! Every original that a dump knows of, to be held against what a backup saved.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use uuid::Uuid;

use super::rows::{Picked, bytea};
use super::source::{Source, read_error};
use super::verified::Whereabouts;
use super::{DumpError, Event, Script, Table, VerifiedDump};

/// Where the media lay in Immich's image before it had a place of its own; older paths begin with
/// it, or with its last part alone.
const OLD_LOCATION: &str = "/usr/src/app/upload";
/// The folders in Immich's media folder that a path may begin with.
const FOLDERS: [&str; 6] = [
    "library",
    "upload",
    "profile",
    "backups",
    "thumbs",
    "encoded-video",
];

/// A longer row is cut: its paths stand before that.
const LONGEST_ROW: usize = 4 << 20;

/// A file that cannot be made again, as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// What it is.
    pub kind: OriginalKind,
    /// The id of the asset or, of a profile picture, of the user.
    pub id: String,
    /// Its path as it stands in the database.
    pub recorded: PathBuf,
    /// Where that is.
    pub place: OriginalPlace,
    /// Its length in bytes, where the database knows it.
    pub size: Option<u64>,
    /// The SHA-1 of its content, where the database knows it; it knows none of the files of
    /// external libraries.
    pub sha1: Option<[u8; 20]>,
    /// It belongs to an external library: Immich did not take it in, and never deletes it.
    pub external: bool,
    /// Immich has missed the file itself, and says so to its user.
    pub offline: bool,
    /// Its user has deleted it for good, and the file may be gone at any moment.
    pub deleted: bool,
}

/// What an original is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OriginalKind {
    /// A photo or a video.
    Asset,
    /// The moving part of a live photo.
    LivePhotoPart,
    /// A sidecar (`.xmp`), beside a photo or a video.
    Sidecar,
    /// A user's picture.
    ProfilePicture,
}

/// Where an original lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginalPlace {
    /// In the media folder, at this path within it.
    Inside(PathBuf),
    /// Outside the media folder.
    Outside,
    /// Nowhere: what stands in the database is no path of a file, for this reason.
    Nonsense(&'static str),
}

/// Lists every original of a proven dump, read from its file: photos, videos, live-photo parts,
/// sidecars and profile pictures, in the tables of Immich 1.9x to 3.x. `media` is the media folder
/// here; paths that were written under another one are found in it all the same.
///
/// The dump is read twice, the first time now. Kept in memory are 24 bytes for each asset, and 16
/// for each live photo and each asset that is external, offline or deleted.
///
/// # Errors
/// When the file cannot be read any more or was changed since it was proven. The last item tells
/// whether it was changed while it was read.
pub fn originals(dump: &VerifiedDump, media: &Path) -> Result<OriginalList, DumpError> {
    let mut sizes = Vec::new();
    let mut live = HashSet::new();
    let mut marked = HashMap::new();
    let mut reading = Reading::begin(dump)?;
    while let Some(row) = reading.next_row()? {
        match row {
            Row::Exif([Some(asset), Some(size)]) => {
                if let (Some(asset), Some(size)) = (number(&asset), parsed(&size)) {
                    sizes.push((asset, size));
                }
            }
            Row::Asset(asset) => {
                live.extend(asset.live_part.as_deref().and_then(number));
                let marks = asset.marks();
                if marks != Marks::default()
                    && let Some(id) = asset.id.as_deref().and_then(number)
                {
                    marked.insert(id, marks);
                }
            }
            _ => {}
        }
    }
    sizes.sort_unstable();
    Ok(OriginalList {
        reading: Some(Reading::begin(dump)?),
        sizes,
        live,
        marked,
        locations: [
            Some(media.to_owned()),
            dump.media_location().map(Path::to_owned),
            Some(OLD_LOCATION.into()),
        ]
        .into_iter()
        .flatten()
        .collect(),
        waiting: None,
    })
}

/// The originals of a dump, one after the other; see [`originals`].
pub struct OriginalList {
    /// `None` after the end.
    reading: Option<Reading>,
    /// Lengths by asset, sorted.
    sizes: Vec<(u128, u64)>,
    /// The assets that are the moving part of another.
    live: HashSet<u128>,
    /// What sets an asset apart, for its sidecar.
    marked: HashMap<u128, Marks>,
    locations: Vec<PathBuf>,
    /// A row's second original.
    waiting: Option<Original>,
}

impl Iterator for OriginalList {
    type Item = Result<Original, DumpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(original) = self.waiting.take() {
            return Some(Ok(original));
        }
        loop {
            match self.reading.as_mut()?.next_row() {
                Ok(Some(row)) => {
                    if let Some(original) = self.of_row(row) {
                        return Some(Ok(original));
                    }
                }
                Ok(None) => {
                    self.reading = None;
                    return None;
                }
                Err(error) => {
                    self.reading = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl OriginalList {
    fn of_row(&mut self, row: Row) -> Option<Original> {
        match row {
            Row::Asset(asset) => Some(self.of_asset(asset)),
            Row::File([id, kind, path]) if kind.as_deref() == Some(b"sidecar") => {
                let key = id.as_deref().and_then(number);
                let marks = key.and_then(|key| self.marked.get(&key).copied());
                let sidecar = self.plain(OriginalKind::Sidecar, id, path.unwrap_or_default());
                Some(sidecar.marked(marks.unwrap_or_default()))
            }
            Row::User([id, path]) => {
                let path = path.filter(|path| !path.is_empty())?;
                Some(self.plain(OriginalKind::ProfilePicture, id, path))
            }
            Row::File(_) | Row::Exif(_) => None,
        }
    }

    fn plain(&self, kind: OriginalKind, id: Option<Vec<u8>>, path: Vec<u8>) -> Original {
        let recorded = PathBuf::from(OsString::from_vec(path));
        Original {
            kind,
            id: id.as_deref().map(text).unwrap_or_default(),
            place: self.place(&recorded),
            recorded,
            size: None,
            sha1: None,
            external: false,
            offline: false,
            deleted: false,
        }
    }

    fn of_asset(&mut self, asset: AssetRow) -> Original {
        let key = asset.id.as_deref().and_then(number);
        let kind = if key.is_some_and(|key| self.live.contains(&key)) {
            OriginalKind::LivePhotoPart
        } else {
            OriginalKind::Asset
        };
        let mut marks = asset.marks();
        let mut original = self.plain(kind, asset.id, asset.path.unwrap_or_default());
        // Before the column, a file that a library has and the media folder has not.
        marks.external |= asset.external.is_none()
            && asset.in_library
            && matches!(original.place, OriginalPlace::Outside);
        original = original.marked(marks);
        original.size = key.and_then(|key| {
            let at = self.sizes.binary_search_by_key(&key, |(asset, _)| *asset);
            at.ok().map(|at| self.sizes[at].1)
        });
        let of_content = asset.sums_content.unwrap_or(!original.external);
        original.sha1 = asset
            .checksum
            .filter(|_| of_content)
            .and_then(|checksum| bytea(&checksum)?.try_into().ok());
        if let Some(path) = asset.sidecar.filter(|path| !path.is_empty()) {
            let id = Some(original.id.clone().into_bytes());
            let sidecar = self.plain(OriginalKind::Sidecar, id, path);
            self.waiting = Some(sidecar.marked(marks));
        }
        original
    }

    fn place(&self, path: &Path) -> OriginalPlace {
        if path.as_os_str().is_empty() {
            return OriginalPlace::Nonsense("it is empty");
        }
        if path.as_os_str().as_encoded_bytes().contains(&0) {
            return OriginalPlace::Nonsense("it holds a zero byte");
        }
        if path.components().any(|part| part == Component::ParentDir) {
            return OriginalPlace::Nonsense("it goes up with ..");
        }
        let old = Path::new(OLD_LOCATION);
        if path.is_relative() {
            // As before Immich 1.136, from the folder that Immich ran in.
            let inside = path.strip_prefix("upload").ok().filter(|inside| {
                let first = inside.components().next();
                FOLDERS
                    .iter()
                    .any(|folder| first == Some(Component::Normal(folder.as_ref())))
            });
            return match inside {
                Some(inside) => OriginalPlace::Inside(inside.to_owned()),
                None => OriginalPlace::Nonsense("it does not begin with /"),
            };
        }
        if path == Path::new("/") || path == old || self.locations.iter().any(|one| one == path) {
            return OriginalPlace::Nonsense("it is a folder");
        }
        self.locations
            .iter()
            .find_map(|location| path.strip_prefix(location).ok())
            .map_or(OriginalPlace::Outside, |inside| {
                OriginalPlace::Inside(inside.to_owned())
            })
    }
}

/// The values of a row that tell of an original.
enum Row {
    Asset(AssetRow),
    /// Asset, kind, path.
    File([Option<Vec<u8>>; 3]),
    /// User, path.
    User([Option<Vec<u8>>; 2]),
    /// Asset, length in bytes.
    Exif([Option<Vec<u8>>; 2]),
}

struct AssetRow {
    id: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
    checksum: Option<Vec<u8>>,
    /// Whether the checksum is of the content; `None` where the database does not tell.
    sums_content: Option<bool>,
    /// Before Immich 2.5; then it became a row of `asset_file`.
    sidecar: Option<Vec<u8>>,
    live_part: Option<Vec<u8>>,
    external: Option<bool>,
    in_library: bool,
    offline: bool,
    deleted: bool,
}

/// What sets an asset apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Marks {
    external: bool,
    offline: bool,
    deleted: bool,
}

impl AssetRow {
    fn marks(&self) -> Marks {
        Marks {
            external: self.external.unwrap_or_default(),
            offline: self.offline,
            deleted: self.deleted,
        }
    }
}

impl Original {
    fn marked(mut self, marks: Marks) -> Self {
        (self.external, self.offline, self.deleted) =
            (marks.external, marks.offline, marks.deleted);
        self
    }
}

#[derive(Debug, Clone, Copy)]
enum Reads {
    Asset,
    File,
    User,
    Exif,
}

/// Immich's tables with originals, under their names since 1.136 and before.
fn of_interest(table: &Table) -> Option<(Reads, &'static [&'static str])> {
    if table.schema != "public" {
        return None;
    }
    Some(match table.name.as_str() {
        "asset" | "assets" => (
            Reads::Asset,
            &[
                "id",
                "originalPath",
                "checksum",
                "checksumAlgorithm",
                "sidecarPath",
                "livePhotoVideoId",
                "isExternal",
                "libraryId",
                "isOffline",
                "status",
            ],
        ),
        "asset_file" | "asset_files" => (Reads::File, &["assetId", "type", "path"]),
        "user" | "users" => (Reads::User, &["id", "profileImagePath"]),
        "asset_exif" | "exif" => (Reads::Exif, &["assetId", "fileSizeInByte"]),
        _ => return None,
    })
}

/// A pass over a dump's rows.
struct Reading {
    dump: VerifiedDump,
    /// `None` after the end.
    script: Option<Script<Source>>,
    whereabouts: Whereabouts,
    table: Option<(Reads, Picked)>,
}

impl Reading {
    fn begin(dump: &VerifiedDump) -> Result<Self, DumpError> {
        Ok(Self {
            script: Some(Script::new(dump.open()?, read_error)),
            whereabouts: Whereabouts::at_the_beginning(dump),
            dump: dump.clone(),
            table: None,
        })
    }

    fn next_row(&mut self) -> Result<Option<Row>, DumpError> {
        while let Some(script) = &mut self.script {
            // Longer than any path may be, and still one row.
            let mut long_row = Vec::new();
            let wanted = self.table.is_some();
            let event = script.next(&mut |bytes| {
                if wanted && long_row.len() < LONGEST_ROW {
                    long_row.extend_from_slice(bytes);
                }
                Ok(())
            })?;
            match event {
                Some(Event::Command(line)) => self.whereabouts.command(line),
                Some(Event::Copy { table, columns, .. }) if self.whereabouts.inside() => {
                    self.table = of_interest(table)
                        .map(|(reads, wanted)| (reads, Picked::new(columns, wanted)));
                }
                Some(Event::Row { head, long }) => {
                    if let Some((reads, picked)) = &self.table {
                        let row = if long { &long_row } else { head };
                        return Ok(Some(read(*reads, picked, row)));
                    }
                }
                Some(Event::EndOfRows) => self.table = None,
                Some(_) => {}
                None => break,
            }
        }
        let Some(script) = self.script.take() else {
            return Ok(None);
        };
        if self.dump.is_what_was_proven(script.into_inner()) {
            Ok(None)
        } else {
            Err(DumpError::Changed)
        }
    }
}

fn read(reads: Reads, picked: &Picked, row: &[u8]) -> Row {
    match reads {
        Reads::File => Row::File(picked.values(row)),
        Reads::User => Row::User(picked.values(row)),
        Reads::Exif => Row::Exif(picked.values(row)),
        Reads::Asset => {
            let [
                id,
                path,
                checksum,
                algorithm,
                sidecar,
                live_part,
                external,
                library,
                offline,
                status,
            ] = picked.values(row);
            let yes = |value: &Option<Vec<u8>>| value.as_deref() == Some(b"t");
            Row::Asset(AssetRow {
                id,
                path,
                checksum,
                sums_content: picked.has(3).then(|| algorithm.as_deref() == Some(b"sha1")),
                sidecar,
                live_part,
                external: picked.has(6).then(|| yes(&external)),
                in_library: library.is_some(),
                offline: yes(&offline),
                deleted: status.as_deref() == Some(b"deleted"),
            })
        }
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn number(id: &[u8]) -> Option<u128> {
    Uuid::try_parse_ascii(id).ok().map(|id| id.as_u128())
}

fn parsed(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
