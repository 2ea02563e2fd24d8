use std::fs;
use std::io::Read;

use appliance_immich::api::Client;
use appliance_immich::database::{Contents, Database, DatabaseError, RestoreStep};
use appliance_immich::dump::{DumpError, Table};
use flate2::read::MultiGzDecoder;
use immich_stand_in::testing::{Postgres, StandIn, settings};
use tempfile::TempDir;

use crate::common::{
    PHOTOS, changed, connection, database, fill, leftovers, obstacles, pg_dump, restore, take,
    trusted,
};

#[test]
fn a_database_goes_through_a_dump_to_another_server_and_immich_starts_on_it() {
    let (old, new) = (cluster!(), cluster!());
    let media = fill(&old);
    let backups = media.path().join("backups");
    let dump = take(&database(&old), &backups);
    assert_eq!(dump.verified.counts().users(), 1);
    assert_eq!(dump.verified.counts().assets(), PHOTOS);
    assert_eq!(dump.verified.counts().albums(), 1);
    assert_eq!(dump.verified.counts().album_assets(), PHOTOS);
    assert_eq!(*dump.verified.counts(), database(&old).counts().unwrap());
    assert_eq!(
        dump.verified.bytes(),
        fs::metadata(dump.verified.path()).unwrap().len()
    );

    let target = database(&new);
    assert_eq!(target.contents().unwrap(), Contents::Empty);
    assert!(!target.is_initialised().unwrap());
    let mut steps = Vec::new();
    let restored = target
        .restore(
            &trusted(&target, dump.verified.path()).unwrap(),
            false,
            &mut |step| steps.push(step),
        )
        .unwrap();
    assert_eq!(restored.counts, *dump.verified.counts());
    assert!(!restored.already_there && !restored.maintenance_ended);
    assert_eq!(target.counts().unwrap(), *dump.verified.counts());
    assert_eq!(target.contents().unwrap(), Contents::Users(1));
    assert_eq!(leftovers(&new), "");
    assert!(matches!(steps.first(), Some(RestoreStep::Loading { .. })));
    assert_eq!(steps.last(), Some(&RestoreStep::Replacing));
    let loaded = steps.iter().rev().find_map(|step| match step {
        RestoreStep::Loading { done, total } => Some((done, total)),
        _ => None,
    });
    let (done, total) = loaded.unwrap();
    assert_eq!(done, total, "the progress does not reach its end");

    // As the role immich: it must own what it alters.
    let stand_in = StandIn::start(settings(media.path(), &new, None)).unwrap();
    let anyone = Client::new(stand_in.url()).unwrap();
    let session = anyone.login("admin@example.org", &"secret".into()).unwrap();
    let client = anyone.with_credential(session.credential());
    assert_eq!(client.statistics().unwrap().photos, PHOTOS);
    let album = client.albums().unwrap().remove(0);
    assert_eq!(album.description, "a line\nand \\. another");
    new.sql(
        "immich",
        "SET ROLE immich; ALTER TABLE asset ADD COLUMN new int",
    )
    .unwrap();
}

#[test]
fn a_database_in_use_is_only_replaced_when_told_to() {
    let (old, new) = (cluster!(), cluster!());
    let (media, _other) = (fill(&old), fill(&new));
    let dump = take(&database(&old), &media.path().join("backups"));
    let target = database(&new);
    new.sql("immich", "DELETE FROM album_asset").unwrap();
    let before = target.counts().unwrap();
    let error = restore(&target, dump.verified.path()).unwrap_err();
    assert!(
        matches!(error, DatabaseError::HoldsUsers { users: 1, .. }),
        "{error}"
    );
    assert_eq!(target.counts().unwrap(), before);
    target
        .restore(
            &trusted(&target, dump.verified.path()).unwrap(),
            true,
            &mut |_| {},
        )
        .unwrap();
    assert_eq!(target.counts().unwrap(), *dump.verified.counts());
    assert_eq!(leftovers(&new), "");
}

/// As many rows are not the same rows.
#[test]
fn a_database_with_as_many_rows_is_not_taken_for_the_dumps_own() {
    let (old, new) = (cluster!(), cluster!());
    let (media, _other) = (fill(&old), fill(&new));
    let dump = take(&database(&old), &media.path().join("backups"));
    let target = database(&new);
    assert_eq!(target.counts().unwrap(), *dump.verified.counts());
    let error = restore(&target, dump.verified.path()).unwrap_err();
    assert!(matches!(error, DatabaseError::HoldsUsers { .. }), "{error}");
    let user = "SELECT id FROM \"user\"";
    let wanted = old.sql("immich", user).unwrap();
    assert_ne!(new.sql("immich", user).unwrap(), wanted);
    let restored = target
        .restore(
            &trusted(&target, dump.verified.path()).unwrap(),
            true,
            &mut |_| {},
        )
        .unwrap();
    assert!(!restored.already_there);
    assert_eq!(new.sql("immich", user).unwrap(), wanted);
}

