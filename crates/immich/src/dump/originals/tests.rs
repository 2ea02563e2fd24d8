use super::*;

/// A dump with these rows, each a table's `COPY` and its rows.
fn dump(tables: &[(&str, &[&str])]) -> (tempfile::TempDir, VerifiedDump) {
    let mut text = String::from("--\n-- PostgreSQL database dump\n--\n\n");
    for (table, rows) in tables {
        text.push_str(&format!("COPY public.{table} FROM stdin;\n"));
        for row in *rows {
            text.push_str(&row.replace(' ', "\t"));
            text.push('\n');
        }
        text.push_str("\\.\n\n");
    }
    text.push_str("--\n-- PostgreSQL database dump complete\n--\n\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.sql");
    std::fs::write(&path, text).unwrap();
    let dump = VerifiedDump::prove(&path, "immich", None).unwrap();
    (folder, dump)
}

fn listed(dump: &VerifiedDump) -> Vec<Original> {
    let media = Path::new("/mnt/immich_drive/immich_data");
    originals(dump, media)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

fn inside(path: &str) -> OriginalPlace {
    OriginalPlace::Inside(path.into())
}

const A: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const B: &str = "bbbbbbbb-0000-4000-8000-000000000002";
const C: &str = "cccccccc-0000-4000-8000-000000000003";
const SUM: &str = "\\\\x0102030405060708090a0b0c0d0e0f1011121314";

#[test]
fn the_tables_of_immich_3_are_read() {
    let (_folder, dump) = dump(&[
        (
            "asset (id, \"originalPath\", checksum, \"livePhotoVideoId\", \"isExternal\", \"isOffline\", status, \"checksumAlgorithm\")",
            &[
                &format!("{A} /data/library/u/a.heic {SUM} {B} f f active sha1"),
                &format!("{B} /data/encoded/b.mov {SUM} \\N f f trashed sha1"),
                &format!("{C} /mnt/nas/c.jpg {SUM} \\N t t deleted sha1-path"),
            ],
        ),
        (
            "asset_exif (\"assetId\", \"fileSizeInByte\")",
            &[&format!("{C} 33"), &format!("{A} 11"), &format!("{B} \\N")],
        ),
        (
            "asset_file (\"assetId\", type, path)",
            &[
                &format!("{A} sidecar /data/library/u/a.heic.xmp"),
                &format!("{A} preview /data/thumbs/a.jpg"),
                &format!("{C} sidecar /mnt/nas/c.xmp"),
            ],
        ),
        (
            "system_metadata (key, value)",
            &["MediaLocation {\"location\":\"/data\"}"],
        ),
        (
            "\"user\" (id, \"profileImagePath\")",
            &[&format!("{A} /data/profile/p.jpg"), &format!("{B} ")],
        ),
    ]);
    let list = listed(&dump);
    let short: Vec<_> = list
        .iter()
        .map(|one| (one.kind, one.place.clone(), one.size, one.sha1.is_some()))
        .collect();
    use OriginalKind::{Asset, LivePhotoPart, ProfilePicture, Sidecar};
    assert_eq!(
        short,
        [
            (Asset, inside("library/u/a.heic"), Some(11), true),
            (LivePhotoPart, inside("encoded/b.mov"), None, true),
            (Asset, OriginalPlace::Outside, Some(33), false),
            (Sidecar, inside("library/u/a.heic.xmp"), None, false),
            (Sidecar, OriginalPlace::Outside, None, false),
            (ProfilePicture, inside("profile/p.jpg"), None, false),
        ]
    );
    let marks: Vec<_> = list
        .iter()
        .map(|one| one.external && one.offline && one.deleted)
        .collect();
    assert_eq!(marks, [false, false, true, false, true, false]);
    assert_eq!(list[0].sha1.unwrap()[..3], [1, 2, 3]);
}

#[test]
fn the_tables_of_older_versions_are_read_and_so_are_their_relative_paths() {
    let (_folder, dump) = dump(&[
        (
            "assets (id, \"originalPath\", checksum, \"sidecarPath\", \"libraryId\")",
            &[
                &format!("{A} upload/library/u/a.jpg {SUM} upload/library/u/a.xmp {C}"),
                &format!("{B} /usr/src/app/upload/upload/b.jpg {SUM} \\N \\N"),
                &format!("{C} /mnt/nas/c.jpg {SUM}  {C}"),
            ],
        ),
        (
            "exif (\"assetId\", \"fileSizeInByte\")",
            &[&format!("{B} 7")],
        ),
        ("users (id, \"profileImagePath\")", &[]),
    ]);
    let list = listed(&dump);
    let places: Vec<_> = list.iter().map(|one| one.place.clone()).collect();
    assert_eq!(
        places,
        [
            inside("library/u/a.jpg"),
            inside("library/u/a.xmp"),
            inside("upload/b.jpg"),
            OriginalPlace::Outside
        ]
    );
    assert_eq!(list[2].size, Some(7));
    assert!(list[3].external && list[3].sha1.is_none() && list[0].sha1.is_some());
}

#[test]
fn what_is_no_path_of_a_file_is_told() {
    let paths = [
        "",
        "photo.jpg",
        "upload/../../etc/passwd",
        "/data/../etc/passwd",
        "/mnt/immich_drive/immich_data",
        "/",
    ];
    let rows: Vec<String> = paths.iter().map(|path| format!("{A} {path}")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let (_folder, dump) = dump(&[
        ("asset (id, \"originalPath\")", &rows),
        ("\"user\" (id)", &[]),
    ]);
    for original in listed(&dump) {
        assert!(
            matches!(original.place, OriginalPlace::Nonsense(_)),
            "{original:?}"
        );
    }
}

#[test]
fn a_dump_that_changes_between_the_two_passes_ends_in_an_error() {
    // More than is read ahead.
    let rows: Vec<String> = (0..10_000)
        .map(|number| format!("{A} /data/{number}.jpg"))
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let (folder, dump) = dump(&[
        ("asset (id, \"originalPath\")", &rows),
        ("\"user\" (id)", &[]),
    ]);
    let path = folder.path().join("dump.sql");
    let list = originals(&dump, Path::new("/data")).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    // The list holds the file open: it is written, not exchanged.
    std::fs::write(&path, text.replace("/data/9999", "/data/8888")).unwrap();
    let last = list.last().unwrap();
    assert!(matches!(last, Err(DumpError::Changed)), "{last:?}");
}
