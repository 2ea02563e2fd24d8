//! What else happens to the files while they are walked: at exactly the call where it hurts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::common::{Box as TestBox, noise};
use super::disk::meddled;
use crate::Error;
use crate::snapshot::{self, BackupPlan, BackupReport, Expected, Reason, run_on};

/// Runs a backup during which `meddle` is done once, right before `call` on `path`.
fn meddled_once(
    the_box: &TestBox,
    plan: &BackupPlan,
    call: &'static str,
    path: &Path,
    meddle: impl Fn() + Send + Sync + 'static,
) -> Result<BackupReport, Error> {
    let (path, done) = (path.to_path_buf(), AtomicBool::new(false));
    let disk = meddled(move |now, at| {
        if now == call && at == path && !done.swap(true, Ordering::SeqCst) {
            // The change shows in the folder's time, which some file systems keep in steps.
            std::thread::sleep(Duration::from_millis(20));
            meddle();
        }
    });
    run_on(&the_box.open(), plan, disk)
}

fn expecting(the_box: &TestBox, paths: &[&str]) -> BackupPlan {
    let expected = paths.iter().map(|path| Expected {
        path: PathBuf::from(path),
        ..Expected::default()
    });
    BackupPlan {
        expected: Some(expected.collect()),
        ..the_box.plan()
    }
}

fn files(the_box: &TestBox, report: &BackupReport) -> Vec<PathBuf> {
    let below = snapshot::ls_recursive(&the_box.open(), &report.snapshot, &the_box.media());
    let files = below.unwrap().into_iter();
    let media = the_box.media();
    files
        .filter(|entry| entry.kind == snapshot::Kind::File)
        .map(|entry| entry.path.strip_prefix(&media).unwrap().to_path_buf())
        .collect()
}

fn incomplete(result: Result<BackupReport, Error>) -> BackupReport {
    match result {
        Err(Error::UnreadableOriginals(report)) => *report,
        other => panic!("expected an incomplete backup, got {other:?}"),
    }
}

/// As Immich's storage template does: from `upload`, which is walked last, to `library`.
fn move_photo(the_box: &TestBox) -> impl Fn() + Send + Sync + 'static {
    let media = the_box.media();
    move || {
        fs::create_dir_all(media.join("library/admin")).unwrap();
        for (from, to) in [("a.jpg", "named.jpg"), ("a.jpg.xmp", "named.jpg.xmp")] {
            let from = media.join("upload").join(from);
            fs::rename(from, media.join("library/admin").join(to)).unwrap();
        }
    }
}

fn with_photo() -> TestBox {
    let the_box = TestBox::new();
    the_box.write("upload/a.jpg", noise(1, 3_000));
    the_box.write("upload/a.jpg.xmp", b"<xmp/>");
    the_box.write("library/admin/other.jpg", b"other");
    the_box
}

#[test]
fn a_photo_that_moves_behind_the_walk_is_found_at_its_new_place() {
    let the_box = with_photo();
    let plan = expecting(&the_box, &["upload/a.jpg", "upload/a.jpg.xmp"]);
    let upload = the_box.media().join("upload");
    let report = meddled_once(
        &the_box,
        &plan,
        "open folder",
        &upload,
        move_photo(&the_box),
    )
    .unwrap();
    let files = files(&the_box, &report);
    assert!(
        files.contains(&"library/admin/named.jpg".into()),
        "{files:?}"
    );
    assert!(report.snapshot.complete && report.passes > 1);
    let moved: Vec<_> = report.comparison.moved.iter().map(|one| &one.to).collect();
    let to = |name: &str| the_box.media().join("library/admin").join(name);
    assert_eq!(moved, [&to("named.jpg"), &to("named.jpg.xmp")]);
    // It counts as new, once.
    assert_eq!((report.files_new, report.files_unmodified), (3, 0));
}

#[test]
fn a_photo_that_moves_behind_the_walk_is_found_even_without_a_list() {
    let the_box = with_photo();
    let upload = the_box.media().join("upload");
    let plan = the_box.plan();
    let report = meddled_once(
        &the_box,
        &plan,
        "open folder",
        &upload,
        move_photo(&the_box),
    )
    .unwrap();
    let files = files(&the_box, &report);
    assert!(
        files.contains(&"library/admin/named.jpg".into()),
        "{files:?}"
    );
}

#[test]
fn a_photo_that_moved_before_the_backup_looked_is_known_by_its_checksum() {
    use sha1::{Digest, Sha1};
    let the_box = with_photo();
    let content = noise(1, 3_000);
    let plan = BackupPlan {
        expected: Some(vec![Expected {
            path: "upload/a.jpg".into(),
            size: Some(3_000),
            sha1: Some(Sha1::digest(&content).into()),
        }]),
        ..the_box.plan()
    };
    move_photo(&the_box)();
    let report = snapshot::run(&the_box.open(), &plan).unwrap();
    assert_eq!(report.comparison.moved.len(), 1);
}