#[test]
fn a_second_restore_changes_nothing() {
    let (old, new) = (cluster!(), cluster!());
    let media = fill(&old);
    let dump = take(&database(&old), &media.path().join("backups"));
    let target = database(&new);
    restore(&target, dump.verified.path()).unwrap();
    let id = "SELECT oid FROM pg_database WHERE datname = 'immich'";
    let before = new.sql("postgres", id).unwrap();
    let again = target
        .restore(
            &trusted(&target, dump.verified.path()).unwrap(),
            false,
            &mut |_| {},
        )
        .unwrap();
    assert!(again.already_there);
    assert_eq!(new.sql("postgres", id).unwrap(), before);
    new.sql("immich", "DELETE FROM album_asset").unwrap();
    let error = restore(&target, dump.verified.path()).unwrap_err();
    assert!(matches!(error, DatabaseError::HoldsUsers { .. }), "{error}");
}

#[test]
fn what_a_restore_cut_short_left_does_not_hinder_the_next() {
    let (old, new) = (cluster!(), cluster!());
    let media = fill(&old);
    let dump = take(&database(&old), &media.path().join("backups"));
    let target = database(&new);
    // Cut within the load, and cut between the replacement and the end of the replaced.
    new.sql("postgres", "CREATE DATABASE immich_restoring")
        .unwrap();
    restore(&target, dump.verified.path()).unwrap();
    new.sql("postgres", "CREATE DATABASE immich_replaced")
        .unwrap();
    new.sql("postgres", "CREATE DATABASE immich_restoring")
        .unwrap();
    restore(&target, dump.verified.path()).unwrap();
    assert_eq!(leftovers(&new), "");
    assert_eq!(target.counts().unwrap(), *dump.verified.counts());
}

