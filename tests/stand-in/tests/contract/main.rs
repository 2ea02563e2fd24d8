//! The contract between the appliance's client and Immich: every call that the client makes, in
//! one run, each call and each answer held against Immich's own description of its API.
//!
//! The run is done against the stand-in of each version always, and against a real Immich when
//! `IMMICH_TEST_URL`, `IMMICH_TEST_EMAIL` and `IMMICH_TEST_PASSWORD` (an admin's) are given, and
//! `IMMICH_TEST_MEDIA` where its media folder is at hand, so that the two can be held side by side. On a real server it leaves one empty album, an API key and a database dump.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod types;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use appliance_immich::api::{
    Asset, Client, IntegrityFlaw, Job, MetadataSearch, NewAlbum, NewAsset, Queue, SignUp,
    UploadOutcome, Uploaded,
};
use appliance_immich::{dump, readiness};
use base64::Engine;
use immich_stand_in::testing::{Postgres, Recorder, Redis, Schema, StandIn, photo, settings};
use immich_stand_in::{ImmichVersion, Settings};
use secrecy::SecretString;
use sha1::{Digest, Sha1};
use tempfile::TempDir;
use uuid::Uuid;

/// What the client calls on this major version, by `schema/calls.txt`.
/// `every_call_of_the_client_is_listed` keeps the list whole.
fn calls(major: u32) -> BTreeSet<&'static str> {
    let listed = include_str!("../../schema/calls.txt").lines();
    listed
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (majors, call) = line.split_once(' ')?;
            let called = majors.split(',').any(|one| one == major.to_string());
            called.then(|| call.trim())
        })
        .collect()
}

struct Admin {
    email: String,
    password: SecretString,
}

#[test]
fn the_stand_in_keeps_the_contract_of_2_7_5() {
    keep_the_stand_ins_contract(ImmichVersion::V2_7_5);
}

#[test]
fn the_stand_in_keeps_the_contract_of_3_2_2() {
    keep_the_stand_ins_contract(ImmichVersion::V3_2_2);
}

fn keep_the_stand_ins_contract(version: ImmichVersion) {
    let postgres = match Postgres::start() {
        Ok(postgres) => postgres,
        Err(reason) => return println!("SKIPPED: {reason}"),
    };
    let redis = Redis::start()
        .inspect_err(|reason| {
            println!("without Redis, which the stand-in would wait for: {reason}")
        })
        .ok();
    let media = TempDir::new().unwrap();
    let settings = Settings {
        version,
        ..settings(media.path(), &postgres, redis.as_ref())
    };
    let stand_in = StandIn::start(settings).unwrap();
    let recorder = Recorder::start(stand_in.url(), Schema::immich(version, true).unwrap()).unwrap();
    let admin = Admin {
        email: "admin@example.org".into(),
        password: "correct horse".into(),
    };
    keep_contract(&recorder, &admin, Some(media.path()));
    let called = recorder.seen();
    let missed: Vec<_> = calls(version.major())
        .into_iter()
        .filter(|call| !called.contains(*call))
        .collect();
    assert!(missed.is_empty(), "never called with success: {missed:?}");
}

#[test]
fn a_real_immich_keeps_the_contract() {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(url), Some(email), Some(password)) = (
        variable("IMMICH_TEST_URL"),
        variable("IMMICH_TEST_EMAIL"),
        variable("IMMICH_TEST_PASSWORD"),
    ) else {
        return println!(
            "SKIPPED: IMMICH_TEST_URL, IMMICH_TEST_EMAIL and IMMICH_TEST_PASSWORD are not given"
        );
    };
    let version = Client::new(&url).unwrap().version().unwrap();
    let described = match version.major {
        ..3 => ImmichVersion::V2_7_5,
        3.. => ImmichVersion::V3_2_2,
    };
    // A newer one may say more.
    let recorder = Recorder::start(&url, Schema::immich(described, false).unwrap()).unwrap();
    let admin = Admin {
        email,
        password: password.into(),
    };
    let media = variable("IMMICH_TEST_MEDIA").map(PathBuf::from);
    keep_contract(&recorder, &admin, media.as_deref());
    let called = recorder.seen();
    let missed: Vec<_> = calls(version.major)
        .into_iter()
        .filter(|call| !called.contains(*call) && !call.ends_with("admin-sign-up"))
        .collect();
    assert!(missed.is_empty(), "never called with success: {missed:?}");
}

