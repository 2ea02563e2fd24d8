//! What the tests share: a media folder with odd things in it, a repository, comparisons.
#![allow(dead_code)] // every test file uses another part

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use appliance_backup::snapshot::BackupPlan;
use appliance_backup::{Address, Location, OpenOptions, Repository, Target};

pub const PASSWORD: &str = "correct horse battery staple";

/// A folder for the test with a media folder and a place for a repository in it.
pub struct Box {
    pub folder: tempfile::TempDir,
}

impl Box {
    pub fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    /// In memory where there is such a place: for hundreds of backups, each of which waits for
    /// the disk several times.
    pub fn in_memory() -> Self {
        let memory = tempfile::tempdir_in("/dev/shm");
        Self::in_folder(memory.or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn in_folder(folder: tempfile::TempDir) -> Self {
        fs::create_dir(folder.path().join("media")).unwrap();
        for name in ["upload", "library", "profile", "backups"] {
            fs::create_dir(folder.path().join("media").join(name)).unwrap();
        }
        Self { folder }
    }

    pub fn media(&self) -> PathBuf {
        self.folder.path().join("media")
    }

    pub fn repo(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn target(&self) -> Target {
        local(&self.repo())
    }

    /// The repository, made first if there is none.
    pub fn open(&self) -> Repository {
        ready(&self.repo());
        let (repository, _) = Repository::init_or_join(&self.target(), &options()).unwrap();
        repository
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.media().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// A dump of the database, without which a snapshot is none of a drive.
    pub fn write_dump(&self) -> PathBuf {
        self.write("backups/immich-db-backup-1.sql.gz", b"dump")
    }

    pub fn plan(&self) -> BackupPlan {
        BackupPlan {
            paths: vec![self.media()],
            originals: BackupPlan::originals_in(&self.media()),
            derived: BackupPlan::derived_in(&self.media()),
            media: Some(self.media()),
            host: Some("box".into()),
            ..BackupPlan::default()
        }
    }
}

/// A repository as `init_or_join` makes it, once for all tests of a program, and then made cheap
/// to open: what makes guessing slow would take most of their time.
static NEW: LazyLock<Tree> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    Repository::init_or_join(&local(folder.path()), &options()).unwrap();
    cheap_repository::cheapen(folder.path(), PASSWORD).unwrap();
    Tree::read(folder.path())
});

/// Puts a repository that is cheap to open into a folder, unless it is there already.
pub fn ready(repo: &Path) {
    if !repo.exists() {
        NEW.write_to(repo);
    }
}

/// Files and folders, kept in memory.
enum Tree {
    File(Vec<u8>),
    Folder(Vec<(OsString, Tree)>),
}

impl Tree {
    fn read(path: &Path) -> Self {
        if path.is_file() {
            return Self::File(fs::read(path).unwrap());
        }
        let entries = fs::read_dir(path).unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name(), Self::read(&entry.path()))
        });
        Self::Folder(entries.collect())
    }

    fn write_to(&self, path: &Path) {
        match self {
            Self::File(content) => fs::write(path, content).unwrap(),
            Self::Folder(entries) => {
                fs::create_dir(path).unwrap();
                for (name, tree) in entries {
                    tree.write_to(&path.join(name));
                }
            }
        }
    }
}

pub fn local(path: &Path) -> Target {
    Target {
        address: Address {
            location: Location::Local(path.to_path_buf()),
            credentials: None,
        },
        password: PASSWORD.into(),
    }
}

pub fn options() -> OpenOptions {
    OpenOptions {
        patience: Duration::from_secs(1),
        ..OpenOptions::default()
    }
}

