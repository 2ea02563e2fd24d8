//! What a backup takes, what it reports, and what can be found in it afterwards.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

mod common;

use std::fs;
use std::sync::{Arc, Mutex};

use appliance_backup::progress::{Phase, PhaseSink, ProgressSink, Unit};
use appliance_backup::snapshot::{self, BackupPlan, Filter, Kind};
use appliance_backup::{Error, OpenOptions, Repository};
use common::{Box, noise, options};

#[test]
fn the_report_counts_what_is_new_changed_and_known() {
    let the_box = Box::new();
    the_box.write("upload/one.jpg", noise(1, 100_000));
    the_box.write("upload/two.jpg", noise(2, 200_000));
    let repository = the_box.open();
    let first = snapshot::run(&repository, &the_box.plan()).unwrap();
    assert_eq!(
        (first.files_new, first.files_changed, first.files_unmodified),
        (2, 0, 0)
    );
    assert_eq!(first.bytes_processed, 300_000);
    assert!(
        first.bytes_added >= 300_000 && first.bytes_stored >= 300_000,
        "{first:?}"
    );

    the_box.write("upload/two.jpg", noise(3, 50_000));
    the_box.write("upload/three.jpg", noise(4, 10));
    let second = snapshot::run(&repository, &the_box.plan()).unwrap();
    assert_eq!(
        (
            second.files_new,
            second.files_changed,
            second.files_unmodified
        ),
        (1, 1, 1)
    );
    assert!(
        (50_010..100_000).contains(&second.bytes_added),
        "{second:?}"
    );
}

#[test]
fn snapshots_are_found_by_name_and_by_what_they_are() {
    let the_box = Box::new();
    the_box.write("upload/one.jpg", b"one");
    the_box.write_dump();
    let repository = the_box.open();
    assert_eq!(
        snapshot::latest(&repository, &Filter::default()).unwrap(),
        None
    );
    assert!(matches!(
        snapshot::find(&repository, "latest"),
        Err(Error::NoSnapshot { .. })
    ));
    let plan = BackupPlan {
        tags: vec!["nightly".into()],
        label: Some("family".into()),
        description: Some("before the holidays".into()),
        ..the_box.plan()
    };
    let first = snapshot::run(&repository, &plan).unwrap().snapshot;
    let second = snapshot::run(&repository, &the_box.plan())
        .unwrap()
        .snapshot;
    assert_ne!(first.id, second.id);

    let listed = snapshot::list(&repository, &Filter::default()).unwrap();
    assert_eq!(listed, [first.clone(), second.clone()]);
    assert_eq!(snapshot::find(&repository, "latest").unwrap(), second);
    assert_eq!(
        snapshot::find(&repository, first.short_id()).unwrap(),
        first
    );
    assert_eq!(snapshot::find(&repository, &first.id).unwrap(), first);
    let tagged = Filter {
        tags: vec!["nightly".into()],
        ..Filter::default()
    };
    assert_eq!(
        snapshot::latest(&repository, &tagged).unwrap(),
        Some(first.clone())
    );
    assert_eq!(first.label, "family");
    assert_eq!(first.host, "box");
    assert_eq!(first.description.as_deref(), Some("before the holidays"));
    assert_eq!((first.files, first.bytes), (Some(2), Some(7)));
    assert!(matches!(
        snapshot::find(&repository, ""),
        Err(Error::NoSnapshot { .. })
    ));
    assert!(matches!(
        snapshot::find(&repository, "xyz"),
        Err(Error::NoSnapshot { .. })
    ));
}

#[test]
fn a_snapshot_can_be_looked_into_and_one_file_read() {
    let the_box = Box::new();
    let manifest = the_box.write("backups/manifest.json", b"{\"assets\": 50}");
    let repository = the_box.open();
    let snapshot = snapshot::run(&repository, &the_box.plan())
        .unwrap()
        .snapshot;

    let entries = snapshot::ls(&repository, &snapshot, &the_box.media()).unwrap();
    let names: Vec<_> = entries
        .iter()
        .map(|entry| entry.path.file_name().unwrap())
        .collect();
    assert_eq!(names, ["backups", "library", "profile", "upload"]);
    assert!(
        entries
            .iter()
            .all(|entry| entry.kind == Kind::Folder && entry.mode == 0o755)
    );
    let file = snapshot::ls(&repository, &snapshot, &manifest)
        .unwrap()
        .remove(0);
    assert_eq!(
        (file.path, file.kind, file.size),
        (manifest.clone(), Kind::File, 14)
    );
    let below = snapshot::ls_recursive(&repository, &snapshot, &the_box.media()).unwrap();
    let paths: Vec<_> = below.iter().map(|entry| entry.path.as_path()).collect();
    assert_eq!(
        paths[..2],
        [the_box.media().join("backups"), manifest.clone()]
    );
    assert!(below.len() > entries.len() && !paths.contains(&the_box.media().as_path()));
    let only = snapshot::ls_recursive(&repository, &snapshot, &manifest).unwrap();
    assert_eq!(only.len(), 1);
    let content = snapshot::read_file(&repository, &snapshot, &manifest).unwrap();
    assert_eq!(content, b"{\"assets\": 50}");
    let missing = snapshot::read_file(&repository, &snapshot, &the_box.media().join("nothing"));
    assert!(matches!(missing, Err(Error::NotInSnapshot { .. })));
}