#[test]
fn an_original_that_is_nowhere_is_named_and_the_backup_incomplete() {
    let the_box = with_photo();
    let outside = the_box.path("outside.jpg");
    fs::write(&outside, b"external").unwrap();
    let mut plan = expecting(&the_box, &["upload/a.jpg", "upload/lost.jpg"]);
    let expected = plan.expected.as_mut().unwrap();
    expected.push(Expected {
        path: outside.clone(),
        ..Expected::default()
    });
    let report = incomplete(snapshot::run(&the_box.open(), &plan));
    let named: Vec<_> = report
        .comparison
        .missing
        .iter()
        .map(|one| &one.path)
        .collect();
    assert_eq!(named, [&the_box.media().join("upload/lost.jpg"), &outside]);
    assert!(
        report.passes <= 2,
        "what is lost for good is not sought for ever"
    );
    assert_eq!(report.snapshot.lacks.len(), 2);
    assert!(snapshot::find(&the_box.open(), "latest").is_err());
}

#[test]
fn a_media_folder_that_goes_away_in_mid_walk_fails_the_backup() {
    let the_box = with_photo();
    let (media, away) = (the_box.media(), the_box.path("away"));
    let meddle = {
        let (media, away) = (media.clone(), away.clone());
        move || {
            fs::rename(&media, &away).unwrap();
            fs::create_dir(&media).unwrap();
        }
    };
    let result = meddled_once(
        &the_box,
        &the_box.plan(),
        "open folder",
        &media.join("library"),
        meddle,
    );
    assert!(
        matches!(&result, Err(Error::SourceGone { path, .. }) if *path == media),
        "{result:?}"
    );
    let all = snapshot::Filter {
        incomplete: true,
        ..snapshot::Filter::default()
    };
    assert_eq!(snapshot::list(&the_box.open(), &all).unwrap(), []);
}

#[test]
fn a_link_put_in_the_place_of_a_folder_leads_nowhere() {
    let the_box = with_photo();
    let secret = the_box.path("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("key"), b"key").unwrap();
    let folder = the_box.media().join("library/admin");
    let (swapped, away) = (folder.clone(), the_box.path("away"));
    let meddle = move || {
        fs::rename(&swapped, &away).unwrap();
        std::os::unix::fs::symlink(&secret, &swapped).unwrap();
    };
    let result = meddled_once(&the_box, &the_box.plan(), "open folder", &folder, meddle);
    let report = incomplete(result);
    assert!(
        report.skipped.iter().any(|skipped| skipped.path == folder),
        "{report:?}"
    );
    assert_eq!(
        files(&the_box, &report),
        [Path::new("upload/a.jpg"), Path::new("upload/a.jpg.xmp")]
    );
}

#[test]
fn a_pipe_put_in_the_place_of_a_photo_is_not_waited_for() {
    let the_box = with_photo();
    let photo = the_box.media().join("upload/a.jpg");
    let swapped = photo.clone();
    let meddle = move || {
        fs::remove_file(&swapped).unwrap();
        let mode = nix::sys::stat::Mode::S_IRWXU;
        nix::unistd::mkfifo(&swapped, mode).unwrap();
    };
    let plan = expecting(&the_box, &["upload/a.jpg"]);
    let report = incomplete(meddled_once(&the_box, &plan, "open file", &photo, meddle));
    assert_eq!(report.comparison.missing[0].path, photo);
}

#[test]
fn an_original_behind_a_link_is_no_part_of_a_complete_backup() {
    let the_box = with_photo();
    let elsewhere = the_box.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let link = the_box.media().join("library/user");
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    let report = incomplete(snapshot::run(&the_box.open(), &the_box.plan()));
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(report.skipped[0].path, link);
    assert_eq!(report.skipped[0].reason, Reason::LeadsOut(elsewhere));
}

#[test]
fn derived_files_behind_a_link_do_not_stop_a_backup_and_are_told() {
    let the_box = with_photo();
    let (link, elsewhere) = (the_box.media().join("thumbs"), the_box.path("elsewhere"));
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    let named = BackupPlan {
        paths: vec![the_box.media().join("upload"), link.clone()],
        ..the_box.plan()
    };
    for plan in [the_box.plan(), named] {
        let report = snapshot::run(&the_box.open(), &plan).unwrap();
        assert!(report.snapshot.complete);
        assert_eq!(report.skipped.len(), 1);
        assert_eq!(
            (&report.skipped[0].path, report.skipped[0].original),
            (&link, false)
        );
    }
}