/// Bytes that neither compress nor repeat, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Fills the media folder with what file systems allow and programs get wrong.
pub fn odd_things(the_box: &Box) {
    the_box.write("upload/plain.jpg", noise(1, 3_000_000));
    the_box.write("upload/empty.jpg", b"");
    the_box.write("upload/Übergröße 日本 🎉.heic", noise(2, 70_000));
    the_box.write("upload/new\nline \"quoted\" back\\slash\ttab.jpg", b"odd");
    the_box.write("upload/ leading and trailing ", b"spaces");
    the_box.write(&format!("upload/{}", "n".repeat(255)), b"long");
    let invalid = the_box
        .media()
        .join("upload")
        .join(OsStr::from_bytes(b"not\xff\xfeutf8\x80.jpg"));
    fs::write(&invalid, b"invalid name").unwrap();
    the_box.write("upload/-rf", b"a dash");
    the_box.write("upload/.immich", b"1700000000000");
    the_box.write("upload/a/b/c/d/e/f/deep.jpg", b"deep");
    fs::create_dir(the_box.media().join("library/empty folder")).unwrap();

    let sparse = fs::File::create(the_box.media().join("upload/sparse.mov")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"begin", 0).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", 40_000_000).unwrap();
    sparse.set_len(60_000_000).unwrap();

    let first = the_box.write("library/one name.jpg", noise(3, 5_000));
    fs::hard_link(first, the_box.media().join("library/another name.jpg")).unwrap();
    symlink("../upload/plain.jpg", the_box.media().join("library/link")).unwrap();
    symlink(
        OsStr::from_bytes(b"nowhere\xff"),
        the_box.media().join("library/dangling"),
    )
    .unwrap();

    let modes = the_box.write("profile/modes", b"modes");
    fs::set_permissions(&modes, fs::Permissions::from_mode(0o4640)).unwrap();
    let attributed = the_box.write("profile/attributed", b"attributes");
    if let Err(error) = xattr::set(&attributed, "user.rating", b"5\0\xff") {
        eprintln!("the file system of the test has no extended attributes ({error})");
    }
    let old = fs::File::options()
        .write(true)
        .open(the_box.media().join("upload/plain.jpg"))
        .unwrap();
    let time = std::time::UNIX_EPOCH + Duration::new(86_400, 123_456_789);
    old.set_modified(time).unwrap();
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::lchown(&attributed, Some(4711), Some(815)).unwrap();
        std::os::unix::fs::lchown(the_box.media().join("library/link"), Some(4711), Some(815))
            .unwrap();
    }
    let folder = the_box.media().join("library");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o2750)).unwrap();
    fs::File::open(&folder).unwrap().set_modified(time).unwrap();
}

/// Everything about a folder that a backup has to bring back, one line per entry.
pub fn describe(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    describe_into(root, root, &mut lines);
    lines.sort();
    lines
}

fn describe_into(root: &Path, path: &Path, lines: &mut Vec<String>) {
    let meta = fs::symlink_metadata(path).unwrap();
    let content = if meta.is_symlink() {
        format!("-> {:?}", fs::read_link(path).unwrap())
    } else if meta.is_file() {
        format!("{:016x}", fingerprint(&fs::read(path).unwrap()))
    } else {
        String::new()
    };
    let mut attributes: Vec<_> = xattr::list(path)
        .map(|names| {
            names
                .filter_map(|name| Some((name.clone(), xattr::get(path, &name).ok()??)))
                .collect()
        })
        .unwrap_or_default();
    attributes.sort();
    // A link's mode means nothing; a folder's link count and size are the file system's own.
    let mode = if meta.is_symlink() { 0 } else { meta.mode() };
    let size = if meta.is_dir() { 0 } else { meta.size() };
    let names = if meta.is_dir() { 0 } else { meta.nlink() };
    lines.push(format!(
        "{:?} {mode:o} {}:{} {size} {}.{:09} {names} {attributes:?} {content}",
        path.strip_prefix(root).unwrap(),
        meta.uid(),
        meta.gid(),
        meta.mtime(),
        meta.mtime_nsec(),
    ));
    if meta.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            describe_into(root, &entry.unwrap().path(), lines);
        }
    }
}

fn fingerprint(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Compares two folders and says in which lines they differ.
pub fn assert_same(original: &Path, restored: &Path) {
    let (was, is) = (describe(original), describe(restored));
    let lost: Vec<_> = was.iter().filter(|line| !is.contains(line)).collect();
    let new: Vec<_> = is.iter().filter(|line| !was.contains(line)).collect();
    assert!(
        lost.is_empty() && new.is_empty(),
        "expected {lost:#?}\nfound {new:#?}"
    );
}

/// The system's restic, or the reason why the test is left out.
pub fn restic() -> Option<Command> {
    let mut command = Command::new("restic");
    if Command::new("restic").arg("version").output().is_err() {
        println!("SKIPPED: restic is not installed");
        return None;
    }
    command.env("RESTIC_PASSWORD", PASSWORD).arg("--no-cache");
    Some(command)
}

/// Runs a command, which must succeed, and returns its output.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// The repository's packs.
pub fn packs(repo: &Path) -> Vec<PathBuf> {
    let mut packs = Vec::new();
    for folder in fs::read_dir(repo.join("data")).unwrap() {
        for pack in fs::read_dir(folder.unwrap().path()).unwrap() {
            packs.push(pack.unwrap().path());
        }
    }
    packs.sort();
    packs
}