/// The client's source names its calls' addresses; each must be on the list above.
#[test]
fn every_call_of_the_client_is_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/immich/src/api");
    let mut addresses = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap();
        for rest in code.split("\"/api/").skip(1) {
            let address = rest.split(['"', '?']).next().unwrap();
            addresses.insert(anonymous(&format!("/{address}")));
        }
    }
    let listed: BTreeSet<_> = [2, 3]
        .into_iter()
        .flat_map(calls)
        .map(|call| anonymous(call.split_once(' ').unwrap().1))
        .collect();
    assert_eq!(addresses, listed);
}

/// A path with its parameters' names left out.
fn anonymous(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn keep_contract(recorder: &Recorder, admin: &Admin, media: Option<&Path>) {
    let anyone = Client::new(recorder.url()).unwrap();
    let client = enter(&anyone, admin);
    look_around(&client, &anyone);
    configure(&client);
    let photos = Photos::new();
    let uploaded = upload(&client, &photos);
    let album = fill_album(&client, &uploaded);
    find(&client, &photos, &uploaded, album);
    download(&client, &photos, &uploaded);
    back_up(&client, media);
    check_integrity(&client);
    delete(&client, &uploaded);
    assert_eq!(recorder.problems(), Vec::<String>::new());
}

/// Signs up where nobody did, logs in, and goes on with an API key.
fn enter(anyone: &Client, admin: &Admin) -> Client {
    let sign_up = SignUp {
        email: admin.email.clone(),
        password: admin.password.clone(),
        name: "Contract".into(),
    };
    let fresh = matches!(
        readiness::ServerState::of(anyone.config().unwrap()),
        readiness::ServerState::Uninitialized(_)
    );
    if fresh {
        let account = anyone.admin_sign_up(&sign_up).unwrap();
        assert!(account.is_admin);
    }
    assert_eq!(
        anyone.admin_sign_up(&sign_up).unwrap_err().status(),
        Some(400)
    );
    assert!(anyone.config().unwrap().is_initialized);

    let wrong = anyone.login(&admin.email, &"wrong".into()).unwrap_err();
    assert!(wrong.is_unauthorized(), "{wrong}");
    let session = anyone.login(&admin.email, &admin.password).unwrap();
    let by_session = anyone.clone().with_credential(session.credential());
    let key = by_session.create_api_key("contract", &["all"]).unwrap();
    let narrow = by_session
        .create_api_key("contract", &["asset.read"])
        .unwrap();
    let narrow = anyone.clone().with_credential(narrow.credential());
    let refused = narrow.statistics().unwrap_err();
    assert!(refused.is_forbidden(), "{refused}");
    assert!(
        refused.to_string().contains("server.statistics"),
        "{refused}"
    );
    assert_eq!(
        by_session
            .create_api_key("contract", &["no.such"])
            .unwrap_err()
            .status(),
        Some(400)
    );
    anyone.clone().with_credential(key.credential())
}

fn look_around(client: &Client, anyone: &Client) {
    let version = anyone.version().unwrap();
    assert!(version.major >= 2, "{version}");
    assert!(anyone.statistics().unwrap_err().is_unauthorized());
    client.notifications(false).unwrap();
    client.notifications(true).unwrap();
}

fn configure(client: &Client) {
    let before = client.system_config().unwrap();
    assert_eq!(client.put_system_config(&before).unwrap(), before);
    let mut lacking = before.clone();
    lacking.as_object_mut().unwrap().remove("backup");
    let refused = client.put_system_config(&lacking).unwrap_err();
    assert_eq!(refused.status(), Some(400), "{refused}");
    assert_eq!(client.system_config().unwrap(), before);
}

/// Three new photos, one day apart.
struct Photos {
    _folder: TempDir,
    files: Vec<PathBuf>,
}

impl Photos {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let run: u32 = rand::random();
        let files = (1..=3)
            .map(|day| {
                let path = folder.path().join(format!("contract {run} {day} ä.jpg"));
                let taken = jiff::civil::datetime(2019, 3, day, 10, 0, 0, 0);
                std::fs::write(&path, photo(u64::from(run), taken)).unwrap();
                path
            })
            .collect();
        Self {
            _folder: folder,
            files,
        }
    }
}

