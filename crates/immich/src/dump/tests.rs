use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

const TOKEN: &str = "Jjr6kf1H8uOaENjjGnwgmesbxxQKnhvdKtOJRccxzXfnStVstehosigxIZTC0nM";

/// A dump as pg_dump 15.20 writes it, or an older one, without psql's restriction.
fn dump(restricted: bool, rows: &[String]) -> String {
    let (on, off) = if restricted {
        (
            format!("\\restrict {TOKEN}\n\n"),
            format!("\\unrestrict {TOKEN}\n\n"),
        )
    } else {
        (String::new(), String::new())
    };
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    format!(
        "--\n-- PostgreSQL database dump\n--\n\n{on}\
         -- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)\n\
         -- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)\n\n\
         SET statement_timeout = 0;\n\n\
         CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;\n\n\
         COPY public.album (id) FROM stdin;\n\\.\n\n\n\
         COPY public.\"user\" (id, name) FROM stdin;\n{rows}\\.\n\n\n\
         --\n-- PostgreSQL database dump complete\n--\n\n{off}"
    )
}

fn cluster(rows: &[String]) -> String {
    let body = dump(true, rows);
    format!(
        "--\n-- PostgreSQL database cluster dump\n--\n\n\\restrict {TOKEN}\n\n\
         CREATE ROLE immich;\n\n\\unrestrict {TOKEN}\n\n\
         \\connect template1\n\n{}\
         --\n-- Database \"immich\" dump\n--\n\n\\connect immich\n\n{body}\
         --\n-- PostgreSQL database cluster dump complete\n--\n\n",
        dump(true, &["9\tnot immich's".to_owned()]),
    )
}

fn rows() -> Vec<String> {
    // As COPY writes a backslash, a line feed and a lone `\.` in a value.
    [
        "1\ta\\\\b\\nc",
        "2\t\\\\.",
        "3\t-- PostgreSQL database dump complete",
    ]
    .map(str::to_owned)
    .into()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_complete_dump_is_accepted_and_its_rows_are_counted() {
    for restricted in [false, true] {
        let text = dump(restricted, &rows());
        let summary = verify(text.as_bytes()).unwrap();
        assert_eq!(summary.kind, Kind::Database);
        assert_eq!(summary.length, text.len() as u64);
        assert_eq!(summary.server.unwrap().number(), "15.20");
        let section = &summary.sections[0];
        assert_eq!(section.counts.users(), 3);
        assert_eq!(section.counts.0.len(), 2, "an empty table counts too");
        assert_eq!(section.counts.albums(), 0);
        assert_eq!(section.extensions["pg_trgm"], "public");
        assert!(!section.maintenance);
    }
}

#[test]
fn a_dump_is_known_again_compressed_or_not() {
    let text = dump(true, &rows());
    let plain = verify(text.as_bytes()).unwrap();
    assert_eq!(verify_gzip(&gzip(text.as_bytes())[..]).unwrap(), plain);
    let other = verify(text.replace("1\ta", "1\tb").as_bytes()).unwrap();
    assert_eq!(other.length, plain.length);
    assert_ne!(other.crc32, plain.crc32);
}

#[test]
fn a_cluster_dump_tells_its_databases_apart() {
    let summary = verify(cluster(&rows()).as_bytes()).unwrap();
    assert_eq!(summary.kind, Kind::Cluster);
    assert_eq!(summary.section("immich").unwrap().counts.users(), 3);
    assert_eq!(summary.section("template1").unwrap().counts.users(), 1);
    assert_eq!(summary.section("other"), None);
}

#[test]
fn every_proper_beginning_of_a_dump_is_refused() {
    for text in [dump(false, &rows()), dump(true, &rows()), cluster(&rows())] {
        for end in 0..text.len() {
            assert!(
                verify(&text.as_bytes()[..end]).is_err(),
                "accepted when cut at {end} of {}",
                text.len()
            );
        }
    }
}

#[test]
fn every_proper_beginning_of_a_compressed_dump_is_refused() {
    let text = dump(true, &rows());
    let (one, two) = text.as_bytes().split_at(text.len() / 2);
    for packed in [gzip(text.as_bytes()), [gzip(one), gzip(two)].concat()] {
        assert!(verify_gzip(&packed[..]).is_ok());
        for end in 0..packed.len() {
            assert!(
                verify_gzip(&packed[..end]).is_err(),
                "accepted when cut at {end}"
            );
        }
    }
}

#[test]
fn what_is_wrong_is_told() {
    let text = dump(true, &rows());
    let until = |mark: &str| &text.as_bytes()[..text.find(mark).unwrap()];
    assert!(matches!(verify(&b""[..]), Err(DumpError::Empty)));
    assert!(matches!(verify_gzip(&b""[..]), Err(DumpError::Empty)));
    assert!(matches!(
        verify(&b"SELECT 1;\n"[..]),
        Err(DumpError::NotADump)
    ));
    let cut = verify(until("2\t")).unwrap_err();
    assert_eq!(
        cut.to_string(),
        "is cut short within the rows of public.\"user\", after 1 of them"
            .replace("\"user\"", "user")
    );
    assert!(matches!(
        verify(until("COPY public.\"user\"")),
        Err(DumpError::NoCompletionLine { .. })
    ));
    let packed = gzip(text.as_bytes());
    assert!(matches!(
        verify_gzip(&packed[..packed.len() - 4]),
        Err(DumpError::GzipTruncated)
    ));
    let mut damaged = packed.clone();
    let middle = damaged.len() - 6;
    damaged[middle] ^= 0xff;
    assert!(matches!(
        verify_gzip(&damaged[..]),
        Err(DumpError::GzipCorrupt(_))
    ));
    assert!(matches!(
        verify(format!("{text}DROP TABLE asset;\n").as_bytes()),
        Err(DumpError::DataAfterEnd { .. })
    ));
}

#[test]
fn two_dumps_in_one_file_are_refused() {
    let text = dump(false, &rows());
    assert!(matches!(
        verify(format!("{text}{text}").as_bytes()),
        Err(DumpError::DataAfterEnd { .. })
    ));
}

#[test]
fn a_failing_disk_is_not_called_a_bad_dump() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from_raw_os_error(5))
        }
    }
    let packed = gzip(dump(true, &rows()).as_bytes());
    let reader = (&packed[..40]).chain(Failing);
    assert!(matches!(verify_gzip(reader), Err(DumpError::Read(_))));
    assert!(matches!(verify(Failing), Err(DumpError::Read(_))));
}

