//! The client against the types of `@immich/sdk`, of each version: what it sends they know, and
//! whatever answer they allow it understands.

use super::*;
use appliance_immich::api::{ApiError, AssetKind, NotificationLevel};
use immich_stand_in::testing::{TypedServer, Verbosity};

/// Makes all calls once, each with every field that the client can send.
fn call_everything(client: &Client, major: u32) -> Result<(), ApiError> {
    let id = Uuid::new_v4();
    let now = jiff::Timestamp::now();
    let secret = || SecretString::from("secret");
    client.config()?;
    client.version()?;
    client.statistics()?;
    client.admin_sign_up(&SignUp {
        email: "admin@example.org".into(),
        password: secret(),
        name: "Admin".into(),
    })?;
    client.login("admin@example.org", &secret())?;
    client.create_api_key("key", &["all"])?;
    client.notifications(true)?;
    client.notifications(false)?;
    client.start_job(Job::BackupDatabase)?;
    client.make_derived_files_anew()?;
    client.queue(Queue::ThumbnailGeneration)?;
    client.albums()?;
    client.album(id)?;
    client.create_album(&NewAlbum {
        album_name: "Album".into(),
        description: "an album".into(),
        asset_ids: vec![id],
    })?;
    client.add_to_album(id, &[id])?;
    client.search_metadata(
        &MetadataSearch {
            album_ids: vec![id],
            taken_before: Some(now),
            taken_after: Some(now),
            original_file_name: Some("a.jpg".into()),
            checksum: Some("x".into()),
            with_deleted: true,
            with_exif: true,
        },
        1,
        10,
    )?;
    client.asset(id)?;
    client.download_original(id, &mut Vec::new())?;
    client.delete_assets(&[id], true)?;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.jpg");
    std::fs::write(&file, "photo").unwrap();
    client.upload_asset(
        &file,
        &NewAsset {
            device_asset_id: "a".into(),
            device_id: "b".into(),
            file_created_at: now,
            file_modified_at: now,
        },
    )?;
    let config = client.system_config()?;
    client.put_system_config(&config)?;
    if major >= 3 {
        for job in [
            Job::IntegrityMissingFiles,
            Job::IntegrityUntrackedFiles,
            Job::IntegrityChecksumMismatch,
        ] {
            client.start_job(job)?;
        }
        client.queue(Queue::IntegrityCheck)?;
        client.integrity_summary()?;
        client.integrity_report(IntegrityFlaw::MissingFile, 1)?;
        client.integrity_report(IntegrityFlaw::UntrackedFile, 1)?;
        client.integrity_report(IntegrityFlaw::ChecksumMismatch, 1)?;
    }
    Ok(())
}

/// Starts what answers by the types; the configuration that it makes is not sent back to it as the
/// types want it where it holds what they do not know.
fn against_types(version: ImmichVersion, verbosity: Verbosity) {
    let server = TypedServer::start(version, verbosity).unwrap();
    let client = Client::new(server.url()).unwrap();
    call_everything(&client, version.major()).unwrap();
    let expected: BTreeSet<_> = calls(version.major())
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(server.seen(), expected, "{version} {verbosity:?}");
    let mut problems = server.problems();
    if verbosity == Verbosity::Unheard {
        // What Immich said of its configuration goes back as it came.
        problems.retain(|problem| !problem.starts_with("PUT /api/") || !problem.contains("config"));
    }
    assert_eq!(problems, Vec::<String>::new(), "{version} {verbosity:?}");
}

#[test]
fn every_call_fits_the_types_of_2_7_5_and_understands_the_shortest_and_the_longest_answer() {
    for verbosity in [Verbosity::Least, Verbosity::Most] {
        against_types(ImmichVersion::V2_7_5, verbosity);
    }
}

#[test]
fn every_call_fits_the_types_of_3_2_2_and_understands_the_shortest_and_the_longest_answer() {
    for verbosity in [Verbosity::Least, Verbosity::Most] {
        against_types(ImmichVersion::V3_2_2, verbosity);
    }
}

#[test]
fn fields_and_values_never_heard_of_break_no_call() {
    for version in ImmichVersion::ALL {
        against_types(version, Verbosity::Unheard);
    }
    let server = TypedServer::start(ImmichVersion::V3_2_2, Verbosity::Unheard).unwrap();
    let client = Client::new(server.url()).unwrap();
    let asset = client.asset(Uuid::new_v4()).unwrap();
    assert_eq!(asset.kind, AssetKind::Other);
    let told = client.notifications(false).unwrap();
    assert_eq!(told[0].level, NotificationLevel::Info);
    let found = client
        .integrity_report(IntegrityFlaw::MissingFile, 1)
        .unwrap();
    assert_eq!(found[0].flaw, IntegrityFlaw::Other);
}

#[test]
fn a_report_whose_pages_go_in_a_circle_is_an_error_and_no_loop() {
    let server = TypedServer::start(ImmichVersion::V3_2_2, Verbosity::Most).unwrap();
    let client = Client::new(server.url()).unwrap();
    let error = client
        .integrity_report(IntegrityFlaw::MissingFile, 10)
        .unwrap_err();
    assert!(error.to_string().contains("follows itself"), "{error}");
}