fn upload(client: &Client, photos: &Photos) -> Vec<Uuid> {
    let before = client.statistics().unwrap();
    let send = |path: &PathBuf| -> Uploaded {
        let details = NewAsset {
            device_asset_id: path.file_name().unwrap().to_string_lossy().into_owned(),
            device_id: "contract".into(),
            file_created_at: "2022-02-02T02:02:02Z".parse().unwrap(),
            file_modified_at: "2022-02-02T02:02:02Z".parse().unwrap(),
        };
        client.upload_asset(path, &details).unwrap()
    };
    let uploaded: Vec<_> = photos.files.iter().map(send).collect();
    assert!(
        uploaded
            .iter()
            .all(|one| one.status == UploadOutcome::Created)
    );
    let again = send(&photos.files[0]);
    assert_eq!(again.status, UploadOutcome::Duplicate);
    assert_eq!(again.id, uploaded[0].id);
    let after = client.statistics().unwrap();
    assert_eq!(after.photos, before.photos + 3);
    uploaded.into_iter().map(|one| one.id).collect()
}

fn fill_album(client: &Client, assets: &[Uuid]) -> Uuid {
    let album = client
        .create_album(&NewAlbum {
            album_name: "Contract".into(),
            description: "two of three".into(),
            asset_ids: vec![assets[0]],
        })
        .unwrap();
    assert_eq!(album.asset_count, 1);
    let fates = client.add_to_album(album.id, &assets[..2]).unwrap();
    assert_eq!(fates.len(), 2);
    let fate = |id| fates.iter().find(|fate| fate.id == id).unwrap();
    assert!(!fate(assets[0]).success);
    assert_eq!(fate(assets[0]).error.as_deref(), Some("duplicate"));
    assert!(fate(assets[1]).success);
    let read = client.album(album.id).unwrap();
    assert_eq!(
        (read.album_name.as_str(), read.asset_count),
        ("Contract", 2)
    );
    assert!(
        client
            .albums()
            .unwrap()
            .iter()
            .any(|one| one.id == album.id)
    );
    assert_eq!(
        client.album(Uuid::new_v4()).unwrap_err().status(),
        Some(400)
    );
    album.id
}

fn find(client: &Client, photos: &Photos, assets: &[Uuid], album: Uuid) {
    let in_album = MetadataSearch {
        album_ids: vec![album],
        with_exif: true,
        ..MetadataSearch::default()
    };
    let ids = |found: &[Asset]| found.iter().map(|asset| asset.id).collect::<BTreeSet<_>>();
    let wanted = BTreeSet::from([assets[0], assets[1]]);
    assert_eq!(ids(&client.search_all(&in_album).unwrap()), wanted);

    let first = client.search_metadata(&in_album, 1, 1).unwrap();
    assert_eq!((first.assets.len(), first.next_page), (1, Some(2)));
    let second = client.search_metadata(&in_album, 2, 1).unwrap();
    assert_eq!((second.assets.len(), second.next_page), (1, None));
    assert_eq!(ids(&[first.assets, second.assets].concat()), wanted);

    let by_checksum = MetadataSearch {
        checksum: Some(checksum(&photos.files[2])),
        ..MetadataSearch::default()
    };
    assert_eq!(
        ids(&client.search_all(&by_checksum).unwrap()),
        [assets[2]].into()
    );

    // EXIF data is read by a job, after the answer to the upload.
    let first = wait_for("the photo's date", || {
        let asset = client.asset(assets[0]).unwrap();
        let taken = asset.exif_info.as_ref()?.date_time_original?;
        (taken.to_string() == "2019-03-01T09:00:00Z").then_some(asset)
    });
    assert_eq!(first.file_created_at.to_string(), "2019-03-01T09:00:00Z");
    assert_eq!(first.original_file_name, name(&photos.files[0]));
    assert_eq!(first.checksum, checksum(&photos.files[0]));
    assert_eq!(first.exif_info.unwrap().make.as_deref(), Some("Stand-in"));
    wait_for("the second photo's date", || {
        let asset = client.asset(assets[1]).unwrap();
        (asset.file_created_at.to_string() == "2019-03-02T09:00:00Z").then_some(())
    });
    let between = MetadataSearch {
        album_ids: vec![album],
        taken_after: Some("2019-02-28T00:00:00Z".parse().unwrap()),
        taken_before: Some("2019-03-01T23:00:00Z".parse().unwrap()),
        ..MetadataSearch::default()
    };
    assert_eq!(
        ids(&client.search_all(&between).unwrap()),
        [assets[0]].into()
    );
}

