use super::*;
use immich_stand_in::{AdminCommand, ImmichVersion, MigrationBehaviour};

use ImmichVersion::{V2_7_5, V3_2_2};

fn settings_of(version: ImmichVersion, media: &Path, postgres: &Postgres) -> Settings {
    Settings {
        version,
        ..settings(media, postgres, None)
    }
}

/// A library of 2.7.5 with a photo in an album; the two.
fn fill(media: &Path, postgres: &Postgres) -> (Uuid, Uuid) {
    let stand_in = StandIn::start(settings_of(V2_7_5, media, postgres)).unwrap();
    let client = admin(&stand_in);
    let photo = upload(&client, 1);
    let album = client
        .create_album(&NewAlbum {
            album_name: "Album".into(),
            description: String::new(),
            asset_ids: vec![photo],
        })
        .unwrap();
    (photo, album.id)
}

fn assert_all_there(stand_in: &StandIn, photo: Uuid, album: Uuid) {
    let client = admin(stand_in);
    assert_eq!(client.statistics().unwrap().photos, 1);
    client.download_original(photo, &mut Vec::new()).unwrap();
    let albums = client.albums().unwrap();
    assert_eq!(albums.len(), 1);
    assert_eq!((albums[0].id, albums[0].asset_count), (album, 1));
    let found = client.search_all(&MetadataSearch {
        album_ids: vec![album],
        ..MetadataSearch::default()
    });
    assert_eq!(found.unwrap()[0].id, photo);
}

fn history(postgres: &Postgres) -> String {
    postgres
        .sql(
            "immich",
            "SELECT string_agg(version, ',' ORDER BY \"createdAt\") FROM version_history",
        )
        .unwrap()
}

fn refusal(settings: Settings) -> StartError {
    match StandIn::start(settings) {
        Err(refusal) => refusal,
        Ok(_) => panic!("it started"),
    }
}

#[test]
fn a_library_of_2_7_5_is_carried_forward_and_never_back() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    let (photo, album) = fill(media.path(), &postgres);
    assert_eq!(history(&postgres), "2.7.5");
    let new = settings_of(V3_2_2, media.path(), &postgres);
    for _ in 0..2 {
        let stand_in = StandIn::start(new.clone()).unwrap();
        assert_all_there(&stand_in, photo, album);
        assert_eq!(anyone(&stand_in).version().unwrap().to_string(), "3.2.2");
    }
    assert_eq!(history(&postgres), "2.7.5,3.2.2");
    upload(&admin(&StandIn::start(new).unwrap()), 2);

    let back = refusal(settings_of(V2_7_5, media.path(), &postgres));
    assert!(matches!(back, StartError::Newer(_)), "{back}");
    assert_eq!(history(&postgres), "2.7.5,3.2.2");
}

#[test]
fn a_migration_that_fails_in_the_middle_leaves_what_only_the_new_version_can_complete() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    let (photo, album) = fill(media.path(), &postgres);
    let new = settings_of(V3_2_2, media.path(), &postgres);
    let failing = Settings {
        migration: MigrationBehaviour {
            fails_at: Some("3.1".into()),
            ..MigrationBehaviour::default()
        },
        ..new.clone()
    };
    for _ in 0..2 {
        let failed = refusal(failing.clone());
        assert!(matches!(&failed, StartError::Migration(name) if name.starts_with("3.1")));
    }
    assert_eq!(history(&postgres), "2.7.5");
    let back = refusal(settings_of(V2_7_5, media.path(), &postgres));
    assert!(matches!(back, StartError::Newer(_)), "{back}");
    assert_all_there(&StandIn::start(new).unwrap(), photo, album);
}

#[test]
fn a_slow_migration_answers_nothing_meanwhile_and_shows_progress_in_the_database() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    let (photo, album) = fill(media.path(), &postgres);
    // A port that is known before the server listens on it.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port();
    let slow = Settings {
        port,
        migration: MigrationBehaviour {
            step: Duration::from_secs(1),
            ..MigrationBehaviour::default()
        },
        ..settings_of(V3_2_2, media.path(), &postgres)
    };
    let client = Client::new(&format!("http://127.0.0.1:{port}")).unwrap();
    let position = || {
        postgres
            .sql("postgres", "SELECT pg_current_wal_insert_lsn()")
            .ok()
    };
    // As long as two steps: far less than the whole migration takes.
    let timeout = Duration::from_secs(3);
    let (started, waited) = std::thread::scope(|scope| {
        let started = scope.spawn(|| StandIn::start(slow).unwrap());
        let mut moved = changes(position);
        let mut probe = ProgressProbe {
            every: Duration::from_millis(500),
            look: &mut moved,
        };
        let start = Instant::now();
        let state = wait_while_progressing(&client, timeout, &mut probe, &mut |waiting, _| {
            assert_eq!(*waiting, Waiting::Server);
            ControlFlow::Continue(())
        });
        assert!(matches!(state, Ok(ServerState::Ready(_))), "{state:?}");
        (started.join().unwrap(), start.elapsed())
    });
    assert!(waited > timeout, "it was not slow: {waited:?}");
    assert_all_there(&started, photo, album);
}

#[test]
fn a_migration_that_hangs_is_given_up() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    fill(media.path(), &postgres);
    let hanging = Settings {
        migration: MigrationBehaviour {
            hangs_at: Some("3.0-2".into()),
            ..MigrationBehaviour::default()
        },
        ..settings_of(V3_2_2, media.path(), &postgres)
    };
    // It never returns: the process of the test ends it.
    std::thread::spawn(|| StandIn::start(hanging).map(drop));
    let client = Client::new("http://127.0.0.1:9").unwrap();
    let mut moved = changes(|| {
        postgres
            .sql("postgres", "SELECT pg_current_wal_insert_lsn()")
            .ok()
    });
    let mut probe = ProgressProbe {
        every: Duration::from_millis(500),
        look: &mut moved,
    };
    let error = wait_while_progressing(&client, Duration::from_secs(3), &mut probe, &mut |_, _| {
        ControlFlow::Continue(())
    })
    .unwrap_err();
    assert!(matches!(error, NotReady::Timeout { .. }), "{error}");
}

#[test]
fn schema_check_tells_a_database_of_another_version() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    fill(media.path(), &postgres);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let check = |version| {
        let settings = settings_of(version, media.path(), &postgres);
        let said = runtime.block_on(AdminCommand::SchemaCheck.run(&settings));
        said.unwrap()
    };
    assert_eq!(check(V2_7_5), ("No schema drift detected".to_owned(), true));
    let (said, well) = check(V3_2_2);
    assert!(!well && said.contains("3.2-1-integrity-report"), "{said}");
}
