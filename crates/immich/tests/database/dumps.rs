use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use appliance_immich::database::{Contents, Database, DatabaseError, DumpPurpose};
use immich_stand_in::testing::Postgres;
use tempfile::TempDir;

use crate::common::{PHOTOS, changed, connection, database, files, fill, ledger, request, take};

#[test]
fn a_dump_belongs_to_the_folders_owner_and_no_one_else_reads_it() {
    let postgres = cluster!();
    let media = fill(&postgres);
    let backups = media.path().join("backups");
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&backups, Some(4242), Some(4243)).unwrap();
    }
    let installed = "2.7.5".parse().unwrap();
    let mut asked = request(&backups);
    asked.installed = Some(&installed);
    let dump = database(&postgres)
        .dump(&asked, &mut ledger(&backups), &mut |_| {})
        .unwrap();
    let (file, folder) = (
        fs::metadata(dump.verified.path()).unwrap(),
        fs::metadata(&backups).unwrap(),
    );
    assert_eq!((file.uid(), file.gid()), (folder.uid(), folder.gid()));
    assert_eq!(file.permissions().mode() & 0o777, 0o640);
    let name = dump.verified.path().file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("immich-db-backup-20"), "{name}");
    assert!(
        name.contains("-v2.7.5-pg") && name.ends_with(".sql.gz"),
        "{name}"
    );
}

/// By the record: a name or a clock tells nothing.
#[test]
fn old_dumps_of_this_box_go_and_everything_else_stays() {
    let postgres = cluster!();
    let _media = fill(&postgres);
    let folder = TempDir::new().unwrap();
    let strangers = [
        "holiday.txt",
        "immich-db-backup-20200102T020000-v2.7.5-pg15.1.sql.gz",
        "immich-db-backup-99990101T020000-v2.7.5-pg15.1.sql.gz",
        "restore-point-immich-db-backup-20200101T020000-v2.7.5-pg15.1.sql.gz",
    ];
    for name in strangers {
        fs::write(folder.path().join(name), "").unwrap();
    }
    // What a power cut left.
    let cut = ".immich-db-backup-20200103T020000-v2.7.5-pg15.1.sql.gz.tmp";
    fs::write(folder.path().join(cut), "").unwrap();
    let database = database(&postgres);
    let mut dumps = Vec::new();
    // The clock runs backwards.
    for day in [30, 20, 10] {
        let mut request = request(folder.path());
        request.now = format!("2026-11-{day}T03:04:05[UTC]").parse().unwrap();
        request.keep = 2;
        let mut ledger = ledger(folder.path());
        dumps.push(database.dump(&request, &mut ledger, &mut |_| {}).unwrap());
    }
    assert_eq!(dumps[2].removed, [dumps[0].verified.path()]);
    let mut expected: Vec<_> = strangers.map(str::to_owned).into();
    expected.extend(dumps[1..].iter().map(|dump| dump.record.name.clone()));
    expected.sort();
    assert_eq!(files(folder.path()), expected);
    let ledger = ledger(folder.path());
    assert_eq!(ledger.newest(), Some(&dumps[2].record));
    let first = ledger.files(folder.path()).unwrap().remove(0);
    assert_eq!(first.path, dumps[2].verified.path());
    // What was made here is known by its checksum, wherever it lies now.
    let moved = folder.path().join("elsewhere");
    fs::rename(dumps[2].verified.path(), &moved).unwrap();
    assert!(ledger.trust(database.prove(&moved).unwrap()).is_ok());
}

