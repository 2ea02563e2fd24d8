use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use appliance_immich::database::{Contents, Database, DatabaseError};
use immich_stand_in::testing::Postgres;
use jiff::Zoned;
use tempfile::TempDir;

use crate::common::{PHOTOS, connection, database, files, fill, take};

#[test]
fn a_dump_belongs_to_the_folders_owner_and_no_one_else_reads_it() {
    let postgres = cluster!();
    let media = fill(&postgres);
    let backups = media.path().join("backups");
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&backups, Some(4242), Some(4243)).unwrap();
    }
    let dump = take(&database(&postgres), &backups);
    let (file, folder) = (
        fs::metadata(&dump.path).unwrap(),
        fs::metadata(&backups).unwrap(),
    );
    assert_eq!((file.uid(), file.gid()), (folder.uid(), folder.gid()));
    assert_eq!(file.permissions().mode() & 0o777, 0o640);
    let name = dump.path.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("immich-db-backup-20"), "{name}");
    assert!(
        name.contains("-v2.7.5-pg") && name.ends_with(".sql.gz"),
        "{name}"
    );
}

#[test]
fn old_routine_dumps_go_and_everything_else_stays() {
    let postgres = cluster!();
    let media = fill(&postgres);
    let folder = TempDir::new().unwrap();
    for name in [
        "immich-db-backup-20200101T020000-v2.7.5-pg15.1.sql.gz",
        "immich-db-backup-20200102T020000-v2.7.5-pg15.1.sql.gz",
        "restore-point-immich-db-backup-20200101T020000-v2.7.5-pg15.1.sql.gz",
        "holiday.txt",
        // What a power cut left.
        ".immich-db-backup-20200103T020000-v2.7.5-pg15.1.sql.gz.tmp",
    ] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let database = database(&postgres);
    let dump = database
        .dump(folder.path(), "v2.7.5", &Zoned::now(), 2, &mut |_| {})
        .unwrap();
    let name = dump.path.file_name().unwrap().to_str().unwrap();
    assert_eq!(
        files(folder.path()),
        [
            "holiday.txt",
            "immich-db-backup-20200102T020000-v2.7.5-pg15.1.sql.gz",
            name,
            "restore-point-immich-db-backup-20200101T020000-v2.7.5-pg15.1.sql.gz",
        ]
    );
    assert_eq!(dump.removed.len(), 1);
    drop(media);
}

#[test]
fn a_failed_dump_leaves_no_file_and_removes_none() {
    let mut postgres = cluster!();
    let folder = TempDir::new().unwrap();
    let old = "immich-db-backup-20200101T020000-v2.7.5-pg15.1.sql.gz";
    fs::write(folder.path().join(old), "").unwrap();
    let absent = Database::new(connection(&postgres), "absent", "immich");
    let error = absent
        .dump(folder.path(), "2.7.5", &Zoned::now(), 1, &mut |_| {})
        .unwrap_err();
    assert!(
        error.to_string().contains("\"absent\" does not exist"),
        "{error}"
    );
    assert_eq!(files(folder.path()), [old]);

    postgres.stop();
    let error = database(&postgres)
        .dump(folder.path(), "2.7.5", &Zoned::now(), 1, &mut |_| {})
        .unwrap_err();
    assert!(
        matches!(&error, DatabaseError::Tool(tool) if tool.is_unreachable()),
        "{error}"
    );
    assert_eq!(files(folder.path()), [old]);
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