fn download(client: &Client, photos: &Photos, assets: &[Uuid]) {
    for (file, id) in photos.files.iter().zip(assets) {
        let mut got = Vec::new();
        let bytes = client.download_original(*id, &mut got).unwrap();
        assert_eq!(bytes, got.len() as u64);
        assert!(
            got == std::fs::read(file).unwrap(),
            "another file came back"
        );
    }
    client.make_derived_files_anew().unwrap();
    client.queue(Queue::ThumbnailGeneration).unwrap();
}

fn back_up(client: &Client, media: Option<&Path>) {
    let names = |media: &Path| -> BTreeSet<PathBuf> {
        let entries = std::fs::read_dir(media.join("backups")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|ending| ending == "gz"))
            .collect()
    };
    let before = media.map(names);
    client.start_job(Job::BackupDatabase).unwrap();
    let (Some(media), Some(before)) = (media, before) else {
        return println!("the database's backup is not looked at: IMMICH_TEST_MEDIA is not given");
    };
    let new = wait_for("a new database backup", || {
        names(media).difference(&before).next().cloned()
    });
    let version = client.version().unwrap();
    assert!(name(&new).contains(&format!("-v{version}-pg")), "{new:?}");
    let summary = dump::verify_file(&new).unwrap();
    let section = &summary.sections[0];
    assert!(section.counts.is_immich());
    assert!(section.counts.users() >= 1 && section.counts.assets() >= 3);
}

fn check_integrity(client: &Client) {
    if client.version().unwrap().major < 3 {
        for refused in [
            client.integrity_summary().unwrap_err(),
            client
                .integrity_report(IntegrityFlaw::MissingFile, 1)
                .unwrap_err(),
            client.start_job(Job::IntegrityMissingFiles).unwrap_err(),
        ] {
            assert!(refused.is_not_offered(), "{refused}");
            assert!(refused.to_string().contains("2.7.5"), "{refused}");
        }
        return;
    }
    client.start_job(Job::IntegrityMissingFiles).unwrap();
    wait_for("the integrity check to end", || {
        let queue = client.queue(Queue::IntegrityCheck).unwrap();
        queue.job_counts.is_idle().then_some(())
    });
    let summary = client.integrity_summary().unwrap();
    let found = client
        .integrity_report(IntegrityFlaw::MissingFile, usize::MAX)
        .unwrap();
    assert_eq!(found.len() as u64, summary.missing);
}

fn delete(client: &Client, assets: &[Uuid]) {
    // One that is not the caller's own: nothing at all is deleted.
    let refused = client
        .delete_assets(&[assets[0], Uuid::new_v4()], true)
        .unwrap_err();
    assert_eq!(refused.status(), Some(400), "{refused}");
    assert!(!client.asset(assets[0]).unwrap().is_trashed);

    client.delete_assets(&assets[..1], false).unwrap();
    assert!(client.asset(assets[0]).unwrap().is_trashed);
    client.delete_assets(assets, true).unwrap();
    for id in assets {
        wait_for("an asset to be gone", || {
            let error = client.asset(*id).err()?;
            (error.status() == Some(400)).then_some(())
        });
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn checksum(path: &Path) -> String {
    let digest = Sha1::digest(std::fs::read(path).unwrap());
    base64::engine::general_purpose::STANDARD.encode(digest)
}

/// A real Immich does much of its work after it answered.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    const LIMIT: Duration = Duration::from_secs(120);
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LIMIT, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