#[test]
fn a_restore_point_is_known_by_its_maintenance_flag() {
    let table = |value: &str| {
        dump(true, &rows()).replace(
            "COPY public.album (id)",
            &format!("COPY public.system_metadata (key, value) FROM stdin;\nmaintenance-mode\t{value}\n\\.\n\nCOPY public.album (id)"),
        )
    };
    let on = verify(table(r#"{"secret": "x", "isMaintenanceMode": true}"#).as_bytes()).unwrap();
    assert!(on.sections[0].maintenance);
    let off = verify(table(r#"{"isMaintenanceMode": false}"#).as_bytes()).unwrap();
    assert!(!off.sections[0].maintenance);
}

#[test]
fn a_row_longer_than_any_buffer_counts_as_one() {
    let mut rows = rows();
    rows.push("x".repeat(3 << 20));
    let summary = verify(dump(true, &rows).as_bytes()).unwrap();
    assert_eq!(summary.sections[0].counts.users(), 4);
}

proptest! {
    #[test]
    fn whatever_the_rows_say_they_are_counted_and_no_beginning_passes(
        rows in prop::collection::vec("[^\\n\\\\\\x00]{0,40}", 0..20),
        restricted in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = dump(restricted, &rows);
        let summary = verify(text.as_bytes()).unwrap();
        prop_assert_eq!(summary.sections[0].counts.users(), rows.len() as u64);
        prop_assert!(verify(&text.as_bytes()[..cut.index(text.len())]).is_err());
    }

    #[test]
    fn random_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(verify(&bytes[..]).is_err());
        prop_assert!(verify_gzip(&bytes[..]).is_err());
    }

    #[test]
    fn random_changes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..10),
    ) {
        let mut text = dump(true, &rows()).into_bytes();
        let mut packed = gzip(&text);
        for (place, byte) in changes {
            let at = place.index(text.len());
            text[at] = byte;
            let at = place.index(packed.len());
            packed[at] = byte;
        }
        let _ = verify(&text[..]);
        let _ = verify_gzip(&packed[..]);
    }
}