#[test]
fn a_dump_that_this_box_has_not_made_is_not_trusted() {
    let postgres = cluster!();
    let media = fill(&postgres);
    let folder = media.path().join("backups");
    let database = database(&postgres);
    let dump = take(&database, &folder);
    let planted = changed(&dump, |text| text.replace("All", "Bad"));
    let name = folder.join("immich-db-backup-99990101T000000-v2.7.5-pg15.1.sql.gz");
    fs::rename(planted, &name).unwrap();
    let ledger = ledger(&folder);
    assert!(ledger.trust(database.prove(&name).unwrap()).is_err());
    let files = ledger.files(&folder).unwrap();
    assert_eq!(files[0].record.as_ref(), Some(&dump.record));
    assert_eq!(
        (files[1].path.as_path(), &files[1].record),
        (name.as_path(), &None)
    );
    // Under the name of one that was recorded, too.
    fs::rename(&name, dump.verified.path()).unwrap();
    let changed = database.prove(dump.verified.path()).unwrap();
    assert!(ledger.trust(changed).is_err());
}

/// Immich would take it for the output of pg_dumpall, and restore nothing.
#[test]
fn a_dumps_version_comes_from_the_database_and_without_one_it_is_not_named_as_immichs() {
    let postgres = cluster!();
    let _media = fill(&postgres);
    let folder = TempDir::new().unwrap();
    let database = database(&postgres);
    postgres
        .sql("immich", "DROP TABLE IF EXISTS version_history")
        .unwrap();
    assert_eq!(database.immich_version().unwrap(), None);
    let dump = take(&database, folder.path());
    assert!(
        dump.record.name.starts_with("database-"),
        "{:?}",
        dump.record
    );
    assert!(!appliance_immich::database::is_routine_dump(
        &dump.record.name
    ));

    let installed = "v2.7.4".parse().unwrap();
    let mut asked = request(folder.path());
    asked.installed = Some(&installed);
    let dump = database
        .dump(&asked, &mut ledger(folder.path()), &mut |_| {})
        .unwrap();
    assert!(dump.record.name.contains("-v2.7.4-pg"), "{:?}", dump.record);

    postgres
        .sql(
            "immich",
            "CREATE TABLE version_history (id uuid DEFAULT gen_random_uuid(),
                \"createdAt\" timestamptz DEFAULT now(), version character varying);
             INSERT INTO version_history (version, \"createdAt\")
                VALUES ('2.10.1', '2020-01-01'), ('2.7.5', now())",
        )
        .unwrap();
    let version = database.immich_version().unwrap().unwrap();
    assert_eq!(version.to_string(), "2.10.1");
    asked.purpose = DumpPurpose::Kept;
    let dump = database
        .dump(&asked, &mut ledger(folder.path()), &mut |_| {})
        .unwrap();
    assert!(dump.record.name.starts_with("kept-immich-db-backup-"));
    assert!(
        dump.record.name.contains("-v2.10.1-pg"),
        "{:?}",
        dump.record
    );
    assert_eq!(dump.verified.immich(), Some(&version));
    assert_eq!(dump.record.extensions["pg_trgm"], "1.6");
}

#[test]
fn a_failed_dump_leaves_no_file_and_removes_none() {
    let mut postgres = cluster!();
    let folder = TempDir::new().unwrap();
    let old = "immich-db-backup-20200101T020000-v2.7.5-pg15.1.sql.gz";
    fs::write(folder.path().join(old), "").unwrap();
    let dump = |database: &Database| {
        database
            .dump(
                &request(folder.path()),
                &mut ledger(folder.path()),
                &mut |_| {},
            )
            .unwrap_err()
    };
    let error = dump(&Database::new(connection(&postgres), "absent", "immich"));
    assert!(
        error.to_string().contains("\"absent\" does not exist"),
        "{error}"
    );
    assert_eq!(files(folder.path()), [old]);

    postgres.stop();
    let error = dump(&database(&postgres));
    assert!(
        matches!(&error, DatabaseError::Tool(tool) if tool.is_unreachable()),
        "{error}"
    );
    assert_eq!(files(folder.path()), [old]);
}

/// As by locking the drive: no page of SQL.
#[test]
fn a_database_that_is_stopped_in_the_middle_of_a_dump_is_told_in_one_sentence() {
    let mut postgres = cluster!();
    let _media = fill(&postgres);
    let folder = TempDir::new().unwrap();
    // Its rows take longer than it takes to stop the server.
    postgres
        .sql(
            "immich",
            "CREATE TABLE big AS SELECT i, repeat('x', 1000) t FROM generate_series(1, 300000) i",
        )
        .unwrap();
    let database = database(&postgres);
    let (sender, begun) = std::sync::mpsc::channel();
    let path = folder.path().to_owned();
    let dumping = std::thread::spawn(move || {
        let told = database.dump(&request(&path), &mut ledger(&path), &mut |bytes| {
            // Once: while it waits here, pg_dump waits for its pipe.
            if bytes > 1 << 20 && sender.send(()).is_ok() {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        });
        told.unwrap_err()
    });
    begun.recv().unwrap();
    postgres.stop();
    let error = dumping.join().unwrap();
    assert!(error.was_stopped(), "{error}");
    assert_eq!(
        error.to_string(),
        "cannot dump the database \"immich\": pg_dump could not go on: the database was stopped \
         meanwhile"
    );
    assert_eq!(files(folder.path()), [""; 0]);
}

/// A link in place of the folder would make root write wherever it leads.
#[test]
fn no_dump_is_written_through_a_link() {
    let postgres = cluster!();
    let _media = fill(&postgres);
    let root = TempDir::new().unwrap();
    fs::create_dir(root.path().join("elsewhere")).unwrap();
    let link = root.path().join("backups");
    std::os::unix::fs::symlink("elsewhere", &link).unwrap();
    let mut ledger = ledger(root.path());
    let error = database(&postgres)
        .dump(&request(&link), &mut ledger, &mut |_| {})
        .unwrap_err();
    assert!(
        error.to_string().starts_with("cannot open the folder"),
        "{error}"
    );
    assert_eq!(files(&root.path().join("elsewhere")), [""; 0]);
}

#[test]
fn every_rows_file_is_looked_for_and_no_files_row() {
    let postgres = cluster!();
    let media = fill(&postgres);
    let database = database(&postgres);
    fs::write(media.path().join("upload/stray.jpg"), "").unwrap();
    let all = database.missing_originals(media.path()).unwrap();
    assert_eq!((all.checked, all.missing.len()), (PHOTOS, 0));

    let path = postgres
        .sql("immich", "SELECT \"originalPath\" FROM asset LIMIT 1")
        .unwrap();
    fs::remove_file(&path).unwrap();
    let some = database.missing_originals(media.path()).unwrap();
    assert_eq!(some.checked, PHOTOS);
    assert_eq!(some.missing.len(), 1);
    assert_eq!(some.missing[0].path, Path::new(&path));

    // The same on another machine, before Immich's first start there.
    let moved = TempDir::new().unwrap();
    fs::rename(media.path().join("upload"), moved.path().join("upload")).unwrap();
    let there = database.missing_originals(moved.path()).unwrap();
    assert_eq!((there.checked, there.missing.len()), (PHOTOS, 1));
    assert!(there.missing[0].path.starts_with(moved.path()));
}

#[test]
fn an_absent_database_is_told_from_an_empty_one() {
    let mut postgres = cluster!();
    let absent = Database::new(connection(&postgres), "ab'sent", "immich");
    assert_eq!(absent.contents().unwrap(), Contents::Absent);
    assert!(!absent.exists().unwrap());
    let database = database(&postgres);
    assert_eq!(database.contents().unwrap(), Contents::Empty);
    assert!(database.owner_exists().unwrap());
    assert!(database.server_version().unwrap().major().unwrap() >= 13);
    postgres.stop();
    let error = database.contents().unwrap_err();
    assert!(
        matches!(&error, DatabaseError::Tool(tool) if tool.is_unreachable()),
        "{error}"
    );
}
