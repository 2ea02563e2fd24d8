use super::*;
use appliance_files::Owner;
use appliance_immich::database::{Connection, Database};
use immich_stand_in::ImmichVersion;

#[test]
fn who_has_the_database_has_thumbnails_made_anew_without_a_password_and_leaves_no_key() {
    for version in ImmichVersion::ALL {
        let postgres = cluster!();
        let media = TempDir::new().unwrap();
        let settings = Settings {
            version,
            ..settings(media.path(), &postgres, None)
        };
        let stand_in = StandIn::start(settings).unwrap();
        let database = Database::immich(Connection {
            socket_dir: postgres.socket_dir().to_owned(),
            port: 5432,
            superuser: "postgres".into(),
            run_as: postgres.os_user().map(|(uid, gid)| Owner { uid, gid }),
            bin_dir: Some(postgres.bin_dir().to_owned()),
        });
        assert!(database.lend_key(&["job.create"]).unwrap().is_none());
        upload(&admin(&stand_in), 1);
        let thumbs = media.path().join("thumbs");
        let made = files(&thumbs);
        fs::remove_file(&made[0]).unwrap();

        // As a run that was killed leaves it.
        std::mem::forget(database.lend_key(&["job.create"]).unwrap());
        let key = database.lend_key(&["job.create"]).unwrap().unwrap();
        let client = anyone(&stand_in).with_credential(key.credential());
        client.make_derived_files_anew().unwrap();
        assert_eq!(files(&thumbs), made);
        assert!(client.statistics().unwrap_err().is_forbidden());

        database.take_back(key).unwrap();
        assert!(
            client
                .make_derived_files_anew()
                .unwrap_err()
                .is_unauthorized()
        );
        let left = postgres.sql("immich", "SELECT count(*) FROM api_key");
        assert_eq!(left.unwrap(), "0");
    }
}