#[test]
fn only_what_is_excluded_is_left_out() {
    let the_box = Box::new();
    for name in [
        "upload/a.jpg",
        "upload/a.tmp",
        "upload/.gitignore",
        "upload/.hidden",
        "thumbs/t.webp",
        "upload/thumbs/u.jpg",
    ] {
        the_box.write(name, b"*\n");
    }
    let plan = BackupPlan {
        excludes: vec![
            "*.tmp".into(),
            the_box.media().join("thumbs").display().to_string(),
        ],
        ..the_box.plan()
    };
    let repository = the_box.open();
    let snapshot = snapshot::run(&repository, &plan).unwrap().snapshot;
    let names = |folder: &str| -> Vec<String> {
        let entries = snapshot::ls(&repository, &snapshot, &the_box.media().join(folder)).unwrap();
        entries
            .iter()
            .map(|entry| entry.path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(""), ["backups", "library", "profile", "upload"]);
    assert_eq!(
        names("upload"),
        [".gitignore", ".hidden", "a.jpg", "thumbs"]
    );
}

#[test]
fn several_paths_go_into_one_snapshot_with_the_folders_above_them() {
    use std::os::unix::fs::PermissionsExt;
    let the_box = Box::new();
    the_box.write("upload/a.jpg", b"a");
    the_box.write("profile/b.jpg", b"b");
    let secrets = the_box.path("secrets");
    fs::create_dir(&secrets).unwrap();
    fs::write(secrets.join("key"), b"key").unwrap();
    fs::set_permissions(&secrets, fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(the_box.media(), fs::Permissions::from_mode(0o750)).unwrap();
    let plan = BackupPlan {
        paths: vec![
            secrets.join("key"),
            the_box.media().join("upload"),
            the_box.media().join("profile"),
            the_box.media().join("upload/a.jpg"),
        ],
        ..the_box.plan()
    };
    let repository = the_box.open();
    let snapshot = snapshot::run(&repository, &plan).unwrap().snapshot;
    assert_eq!(snapshot.files, Some(3));
    let above = snapshot::ls(&repository, &snapshot, the_box.folder.path()).unwrap();
    let found: Vec<_> = above
        .iter()
        .map(|entry| (entry.path.clone(), entry.mode))
        .collect();
    assert_eq!(found, [(the_box.media(), 0o750), (secrets, 0o700)]);
}

#[test]
fn a_path_that_cannot_be_backed_up_is_named_before_anything_is_done() {
    let the_box = Box::new();
    let link = the_box.path("link");
    std::os::unix::fs::symlink(the_box.media(), &link).unwrap();
    let repository = the_box.open();
    for bad in [the_box.path("missing"), link, "relative".into()] {
        let plan = BackupPlan {
            paths: vec![the_box.media(), bad.clone()],
            ..the_box.plan()
        };
        match snapshot::run(&repository, &plan) {
            Err(Error::Source { path, .. }) => assert_eq!(path, bad),
            other => panic!("{other:?}"),
        }
    }
    assert!(
        snapshot::list(&repository, &Filter::default())
            .unwrap()
            .is_empty()
    );
}

#[derive(Debug, Default)]
struct Recorder(Arc<Mutex<Vec<(Phase, u64, u64)>>>);

#[derive(Debug)]
struct RecordedPhase(Arc<Mutex<Vec<(Phase, u64, u64)>>>, usize);

impl ProgressSink for Recorder {
    fn start(&self, phase: &Phase) -> Arc<dyn PhaseSink> {
        let mut phases = self.0.lock().unwrap();
        phases.push((phase.clone(), 0, 0));
        Arc::new(RecordedPhase(self.0.clone(), phases.len() - 1))
    }
}

impl PhaseSink for RecordedPhase {
    fn set_total(&self, total: u64) {
        self.0.lock().unwrap()[self.1].1 = total;
    }
    fn advance(&self, done: u64) {
        self.0.lock().unwrap()[self.1].2 += done;
    }
    fn finish(&self) {}
}

#[test]
fn progress_reaches_its_total() {
    let the_box = Box::new();
    the_box.write("upload/one.jpg", noise(1, 5_000_000));
    the_box.write("upload/two.jpg", noise(2, 1_000));
    the_box.open();
    let phases = Arc::default();
    let options = OpenOptions {
        progress: Arc::new(Recorder(Arc::clone(&phases))),
        ..options()
    };
    let repository = Repository::open(&the_box.target(), &options).unwrap();
    snapshot::run(&repository, &the_box.plan()).unwrap();
    let phases = phases.lock().unwrap();
    let backing_up = phases
        .iter()
        .find(|(phase, ..)| phase.name == "backing up")
        .unwrap();
    assert_eq!(backing_up.0.unit, Unit::Bytes);
    assert_eq!(
        (backing_up.1, backing_up.2),
        (5_001_000, 5_001_000),
        "{phases:?}"
    );
}
