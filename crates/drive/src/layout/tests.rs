use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

/// The running user in every role, as only root may give folders away.
fn own() -> Owners {
    let me = Owner {
        uid: nix::unistd::geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
    };
    Owners {
        immich: me,
        postgres: me,
        secrets: me,
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_empty_drive_gets_all_folders_with_their_modes() {
    let root = TempDir::new().unwrap();
    let mended = create(root.path(), IMMICH_DATA, &own(), 15).unwrap();
    assert_eq!(mended.len(), 4);
    for (name, expected) in [
        ("immich_data", 0o750),
        ("postgres", 0o700),
        ("postgres/15", 0o700),
        ("secrets", 0o700),
    ] {
        assert_eq!(mode(&root.path().join(name)), expected, "{name}");
    }
    assert_eq!(check(root.path(), IMMICH_DATA, &own()).unwrap(), []);
}

#[test]
fn a_second_run_finds_nothing_to_do() {
    let root = TempDir::new().unwrap();
    create(root.path(), IMMICH_DATA, &own(), 15).unwrap();
    assert_eq!(create(root.path(), IMMICH_DATA, &own(), 15).unwrap(), []);
}

#[test]
fn a_drive_of_immich_rpi_server_is_left_as_it_is_but_for_open_secrets() {
    let root = TempDir::new().unwrap();
    for (name, mode) in [
        ("immich_data", 0o755),
        ("postgres", 0o750),
        ("secrets", 0o755),
    ] {
        fs::create_dir(root.path().join(name)).unwrap();
        set_mode(&root.path().join(name), mode);
    }
    fs::write(root.path().join("postgres/PG_VERSION"), "16\n").unwrap();
    let secrets = root.path().join("secrets");
    assert_eq!(
        create(root.path(), IMMICH_DATA, &own(), 15).unwrap(),
        [Finding::WrongMode {
            path: secrets.clone(),
            found: 0o755,
            expected: 0o700
        }]
    );
    assert_eq!(mode(&secrets), 0o700);
    assert_eq!(mode(&root.path().join("immich_data")), 0o755);
    assert_eq!(mode(&root.path().join("postgres")), 0o750);
    assert!(!root.path().join("postgres/15").exists());
    assert_eq!(
        postgres_cluster(root.path()).unwrap(),
        Cluster::Direct { major: 16 }
    );
    assert_eq!(
        pgdata(root.path(), 15).unwrap(),
        root.path().join("postgres")
    );
}

#[test]
fn folders_that_others_could_write_to_are_findings() {
    let root = TempDir::new().unwrap();
    create(root.path(), IMMICH_DATA, &own(), 15).unwrap();
    for (name, bad) in [
        ("immich_data", 0o757),
        ("postgres", 0o770),
        ("secrets", 0o750),
        ("immich_data", 0o500),
    ] {
        let path = root.path().join(name);
        let before = mode(&path);
        set_mode(&path, bad);
        let findings = check(root.path(), IMMICH_DATA, &own()).unwrap();
        assert!(
            matches!(&findings[..], [Finding::WrongMode { found, .. }] if *found == bad),
            "{name}: {findings:?}"
        );
        set_mode(&path, before);
    }
}

#[test]
fn a_folder_of_somebody_else_is_a_finding() {
    let root = TempDir::new().unwrap();
    create(root.path(), IMMICH_DATA, &own(), 15).unwrap();
    let mut owners = own();
    owners.immich.uid += 1;
    assert_eq!(
        check(root.path(), IMMICH_DATA, &owners).unwrap(),
        [Finding::WrongOwner {
            path: root.path().join("immich_data"),
            found: own().immich.uid,
            expected: owners.immich.uid,
        }]
    );
}

#[test]
fn a_missing_folder_is_a_finding_and_made_again() {
    let root = TempDir::new().unwrap();
    create(root.path(), IMMICH_DATA, &own(), 15).unwrap();
    let secrets = root.path().join("secrets");
    fs::remove_dir(&secrets).unwrap();
    let missing = [Finding::Missing {
        path: secrets.clone(),
    }];
    assert_eq!(check(root.path(), IMMICH_DATA, &own()).unwrap(), missing);
    assert_eq!(
        create(root.path(), IMMICH_DATA, &own(), 15).unwrap(),
        missing
    );
    assert!(secrets.is_dir());
}

#[test]
fn a_link_in_place_of_a_folder_is_not_followed() {
    let root = TempDir::new().unwrap();
    let elsewhere = TempDir::new().unwrap();
    set_mode(elsewhere.path(), 0o755);
    symlink(elsewhere.path(), root.path().join("secrets")).unwrap();
    let error = create(root.path(), IMMICH_DATA, &own(), 15).unwrap_err();
    assert!(matches!(error, LayoutError::NotAFolder { .. }), "{error}");
    assert_eq!(mode(elsewhere.path()), 0o755);
}

#[test]
fn clusters_of_several_versions_are_listed_in_order() {
    let root = TempDir::new().unwrap();
    for (folder, version) in [
        ("17", "17\n"),
        ("9", "9\n"),
        ("old", "12\n"),
        ("14", "15\n"),
    ] {
        let folder = root.path().join("postgres").join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("PG_VERSION"), version).unwrap();
    }
    assert_eq!(
        postgres_cluster(root.path()).unwrap(),
        Cluster::Versioned {
            majors: vec![9, 17]
        }
    );
    assert_eq!(
        pgdata(root.path(), 17).unwrap(),
        root.path().join("postgres/17")
    );
}

#[test]
fn a_drive_without_a_cluster_has_none() {
    let root = TempDir::new().unwrap();
    assert_eq!(postgres_cluster(root.path()).unwrap(), Cluster::None);
    create(root.path(), IMMICH_DATA, &own(), 15).unwrap();
    assert_eq!(postgres_cluster(root.path()).unwrap(), Cluster::None);
}

#[test]
fn a_version_file_that_makes_no_sense_is_an_error_not_a_missing_cluster() {
    let root = TempDir::new().unwrap();
    fs::create_dir(root.path().join("postgres")).unwrap();
    for text in ["", "fifteen", "9.6\n", "-3"] {
        fs::write(root.path().join("postgres/PG_VERSION"), text).unwrap();
        let error = postgres_cluster(root.path()).unwrap_err();
        assert!(matches!(error, LayoutError::NotAVersion { .. }), "{error}");
    }
}

#[test]
fn a_drive_from_a_machine_with_other_user_numbers_is_adopted_whole() {
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: only root can give files away");
        return;
    }
    let root = TempDir::new().unwrap();
    create(root.path(), IMMICH_DATA, &own(), 15).unwrap();
    for path in ["immich_data/upload/a.jpg", "postgres/15/base/1"] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    let other = |uid| Owner { uid, gid: uid };
    let owners = Owners {
        immich: other(4242),
        postgres: other(4243),
        secrets: own().secrets,
    };
    // The folder, upload and the photo; the folder, 15, base and the file in it.
    assert_eq!(adopt(root.path(), IMMICH_DATA, &owners, 15).unwrap(), 3 + 4);
    assert_eq!(adopt(root.path(), IMMICH_DATA, &owners, 15).unwrap(), 0);
    assert_eq!(check(root.path(), IMMICH_DATA, &owners).unwrap(), []);
    let uid = |path| fs::metadata(root.path().join(path)).unwrap().uid();
    assert_eq!(uid("immich_data/upload/a.jpg"), 4242);
    assert_eq!(uid("postgres/15/base/1"), 4243);
    assert_eq!(uid("secrets"), 0);
}

