//! What the real Immich was seen to do when something is missing, and the stand-in must do too.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod integrity;
mod lent_key;
mod maintenance;
mod migrations;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use appliance_immich::api::{
    Client, Job, MetadataSearch, NewAlbum, NewAsset, Queue, QueueCommand, SignUp, Timeouts, Why,
};
use appliance_immich::readiness::{
    NotReady, ProgressProbe, ServerState, Waiting, changes, state, wait_while_progressing,
};
use immich_stand_in::testing::{Postgres, Redis, StandIn, photo, settings};
use immich_stand_in::{DatabaseAddress, RedisAddress, Settings, StartError};
use tempfile::TempDir;
use uuid::Uuid;

/// A cluster, or the reason why the test is skipped.
#[macro_export]
macro_rules! cluster {
    () => {
        match Postgres::start() {
            Ok(postgres) => postgres,
            Err(reason) => return println!("SKIPPED: {reason}"),
        }
    };
}

const MARKERS: [&str; 6] = [
    "backups/.immich",
    "encoded-video/.immich",
    "library/.immich",
    "profile/.immich",
    "thumbs/.immich",
    "upload/.immich",
];

fn anyone(stand_in: &StandIn) -> Client {
    Client::new(stand_in.url()).unwrap()
}

/// A body, asked for without the client, which does not make this call.
fn get(stand_in: &StandIn, path: &str) -> String {
    let mut answer = ureq::get(format!("{}{path}", stand_in.url()))
        .call()
        .unwrap();
    answer.body_mut().read_to_string().unwrap()
}

/// The admin, signed up where nobody is.
fn admin(stand_in: &StandIn) -> Client {
    let anyone = anyone(stand_in);
    if !anyone.config().unwrap().is_initialized {
        let sign_up = SignUp {
            email: "admin@example.org".into(),
            password: "secret".into(),
            name: "Admin".into(),
        };
        anyone.admin_sign_up(&sign_up).unwrap();
    }
    let session = anyone.login("admin@example.org", &"secret".into()).unwrap();
    anyone.with_credential(session.credential())
}

fn upload(client: &Client, number: u64) -> Uuid {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("photo.jpg");
    fs::write(
        &path,
        photo(number, jiff::civil::datetime(2020, 1, 2, 3, 4, 5, 0)),
    )
    .unwrap();
    let details = NewAsset {
        device_asset_id: "x".into(),
        device_id: "x".into(),
        file_created_at: "2020-01-01T00:00:00Z".parse().unwrap(),
        file_modified_at: "2020-01-01T00:00:00Z".parse().unwrap(),
    };
    client.upload_asset(&path, &details).unwrap().id
}

#[test]
fn without_its_database_it_answers_a_ping_and_nothing_else() {
    let mut postgres = cluster!();
    let media = TempDir::new().unwrap();
    let stand_in = StandIn::start(settings(media.path(), &postgres, None)).unwrap();
    let client = admin(&stand_in);
    postgres.stop();
    assert_eq!(get(&stand_in, "/api/server/ping"), r#"{"res":"pong"}"#);
    assert_eq!(client.config().unwrap_err().status(), Some(500));
    assert_eq!(client.statistics().unwrap_err().status(), Some(500));
    postgres.resume().unwrap();
    assert!(matches!(state(&client), Some(ServerState::Ready(_))));
}

#[test]
fn the_first_start_makes_the_markers_and_each_later_one_renews_them() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    drop(StandIn::start(settings(media.path(), &postgres, None)).unwrap());
    for marker in MARKERS {
        let path = media.path().join(marker);
        let stamp = fs::read(&path).unwrap();
        assert_eq!(stamp.len(), 13, "{marker}");
        fs::write(&path, "0000000000000").unwrap();
    }
    drop(StandIn::start(settings(media.path(), &postgres, None)).unwrap());
    for marker in MARKERS {
        assert_ne!(
            fs::read(media.path().join(marker)).unwrap(),
            b"0000000000000"
        );
    }
}

#[test]
fn a_missing_marker_or_folder_keeps_it_from_starting_and_is_not_mended() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    drop(StandIn::start(settings(media.path(), &postgres, None)).unwrap());
    let refused = || match StandIn::start(settings(media.path(), &postgres, None)) {
        Err(StartError::Media { marker, .. }) => marker,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    };
    let marker = media.path().join("upload/.immich");
    fs::remove_file(&marker).unwrap();
    assert_eq!(refused(), marker);
    assert_eq!(
        refused(),
        marker,
        "the marker was mended by the failed start"
    );
    fs::remove_dir(media.path().join("upload")).unwrap();
    assert_eq!(refused(), marker);
}

#[test]
fn the_command_says_why_it_does_not_start_and_exits_with_1() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    let redis = match Redis::start() {
        Ok(redis) => redis,
        Err(reason) => return println!("SKIPPED: {reason}"),
    };
    drop(StandIn::start(settings(media.path(), &postgres, None)).unwrap());
    let marker = media.path().join("library/.immich");
    fs::remove_file(&marker).unwrap();
    let (DatabaseAddress::Parts { host, .. }, RedisAddress::Socket(socket)) =
        (postgres.address(), redis.address())
    else {
        panic!("other addresses");
    };
    let output = Command::new(env!("CARGO_BIN_EXE_immich-stand-in"))
        .arg("server")
        .env("IMMICH_MEDIA_LOCATION", media.path())
        .env("IMMICH_HOST", "127.0.0.1")
        .env("IMMICH_PORT", "0")
        .env("DB_HOSTNAME", host)
        .env("DB_USERNAME", "immich")
        .env("DB_DATABASE_NAME", "immich")
        .env("REDIS_SOCKET", socket)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(marker.to_str().unwrap()), "{said}");
}