#[test]
fn a_truncated_dump_is_refused_and_the_database_stays() {
    let (old, new) = (cluster!(), cluster!());
    let (media, _other) = (fill(&old), fill(&new));
    let dump = take(&database(&old), &media.path().join("backups"));
    let target = database(&new);
    let before = target.counts().unwrap();
    let packed = fs::read(dump.verified.path()).unwrap();
    let cut = dump.verified.path().with_file_name("cut.sql.gz");
    fs::write(&cut, &packed[..packed.len() * 97 / 100]).unwrap();
    let error = trusted(&target, &cut).unwrap_err();
    assert!(
        matches!(
            error,
            DatabaseError::BadDump {
                why: DumpError::GzipTruncated,
                ..
            }
        ),
        "{error}"
    );
    // Between two tables: valid SQL, which psql would commit.
    let between = changed(&dump, |text| {
        let at = text.find("-- Data for Name: asset;").unwrap();
        text[..at].to_owned()
    });
    let error = trusted(&target, &between).unwrap_err();
    assert!(
        matches!(
            error,
            DatabaseError::BadDump {
                why: DumpError::NoCompletionLine { .. },
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(target.counts().unwrap(), before);
    assert_eq!(leftovers(&new), "");
}

#[test]
fn a_dump_that_fails_while_it_is_loaded_leaves_the_old_database() {
    let (old, new) = (cluster!(), cluster!());
    let (media, _other) = (fill(&old), fill(&new));
    let dump = take(&database(&old), &media.path().join("backups"));
    let target = database(&new);
    let before = target.counts().unwrap();
    let end = "--\n-- PostgreSQL database dump complete";
    let failing = changed(&dump, |text| {
        text.replace(
            end,
            &format!("ALTER TABLE public.no_such ADD a int;\n\n{end}"),
        )
    });
    let error = target
        .restore(&trusted(&target, &failing).unwrap(), true, &mut |_| {})
        .unwrap_err();
    assert!(error.to_string().contains("no_such"), "{error}");
    assert_eq!(target.counts().unwrap(), before);

    // A trigger that loses every row.
    let lossy = changed(&dump, |text| {
        let copy = "COPY public.album_asset ";
        text.replace(
            copy,
            &format!(
                "CREATE FUNCTION public.lose() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RETURN NULL; END $$;\n\
                 CREATE TRIGGER lose BEFORE INSERT ON public.album_asset FOR EACH ROW \
                 EXECUTE FUNCTION public.lose();\n\n{copy}"
            ),
        )
    });
    let error = target
        .restore(&trusted(&target, &lossy).unwrap(), true, &mut |_| {})
        .unwrap_err();
    let DatabaseError::CountsDiffer(differences) = &error else {
        panic!("{error}");
    };
    assert_eq!(differences[0].table, Table::immich("album_asset"));
    assert_eq!(target.counts().unwrap(), before);

    target
        .restore(
            &trusted(&target, dump.verified.path()).unwrap(),
            true,
            &mut |_| {},
        )
        .unwrap();
    assert_eq!(target.counts().unwrap(), *dump.verified.counts());
    assert_eq!(leftovers(&new), "");
}

#[test]
fn what_the_server_lacks_is_said_before_anything_is_touched() {
    let (old, new) = (cluster!(), cluster!());
    let media = fill(&old);
    let dump = take(&database(&old), &media.path().join("backups"));
    let newer = changed(&dump, |text| {
        text.replace(
            "-- Dumped from database version ",
            "-- Dumped from database version 9",
        )
    });
    let error = restore(&database(&new), &newer).unwrap_err();
    assert!(obstacles(&error)[0].starts_with("it comes from PostgreSQL 9"));

    let needy = changed(&dump, |text| {
        text.replace(
            "CREATE EXTENSION IF NOT EXISTS pg_trgm",
            "CREATE EXTENSION IF NOT EXISTS vchord WITH SCHEMA public;\n\
             CREATE EXTENSION IF NOT EXISTS pg_trgm",
        )
    });
    let error = restore(&database(&new), &needy).unwrap_err();
    assert_eq!(
        obstacles(&error),
        ["it needs the PostgreSQL extension VectorChord (\"vchord\"), which is not installed here"]
    );

    let other = Database::new(connection(&new), "immich", "nobody");
    let error = restore(&other, dump.verified.path()).unwrap_err();
    assert!(matches!(error, DatabaseError::RoleMissing(role) if role == "nobody"));
    assert_eq!(database(&new).contents().unwrap(), Contents::Empty);
}

#[test]
fn a_dump_of_something_else_is_refused() {
    let postgres = cluster!();
    postgres
        .sql("immich", "CREATE TABLE shopping (item text)")
        .unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("shopping.sql");
    fs::write(&path, pg_dump(&postgres, &[])).unwrap();
    let error = restore(&database(&postgres), &path).unwrap_err();
    assert!(
        matches!(
            error,
            DatabaseError::BadDump {
                why: DumpError::NotImmich,
                ..
            }
        ),
        "{error}"
    );
}

/// As the official images do it: everything is owned by postgres, and older ones dump all.
#[test]
fn a_cluster_dump_of_an_official_image_becomes_immichs_own() {
    let (old, new) = (cluster!(), cluster!());
    let media = fill(&old);
    old.sql(
        "immich",
        "DO $$ DECLARE name text; BEGIN
            FOR name IN SELECT oid::regclass FROM pg_class
                WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            LOOP EXECUTE 'ALTER TABLE ' || name || ' OWNER TO postgres'; END LOOP;
        END $$; ALTER FUNCTION updated_at() OWNER TO postgres;
        ALTER DATABASE immich OWNER TO postgres",
    )
    .unwrap();
    let counts = database(&old).counts().unwrap();
    let mut command = std::process::Command::new(old.bin_dir().join("pg_dumpall"));
    let output = command
        .args(["--clean", "--if-exists", "--username", "postgres", "--host"])
        .arg(old.socket_dir())
        .output()
        .unwrap();
    assert!(output.status.success());
    let dump = media.path().join("all.sql");
    fs::write(&dump, output.stdout).unwrap();

    let target = database(&new);
    restore(&target, &dump).unwrap();
    assert_eq!(target.counts().unwrap(), counts);
    let stand_in = StandIn::start(settings(media.path(), &new, None)).unwrap();
    let anyone = Client::new(stand_in.url()).unwrap();
    anyone.login("admin@example.org", &"secret".into()).unwrap();
}

#[test]
fn a_restore_point_does_not_bring_maintenance_mode_back() {
    let (old, new) = (cluster!(), cluster!());
    let media = fill(&old);
    old.sql(
        "immich",
        r#"INSERT INTO system_metadata VALUES
            ('maintenance-mode', '{"isMaintenanceMode": true, "secret": "x"}')"#,
    )
    .unwrap();
    let dump = take(&database(&old), &media.path().join("backups"));
    let restored = database(&new)
        .restore(
            &trusted(&database(&new), dump.verified.path()).unwrap(),
            false,
            &mut |_| {},
        )
        .unwrap();
    assert!(restored.maintenance_ended);
    let stand_in = StandIn::start(settings(media.path(), &new, None)).unwrap();
    let config = Client::new(stand_in.url()).unwrap().config().unwrap();
    assert!(config.is_initialized && !config.maintenance_mode);
}

/// Immich's own restore empties the schema and runs the dump in one transaction.
#[test]
fn immichs_own_restore_takes_the_dump_too() {
    let (old, new) = (cluster!(), cluster!());
    let (media, _other) = (fill(&old), fill(&new));
    let dump = take(&database(&old), &media.path().join("backups"));
    let mut sql = "BEGIN; DROP SCHEMA public CASCADE; CREATE SCHEMA public;
        GRANT ALL ON SCHEMA public TO immich; GRANT ALL ON SCHEMA public TO public;\n"
        .to_owned();
    MultiGzDecoder::new(fs::File::open(dump.verified.path()).unwrap())
        .read_to_string(&mut sql)
        .unwrap();
    sql.push_str("COMMIT;\n");
    new.sql("immich", &sql).unwrap();
    assert_eq!(database(&new).counts().unwrap(), *dump.verified.counts());
}
