use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use appliance_files::Owner;
use appliance_immich::api::{Client, NewAlbum, NewAsset, SignUp};
use appliance_immich::database::{
    Connection, Database, DatabaseError, Dump, DumpLedger, DumpPurpose, DumpRequest, TrustedDump,
};
use flate2::read::MultiGzDecoder;
use immich_stand_in::testing::{Postgres, StandIn, photo, settings};
use jiff::Zoned;
use tempfile::TempDir;

/// A cluster, or the reason why the test is skipped.
macro_rules! cluster {
    () => {
        match Postgres::start() {
            Ok(postgres) => postgres,
            Err(reason) => return println!("SKIPPED: {reason}"),
        }
    };
}

pub const PHOTOS: u64 = 5;

pub fn connection(postgres: &Postgres) -> Connection {
    Connection {
        socket_dir: postgres.socket_dir().to_owned(),
        port: 5432,
        superuser: "postgres".into(),
        run_as: postgres.os_user().map(|(uid, gid)| Owner { uid, gid }),
        bin_dir: Some(postgres.bin_dir().to_owned()),
    }
}

pub fn database(postgres: &Postgres) -> Database {
    Database::immich(connection(postgres))
}

/// A database and media with some photos and an album in them.
pub fn fill(postgres: &Postgres) -> TempDir {
    let media = TempDir::new().unwrap();
    let stand_in = StandIn::start(settings(media.path(), postgres, None)).unwrap();
    let anyone = Client::new(stand_in.url()).unwrap();
    anyone
        .admin_sign_up(&SignUp {
            email: "admin@example.org".into(),
            password: "secret".into(),
            name: "Back\\slash\tand tab".into(),
        })
        .unwrap();
    let session = anyone.login("admin@example.org", &"secret".into()).unwrap();
    let client = anyone.with_credential(session.credential());
    let folder = TempDir::new().unwrap();
    let asset_ids = (0..PHOTOS)
        .map(|number| {
            let path = folder.path().join(format!("{number}.jpg"));
            let taken = jiff::civil::datetime(2020, 1, 1, 0, 0, 0, 0);
            fs::write(&path, photo(number, taken)).unwrap();
            let details = NewAsset {
                device_asset_id: number.to_string(),
                device_id: "test".into(),
                file_created_at: "2020-01-01T00:00:00Z".parse().unwrap(),
                file_modified_at: "2020-01-01T00:00:00Z".parse().unwrap(),
            };
            client.upload_asset(&path, &details).unwrap().id
        })
        .collect();
    client
        .create_album(&NewAlbum {
            album_name: "All".into(),
            description: "a line\nand \\. another".into(),
            asset_ids,
        })
        .unwrap();
    media
}

pub fn request(folder: &Path) -> DumpRequest<'_> {
    DumpRequest {
        folder,
        installed: None,
        now: Zoned::now(),
        keep: 14,
        purpose: DumpPurpose::Routine,
    }
}

/// The record of the dumps in a folder; in life it lies where Immich cannot write.
pub fn ledger(folder: &Path) -> DumpLedger {
    DumpLedger::read(&folder.join(".ledger")).unwrap()
}

pub fn take(database: &Database, folder: &Path) -> Dump {
    database
        .dump(&request(folder), &mut ledger(folder), &mut |_| {})
        .unwrap()
}

/// A dump that a person named.
pub fn trusted(database: &Database, dump: &Path) -> Result<TrustedDump, DatabaseError> {
    database.prove(dump).map(TrustedDump::confirmed_by_a_person)
}

pub fn restore(database: &Database, dump: &Path) -> Result<(), DatabaseError> {
    let dump = trusted(database, dump)?;
    database.restore(&dump, false, &mut |_| {}).map(drop)
}

/// What is in the way of a dump.
pub fn obstacles(error: &DatabaseError) -> Vec<String> {
    match error {
        DatabaseError::NotLoadable { obstacles, .. } => {
            obstacles.iter().map(ToString::to_string).collect()
        }
        other => panic!("{other}"),
    }
}

/// A dump as plain SQL, to be changed; the changed one is a file beside it.
pub fn changed(dump: &Dump, change: impl FnOnce(String) -> String) -> PathBuf {
    let mut text = String::new();
    MultiGzDecoder::new(fs::File::open(dump.verified.path()).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let after = change(text.clone());
    assert_ne!(after, text, "nothing was changed");
    let path = dump.verified.path().with_file_name("changed.sql");
    fs::write(&path, after).unwrap();
    path
}

pub fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".ledger")
        .collect();
    names.sort();
    names
}

/// The databases of a cluster that are neither the server's own nor `immich`.
pub fn leftovers(postgres: &Postgres) -> String {
    postgres
        .sql(
            "postgres",
            "SELECT datname FROM pg_database WHERE NOT datistemplate
             AND datname NOT IN ('postgres', 'immich')",
        )
        .unwrap()
}

/// What pg_dump gives, with these arguments too.
pub fn pg_dump(postgres: &Postgres, arguments: &[&str]) -> Vec<u8> {
    let output = std::process::Command::new(postgres.bin_dir().join("pg_dump"))
        .args(arguments)
        .args(["--username", "postgres", "--dbname", "immich", "--host"])
        .arg(postgres.socket_dir())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}