#[test]
fn an_empty_drive_has_nothing_to_adopt() {
    let root = TempDir::new().unwrap();
    assert_eq!(adopt(root.path(), IMMICH_DATA, &own(), 15).unwrap(), 0);
}

#[test]
fn a_database_of_another_version_is_told_from_one_that_fits_and_from_none() {
    assert_eq!(Cluster::None.needs_other_than(15), None);
    assert_eq!(Cluster::Direct { major: 15 }.needs_other_than(15), None);
    assert_eq!(
        Cluster::Direct { major: 14 }.needs_other_than(15),
        Some(vec![14])
    );
    let both = Cluster::Versioned {
        majors: vec![14, 15],
    };
    assert_eq!(both.needs_other_than(15), None);
    assert_eq!(both.needs_other_than(16), Some(vec![14, 15]));
}

#[test]
fn a_drive_whose_top_folder_others_can_write_to_is_closed_to_them() {
    let root = TempDir::new().unwrap();
    create(root.path(), IMMICH_DATA, &own(), 15).unwrap();
    for open in [0o777, 0o775] {
        set_mode(root.path(), open);
        let wrong = [Finding::WrongMode {
            path: root.path().to_owned(),
            found: open,
            expected: 0o755,
        }];
        assert_eq!(check(root.path(), IMMICH_DATA, &own()).unwrap(), wrong);
        assert_eq!(create(root.path(), IMMICH_DATA, &own(), 15).unwrap(), wrong);
        assert_eq!(mode(root.path()), 0o755);
    }
}

#[test]
fn a_link_that_postgres_put_in_its_folder_leads_nobody_anywhere() {
    let root = TempDir::new().unwrap();
    create(root.path(), IMMICH_DATA, &own(), 15).unwrap();
    let elsewhere = TempDir::new().unwrap();
    set_mode(elsewhere.path(), 0o755);
    fs::write(elsewhere.path().join("PG_VERSION"), "15\n").unwrap();
    let cluster = root.path().join("postgres/15");
    fs::remove_dir(&cluster).unwrap();
    symlink(elsewhere.path(), &cluster).unwrap();
    let error = create(root.path(), IMMICH_DATA, &own(), 15).unwrap_err();
    assert!(matches!(error, LayoutError::NotAFolder { .. }), "{error}");
    assert_eq!(mode(elsewhere.path()), 0o755);
    assert_eq!(postgres_cluster(root.path()).unwrap(), Cluster::None);

    fs::remove_file(&cluster).unwrap();
    let version = root.path().join("postgres/PG_VERSION");
    symlink(elsewhere.path().join("PG_VERSION"), &version).unwrap();
    assert!(postgres_cluster(root.path()).is_err());
    assert!(pgdata(root.path(), 15).is_err());
}

#[test]
fn a_pipe_in_place_of_the_version_file_is_not_waited_for() {
    let root = TempDir::new().unwrap();
    create(root.path(), IMMICH_DATA, &own(), 15).unwrap();
    let version = root.path().join("postgres/PG_VERSION");
    nix::unistd::mkfifo(&version, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(postgres_cluster(root.path()).is_err());
}
