//! The list of originals that a dump gives, of a database that the stand-in filled.

use std::fs;

use appliance_immich::dump::{Original, OriginalKind, OriginalPlace, VerifiedDump, originals};
use checksum::sha1;
use immich_stand_in::testing::Postgres;

use crate::common::{PHOTOS, database, fill, take};

#[test]
fn every_original_that_the_database_knows_is_listed_with_what_is_known_of_it() {
    let postgres = cluster!();
    let media = fill(&postgres);
    postgres
        .sql(
            "immich",
            "UPDATE \"user\" SET \"profileImagePath\" = '/data/profile/a.jpg';
             INSERT INTO asset_file (\"assetId\", type, path)
                SELECT id, 'sidecar', '/x/a.xmp' FROM asset
                WHERE \"originalPath\" = (SELECT min(\"originalPath\") FROM asset)",
        )
        .unwrap();
    let dump = take(&database(&postgres), &media.path().join("backups")).verified;
    let listed: Vec<Original> = originals(&dump, media.path())
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let of = |kind: OriginalKind| listed.iter().filter(move |one| one.kind == kind);
    assert_eq!(of(OriginalKind::Asset).count() as u64, PHOTOS);
    for asset in of(OriginalKind::Asset) {
        let OriginalPlace::Inside(inside) = &asset.place else {
            panic!("{asset:?}");
        };
        let file = fs::read(media.path().join(inside)).unwrap();
        assert_eq!(asset.size, Some(file.len() as u64));
        assert!(!asset.external && !asset.offline && !asset.deleted);
        assert_eq!(asset.sha1.unwrap(), sha1(&postgres, &asset.id));
    }
    let sidecars: Vec<_> = of(OriginalKind::Sidecar).collect();
    assert_eq!(sidecars.len(), 1);
    assert_eq!(sidecars[0].place, OriginalPlace::Outside);
    assert_eq!(of(OriginalKind::ProfilePicture).count(), 1);
    assert_eq!(listed.len() as u64, PHOTOS + 2);
}

#[test]
fn a_list_of_a_dump_that_was_exchanged_ends_in_an_error() {
    let postgres = cluster!();
    let media = fill(&postgres);
    let dump = take(&database(&postgres), &media.path().join("backups")).verified;
    let packed = fs::read(dump.path()).unwrap();
    let half = VerifiedDump::prove(dump.path(), "immich", None).unwrap();
    fs::write(dump.path(), &packed[..packed.len() / 2]).unwrap();
    assert!(originals(&half, media.path()).is_err());
}

mod checksum {
    use immich_stand_in::testing::Postgres;

    /// The checksum as the database itself tells it.
    pub fn sha1(postgres: &Postgres, asset: &str) -> [u8; 20] {
        let sql = format!("SELECT encode(checksum, 'hex') FROM asset WHERE id = '{asset}'");
        let text = postgres.sql("immich", &sql).unwrap();
        let bytes: Vec<u8> = (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect();
        bytes.try_into().unwrap()
    }
}
