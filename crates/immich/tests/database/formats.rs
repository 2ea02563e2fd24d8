//! A dump that is whole is loaded, however it was made and whatever came along.

use std::fs;
use std::io::Write;

use appliance_immich::database::{Connection, DatabaseError};
use appliance_immich::dump::{
    Crossing, DumpError, ImmichVersion, Obstacle, VerifiedDump, loadable_here,
};
use flate2::{Compression, write::GzEncoder};
use immich_stand_in::testing::Postgres;
use tempfile::TempDir;

use crate::common::{
    PHOTOS, changed, connection, database, fill, leftovers, obstacles, pg_dump, restore, take,
    trusted,
};

const END: &str = "--\n-- PostgreSQL database dump complete";

/// Loads a dump that was changed like this, and compares what came of it.
fn loads(change: impl FnOnce(String) -> String) -> VerifiedDump {
    let (old, new) = (Postgres::start().unwrap(), Postgres::start().unwrap());
    let media = fill(&old);
    let dump = take(&database(&old), &media.path().join("backups"));
    let path = changed(&dump, change);
    let target = database(&new);
    restore(&target, &path).unwrap();
    assert_eq!(target.counts().unwrap(), *dump.verified.counts());
    let album = "SELECT description FROM album";
    assert_eq!(
        new.sql("immich", album).unwrap(),
        old.sql("immich", album).unwrap()
    );
    assert_eq!(leftovers(&new), "");
    // All of it is Immich's own, whoever owned it.
    let strangers = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace
        AND relowner <> 'immich'::regrole";
    assert_eq!(new.sql("immich", strangers).unwrap(), "0");
    target.prove(&path).unwrap()
}

/// Whether there is a PostgreSQL here.
fn skipped() -> bool {
    match Postgres::start() {
        Ok(_) => false,
        Err(reason) => {
            println!("SKIPPED: {reason}");
            true
        }
    }
}

#[test]
fn roles_that_do_not_exist_here_do_not_hinder() {
    if skipped() {
        return;
    }
    let dump = loads(|text| {
        text.replace("OWNER TO immich", "OWNER TO \"im mich\"").replace(
            END,
            &format!(
                "GRANT SELECT ON TABLE public.asset TO grafana;\n\
                 REVOKE ALL ON SCHEMA public FROM nobody_here;\n\
                 ALTER DEFAULT PRIVILEGES FOR ROLE dba IN SCHEMA public GRANT SELECT ON TABLES TO grafana;\n\
                 CREATE PUBLICATION everything FOR ALL TABLES;\n\n{END}"
            ),
        )
    });
    for role in ["im mich", "grafana", "nobody_here"] {
        assert!(dump.roles().contains(role), "{role}");
    }
}

#[test]
fn an_extension_that_immich_does_not_use_is_left_out() {
    if skipped() {
        return;
    }
    let dump = loads(|text| {
        text.replace(
            "CREATE EXTENSION IF NOT EXISTS pg_trgm",
            "CREATE EXTENSION IF NOT EXISTS timescaledb WITH SCHEMA ts;\n\
             COMMENT ON EXTENSION timescaledb IS 'x';\n\
             CREATE EXTENSION IF NOT EXISTS pg_trgm",
        )
    });
    let left: Vec<_> = dump.unneeded_extensions().collect();
    assert_eq!(left, ["timescaledb"]);
}

#[test]
fn settings_and_tablespaces_of_another_server_do_not_hinder() {
    if skipped() {
        return;
    }
    loads(|text| {
        text.replace(
            "SET row_security = off;",
            "SET row_security = off;\nSET default_tablespace = fast_disk;\n\
             SET transaction_timeout = 0;\nSET some_future_setting = on;\n\
             SET SESSION AUTHORIZATION 'postgres';",
        )
    });
}

#[test]
fn a_dump_with_line_ends_of_windows_is_loaded() {
    if !skipped() {
        loads(|text| text.replace('\n', "\r\n"));
    }
}

#[test]
fn a_dump_out_of_a_terminal_is_loaded() {
    if skipped() {
        return;
    }
    loads(|text| {
        let text = text.replacen(
            END,
            &format!("pg_dump: warning: there are circular constraints\n\u{1b}[0m\n{END}"),
            1,
        );
        let text = format!("\u{1b}[?2004h\u{1b}[0m\n{text}\u{1b}[?2004l");
        text.replace('\n', "\r\n")
    });
}

#[test]
fn a_dump_that_creates_its_database_is_loaded() {
    let (old, new) = (cluster!(), cluster!());
    let media = fill(&old);
    let path = media.path().join("created.sql");
    fs::write(&path, pg_dump(&old, &["--create", "--clean"])).unwrap();
    restore(&database(&new), &path).unwrap();
    assert_eq!(
        database(&new).counts().unwrap(),
        database(&old).counts().unwrap()
    );
}