#[test]
fn a_fresh_database_over_old_media_starts_happily_and_empty() {
    let (old, new) = (cluster!(), cluster!());
    let media = TempDir::new().unwrap();
    let stand_in = StandIn::start(settings(media.path(), &old, None)).unwrap();
    upload(&admin(&stand_in), 1);
    drop(stand_in);
    let stand_in = StandIn::start(settings(media.path(), &new, None)).unwrap();
    assert!(matches!(
        state(&anyone(&stand_in)),
        Some(ServerState::Uninitialized(_))
    ));
    assert_eq!(originals(media.path()), 1, "the old original is gone");
}

#[test]
fn a_moved_media_folder_is_followed() {
    let postgres = cluster!();
    let parent = TempDir::new().unwrap();
    let (before, after) = (parent.path().join("before"), parent.path().join("after"));
    fs::create_dir(&before).unwrap();
    let stand_in = StandIn::start(settings(&before, &postgres, None)).unwrap();
    let id = upload(&admin(&stand_in), 1);
    drop(stand_in);
    fs::rename(&before, &after).unwrap();
    let stand_in = StandIn::start(settings(&after, &postgres, None)).unwrap();
    let client = admin(&stand_in);
    let asset = client.asset(id).unwrap();
    assert!(Path::new(&asset.original_path).starts_with(&after));
    client.download_original(id, &mut Vec::new()).unwrap();
}

#[test]
fn a_missing_original_is_only_seen_by_its_download() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    let stand_in = StandIn::start(settings(media.path(), &postgres, None)).unwrap();
    let client = admin(&stand_in);
    let id = upload(&client, 1);
    let asset = client.asset(id).unwrap();
    fs::remove_file(&asset.original_path).unwrap();
    assert!(!client.asset(id).unwrap().is_offline);
    let error = client.download_original(id, &mut Vec::new()).unwrap_err();
    assert_eq!(error.status(), Some(500));
}

/// Files under a folder, markers left out.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with(".immich") {
            found.push(path);
        }
    }
    found
}

#[test]
fn lost_thumbnails_are_made_anew_by_force_and_not_without() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    let stand_in = StandIn::start(settings(media.path(), &postgres, None)).unwrap();
    let client = admin(&stand_in);
    upload(&client, 1);
    let thumbs = media.path().join("thumbs");
    let made = files(&thumbs);
    assert_eq!(made.len(), 1);
    fs::remove_file(&made[0]).unwrap();
    client
        .command_queue(Queue::ThumbnailGeneration, QueueCommand::Start, false)
        .unwrap();
    assert_eq!(files(&thumbs), Vec::<PathBuf>::new());
    client.make_derived_files_anew().unwrap();
    assert_eq!(files(&thumbs), made);
}

#[test]
fn a_refused_upload_leaves_its_file() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    let stand_in = StandIn::start(settings(media.path(), &postgres, None)).unwrap();
    let client = admin(&stand_in);
    upload(&client, 1);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("photo.jpg");
    fs::write(&path, b"not uploaded before").unwrap();
    let nameless = NewAsset {
        device_asset_id: String::new(),
        device_id: "x".into(),
        file_created_at: "2020-01-01T00:00:00Z".parse().unwrap(),
        file_modified_at: "2020-01-01T00:00:00Z".parse().unwrap(),
    };
    let refused = client.upload_asset(&path, &nameless).unwrap_err();
    assert_eq!(refused.status(), Some(400), "{refused}");
    assert_eq!(client.statistics().unwrap().photos, 1);
    assert_eq!(originals(media.path()), 2);
}

#[test]
fn a_failed_database_backup_shows_only_as_a_notification() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    let mut settings = settings(media.path(), &postgres, None);
    settings.pg_bin = Some("/nowhere".into());
    let stand_in = StandIn::start(settings).unwrap();
    let client = admin(&stand_in);
    client.start_job(Job::BackupDatabase).unwrap();
    let start = Instant::now();
    let told = loop {
        if let Some(told) = client.notifications(true).unwrap().pop() {
            break told;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "no notification came"
        );
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(told.kind, "JobFailed");
    let left: Vec<_> = fs::read_dir(media.path().join("backups"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "more than the marker: {left:?}");
}

#[test]
fn a_call_to_the_queues_hangs_without_redis_and_the_rest_works() {
    let postgres = cluster!();
    let redis = match Redis::start() {
        Ok(redis) => redis,
        Err(reason) => return println!("SKIPPED: {reason}"),
    };
    let media = TempDir::new().unwrap();
    let stand_in = StandIn::start(settings(media.path(), &postgres, Some(&redis))).unwrap();
    let client = admin(&stand_in);
    client.start_job(Job::BackupDatabase).unwrap();
    drop(redis);
    let impatient = client.clone().with_timeouts(Timeouts {
        call: Duration::from_secs(1),
        ..Timeouts::default()
    });
    let hung = impatient.start_job(Job::BackupDatabase).unwrap_err();
    assert!(matches!(hung.why, Why::Timeout(_)), "{hung}");
    client.statistics().unwrap();
}

/// How many files users have under `upload/`.
fn originals(media: &Path) -> usize {
    files(&media.join("upload")).len()
}