#[test]
fn every_packing_is_undone_and_what_cannot_be_is_named() {
    let (old, new) = (cluster!(), cluster!());
    let media = fill(&old);
    let plain = pg_dump(&old, &[]);
    let custom = pg_dump(&old, &["--format=custom"]);
    let tar = pg_dump(&old, &["--format=tar"]);
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let target = database(&new);
    let counts = database(&old).counts().unwrap();
    let path = media.path().join("dump");
    for (what, bytes) in [
        ("plain", plain.clone()),
        ("gzip", gzip(&plain)),
        ("zstd", zstd(&plain)),
        ("custom", custom.clone()),
        ("tar", tar),
        ("gzip of custom", gzip(&custom)),
    ] {
        fs::write(&path, &bytes).unwrap();
        let dump = trusted(&target, &path).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(dump.verified().bytes(), bytes.len() as u64, "{what}");
        target.restore(&dump, true, &mut |_| {}).unwrap();
        assert_eq!(target.counts().unwrap(), counts, "{what}");
    }
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        match target.prove(&path).unwrap_err() {
            DatabaseError::BadDump { why, .. } => why,
            other => panic!("{other}"),
        }
    };
    for bytes in [gzip(&plain), zstd(&plain)] {
        for part in [10, 50, 97] {
            let why = refused(&bytes[..bytes.len() * part / 100]);
            assert!(matches!(why, DumpError::GzipTruncated), "{part} %: {why}");
        }
    }
    for part in [1, 50, 97] {
        let why = refused(&custom[..custom.len() * part / 100]);
        assert!(
            matches!(why, DumpError::ArchiveDamaged(_)),
            "{part} %: {why}"
        );
    }
    assert!(matches!(refused(b"\xfd7zXZ\0abc"), DumpError::Packed("xz")));
    assert!(matches!(
        refused(b"PK\x03\x04abc"),
        DumpError::Packed("zip")
    ));
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain(String::from_utf8_lossy(&plain).encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(matches!(refused(&utf16), DumpError::Utf16));
    // Without PostgreSQL's tools.
    fs::write(&path, &custom).unwrap();
    let without = VerifiedDump::prove(&path, "immich", None).unwrap_err();
    assert!(matches!(without, DumpError::Archive), "{without}");
}

#[test]
fn a_database_of_another_name_is_found_in_a_cluster_dump() {
    let (old, new) = (cluster!(), cluster!());
    let _media = fill(&old);
    let counts = database(&old).counts().unwrap();
    old.sql(
        "postgres",
        "ALTER DATABASE immich RENAME TO \"im mich's photos\"",
    )
    .unwrap();
    let output = std::process::Command::new(old.bin_dir().join("pg_dumpall"))
        .args(["--username", "postgres", "--host"])
        .arg(old.socket_dir())
        .output()
        .unwrap();
    assert!(output.status.success());
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("all.sql");
    fs::write(&path, output.stdout).unwrap();
    restore(&database(&new), &path).unwrap();
    assert_eq!(database(&new).counts().unwrap(), counts);
}

/// It would load nothing, and its counts would be wrong.
#[test]
fn a_dump_of_insert_statements_is_refused_with_the_line() {
    let (old, new) = (cluster!(), cluster!());
    let media = fill(&old);
    let path = media.path().join("inserts.sql");
    fs::write(&path, pg_dump(&old, &["--inserts"])).unwrap();
    let error = restore(&database(&new), &path).unwrap_err();
    let DatabaseError::BadDump { why, .. } = &error else {
        panic!("{error}");
    };
    // There is no table's rows in it at all.
    assert!(matches!(why, DumpError::NotImmich), "{why}");
    let mixed = String::from_utf8(pg_dump(&old, &[])).unwrap().replace(
        END,
        &format!("INSERT INTO public.session VALUES (1);\n{END}"),
    );
    fs::write(&path, mixed).unwrap();
    let error = restore(&database(&new), &path).unwrap_err();
    assert!(
        obstacles(&error)[0].contains("without --inserts"),
        "{error}"
    );
}

/// Before there is a drive, there is no server either.
#[test]
fn what_is_installed_is_known_without_a_server() {
    let mut postgres = cluster!();
    let with = database(&postgres).installed(None).unwrap();
    let tools: Connection = connection(&postgres);
    postgres.stop();
    let without = tools.installed(None).unwrap();
    assert_eq!(without.postgresql.major(), with.postgresql.major());
    assert_eq!(
        without.extensions.get("pg_trgm"),
        with.extensions.get("pg_trgm")
    );
    assert!(without.extensions.contains_key("pg_trgm"));
}

#[test]
fn a_dump_of_a_newer_immich_is_refused_and_an_older_one_is_taken_across() {
    let postgres = cluster!();
    let _media = fill(&postgres);
    postgres
        .sql(
            "immich",
            "CREATE TABLE IF NOT EXISTS version_history (id uuid DEFAULT gen_random_uuid(),
                \"createdAt\" timestamptz DEFAULT now(), version character varying);
             INSERT INTO version_history (version) VALUES ('3.2.2')",
        )
        .unwrap();
    let database = database(&postgres);
    let folder = TempDir::new().unwrap();
    let dump = take(&database, folder.path()).verified;
    let at = database.immich_version().unwrap();
    for (installed, loadable, migrates) in [
        (ImmichVersion::new(2, 7, 5), false, false),
        (ImmichVersion::new(3, 2, 1), false, false),
        (ImmichVersion::new(3, 2, 2), true, false),
        (ImmichVersion::new(3, 10, 0), true, true),
    ] {
        let crossing = Crossing::of(at.as_ref(), true, &installed);
        assert_eq!(crossing.is_refused(), !loadable, "{crossing}");
        assert_eq!(crossing.migrates(), migrates, "{crossing}");
        let here = database.installed(Some(installed)).unwrap();
        let found = loadable_here(&dump, &here);
        assert_eq!(found.is_ok(), loadable);
        if let Err(found) = found {
            assert!(matches!(found[0], Obstacle::NewerImmich { .. }));
        }
    }
    assert_eq!(dump.counts().assets(), PHOTOS);
}
