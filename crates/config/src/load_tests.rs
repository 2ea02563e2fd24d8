use super::*;
use crate::fragment::tables;
use crate::kind::{AbsolutePath, Number, OneOf, Patterns};
use crate::{ByteSize, Choice, CipherChoice, Encryption, Scope};
use proptest::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::str::FromStr;
use std::time::Duration;

fn parsed(text: &str) -> Result<Settings, ConfigError> {
    let mut merged = Merged::<SettingsFragment>::new();
    merged.add(Path::new("config.toml"), text)?;
    merged.finish()
}

fn refused(text: &str) -> String {
    parsed(text).unwrap_err().to_string()
}

#[test]
fn without_any_file_the_defaults_hold() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    let settings = Settings::load_from(&absent.join("config.toml"), &absent).unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!(parsed("").unwrap(), Settings::default());
}

#[test]
fn a_file_that_is_named_must_exist() {
    let error = Settings::load(Some(Path::new("/absent/config.toml"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read the configuration in /absent/config.toml"
    );
}

#[test]
fn fragments_are_read_by_name_and_the_last_wins_key_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let (main, fragments) = (
        folder.path().join("config.toml"),
        folder.path().join("config.d"),
    );
    fs::create_dir(&fragments).unwrap();
    fs::write(&main, "[drive]\nunlock_tries = 1\nmapper_name = 'main'\n").unwrap();
    fs::write(fragments.join("20.toml"), "[drive]\nunlock_tries = 2\n").unwrap();
    fs::write(
        fragments.join("10.toml"),
        "[drive]\nunlock_tries = 4\n[backup]\nscope = 'essential'\n",
    )
    .unwrap();
    for ignored in [".30.toml", "30.toml~", "readme.txt"] {
        fs::write(fragments.join(ignored), "not toml at all").unwrap();
    }
    let settings = Settings::load_from(&main, &fragments).unwrap();
    assert_eq!(settings.drive.unlock_tries, 2);
    assert_eq!(settings.drive.mapper_name, "main");
    assert_eq!(settings.backup.scope, Scope::Essential);
}

#[test]
fn every_key_is_read_back_from_its_documented_default() {
    for option in Settings::reference() {
        let (group, key) = option.key.split_once('.').unwrap();
        if option.default == "none" {
            continue;
        }
        let settings = parsed(&format!("[{group}]\n{key} = {}\n", option.default)).unwrap();
        assert_eq!(settings, Settings::default(), "{}", option.key);
    }
}

#[test]
fn every_key_is_documented_and_set_apart_from_every_other() {
    // A value for each key that is not its default; each must change something of its own.
    let mut seen: Vec<(String, Settings)> = Vec::new();
    for option in Settings::reference() {
        assert!(
            option.doc.ends_with('.') && !option.kind.is_empty(),
            "{}",
            option.key
        );
        let (group, key) = option.key.split_once('.').unwrap();
        let value = match option.key.as_str() {
            "drive.uuid" => "'2b1bd0a6-9a4c-4b3f-8c5e-6f0f3f0c9a11'",
            "drive.encryption" => "'none'",
            "drive.argon2_memory_max" => "'256 MiB'",
            "drive.argon2_milliseconds" => "500",
            "drive.argon2_passes" => "6",
            "immich.url" => "'https://photos.example:8443/'",
            "services.target" => "'other.target'",
            "services.server_unit" => "'redis-immich.service'",
            "services.database_units" => "['postgresql.service']",
            "services.units" => {
                "['postgresql.service', 'postgresql-setup.service', 'immich-server.service']"
            }
            "backup.scope" => "'essential'",
            "backup.exclude" => "['*.tmp']",
            _ if option.kind == "path" => "'/srv/other'",
            _ if ["number", "seconds"].contains(&option.kind.as_str()) => "7",
            _ => "'other'",
        };
        let settings = parsed(&format!("{group}.{key} = {value}")).unwrap();
        assert_ne!(settings, Settings::default(), "{}", option.key);
        for (other, earlier) in &seen {
            assert_ne!(&settings, earlier, "{} and {other}", option.key);
        }
        seen.push((option.key, settings));
    }
}

#[test]
fn values_arrive_in_their_types() {
    let settings = parsed(
        "[drive]\nuuid = '2B1BD0A6-9a4c-4b3f-8c5e-6f0f3f0c9a11'\nencryption = 'none'\n\
         argon2_memory_max = '1GiB'\n\
         [immich]\nurl = 'http://localhost:2283/'\nready_timeout_seconds = 0x3c\n\
         [backup]\ncompression_level = -1\nexclude = ['*.tmp', '/a b/*']\n",
    )
    .unwrap();
    let uuid = settings.drive.uuid.unwrap().to_string();
    assert_eq!(uuid, "2b1bd0a6-9a4c-4b3f-8c5e-6f0f3f0c9a11");
    assert_eq!(settings.drive.encryption, Encryption::None);
    assert_eq!(settings.drive.argon2_memory_max, ByteSize::gib(1));
    assert_eq!(settings.immich.url, "http://localhost:2283");
    assert_eq!(settings.immich.ready_timeout, Duration::from_secs(60));
    assert_eq!(settings.backup.compression_level, -1);
    assert_eq!(settings.backup.exclude, ["*.tmp", "/a b/*"]);
}

#[test]
fn an_unknown_key_is_refused_with_file_line_and_what_was_meant() {
    for (text, said) in [
        (
            "\n[drive]\n# comment\nunlock_trys = 3\n",
            "config.toml:4: unknown key drive.unlock_trys; did you mean drive.unlock_tries?",
        ),
        (
            "[immich]\nmount-point = '/mnt'\n",
            "config.toml:2: unknown key immich.mount-point; did you mean drive.mount_point?",
        ),
        ("[network]\n", "config.toml:1: unknown key network"),
        ("drive = 1\n", "config.toml:1: unknown key drive"),
        (
            "[drives]\nuuid = 1\n",
            "config.toml:1: unknown key drives; did you mean drive?",
        ),
        (
            "[drive]\n[drive.uuid.x]\n",
            "config.toml:2: drive.uuid must be a text in quotes, not a group",
        ),
    ] {
        assert_eq!(refused(text), said);
    }
}

#[test]
fn a_value_that_does_not_fit_is_refused_with_file_line_and_key() {
    for (text, said) in [
        (
            "drive.unlock_tries = 0",
            "drive.unlock_tries must be a whole number from 1 to 10",
        ),
        (
            "drive.unlock_tries = 99999999999999999999",
            "drive.unlock_tries must be a whole number from 1 to 10",
        ),
        (
            "drive.unlock_tries = '3'",
            "drive.unlock_tries must be a whole number from 1 to 10",
        ),
        (
            "drive.encryption = 'luks1'",
            "drive.encryption must be \"luks2\" or \"none\", not \"luks1\"",
        ),
        (
            "drive.encryption = true",
            "drive.encryption must be a text in quotes, not true or false",
        ),
        (
            "drive.argon2_memory_max = '512'",
            "drive.argon2_memory_max must be a size from 9.0 MiB to 4.0 GiB, such as \"512MiB\"",
        ),
        (
            "drive.argon2_memory_max = '8MiB'",
            "drive.argon2_memory_max must be a size from 9.0 MiB to 4.0 GiB, such as \"512MiB\"",
        ),
        (
            "drive.argon2_milliseconds = 100",
            "drive.argon2_milliseconds must be a whole number from 200 to 60000",
        ),
        (
            "drive.argon2_passes = 3",
            "drive.argon2_passes must be a whole number from 4 to 10000",
        ),
        (
            "drive.mount_point = 'mnt'",
            "drive.mount_point must be an absolute path without \"..\" or a slash at its end, not \"mnt\"",
        ),
        (
            "services.units = []",
            "services.units must name at least one unit",
        ),
        (
            "services.units = ['a.service', 'a.service']",
            "services.units names a.service twice",
        ),
        (
            "services.units = ['a.service', 'b']",
            "services.units entry 2: must be a unit's name ending in .service or .socket, not \"b\"",
        ),
        (
            "immich.ready_timeout_seconds = 0",
            "immich.ready_timeout_seconds must be a whole number from 1 to 86400",
        ),
    ] {
        assert_eq!(refused(text), format!("config.toml:1: {said}"));
    }
}

#[test]
fn paths_with_detours_are_refused() {
    for path in [
        "/",
        "/mnt/",
        "/mnt/../etc",
        "/mnt/./x",
        "//mnt",
        "/mnt//x",
        "",
        "/a\nb",
    ] {
        assert!(
            parsed(&format!("drive.mount_point = {path:?}")).is_err(),
            "{path:?}"
        );
    }
    for folder in ["..", ".", "a/b", "/a", "a/", ""] {
        assert!(
            parsed(&format!("immich.media_folder = {folder:?}")).is_err(),
            "{folder:?}"
        );
    }
}

#[test]
fn an_address_with_a_password_is_refused_without_repeating_it() {
    let said = refused("immich.url = 'http://me:hunter2@localhost'");
    assert!(said.starts_with("config.toml:1: immich.url must be an address"));
    assert!(!said.contains("hunter2"));
    for url in [
        "localhost:2283",
        "ftp://localhost",
        "http://localhost?x=1",
        "http://",
    ] {
        assert!(parsed(&format!("immich.url = {url:?}")).is_err(), "{url}");
    }
}

#[test]
fn names_that_a_shell_or_the_kernel_would_mistake_are_refused() {
    for name in ["control", "..", "a b", "a/b", "-a", "1a", "ä"] {
        assert!(
            parsed(&format!("drive.mapper_name = {name:?}")).is_err(),
            "{name}"
        );
    }
}

#[test]
fn a_unit_that_is_not_among_the_units_is_refused() {
    assert_eq!(
        refused("[services]\nserver_unit = 'a.service'\n"),
        "config.toml:2: services.server_unit names a.service, which is not in services.units"
    );
    assert_eq!(
        refused("[services]\n\nunits = ['immich-server.service']\n"),
        "config.toml:3: services.database_units names postgresql.service, \
         which is not in services.units"
    );
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    let said = refused("[drive]\nuuid = \n");
    assert!(said.starts_with("config.toml:2: "), "{said}");
    let twice = refused("[drive]\nunlock_tries = 1\nunlock_tries = 2\n");
    assert!(twice.starts_with("config.toml:3: "), "{twice}");
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    fs::write(&file, [0xff, 0xfe]).unwrap();
    assert!(matches!(
        Settings::load(Some(&file)),
        Err(ConfigError::Read { .. })
    ));
}

tables! {
    /// A configuration with tables by name, as several backup targets will need.
    Sample, SampleFragment {
        /// A table.
        backup: SampleBackup => SampleBackupFragment,
    }

    /// A table that holds tables by name.
    SampleBackup, SampleBackupFragment {
        /// A value beside them.
        scope: Scope as OneOf<Scope> = Scope::Everything,
        /// The tables.
        targets: BTreeMap<String, SampleTarget> => BTreeMap<String, SampleTargetFragment>,
    }

    /// One of them.
    SampleTarget, SampleTargetFragment {
        /// Where it is.
        place: Option<PathBuf> as Option<AbsolutePath> = None,
        /// What is backed up.
        scope: Scope as OneOf<Scope> = Scope::Everything,
        /// What is left out.
        exclude: Vec<String> as Patterns = Vec::new(),
        /// How many are kept.
        keep_daily: u32 as Number<u32, 1, 1000> = 7,
    }
}

fn sample(files: &[&str]) -> Result<Sample, ConfigError> {
    let mut merged = Merged::<SampleFragment>::new();
    for (at, text) in files.iter().enumerate() {
        merged.add(Path::new(&format!("{at}.toml")), text)?;
    }
    Ok(merged.settings())
}

#[test]
fn tables_by_name_are_merged_name_by_name_and_key_by_key() {
    let settings = sample(&[
        "[backup]\nscope = 'essential'\n\
         [backup.targets.nas]\nplace = '/mnt/nas'\nkeep_daily = 3\n[backup.targets.disk]\n",
        "[backup.targets.nas]\nkeep_daily = 5\nexclude = ['*.tmp']\n\
         [backup.targets.\"b2.eu\"]\nscope = 'essential'\n",
    ])
    .unwrap();
    assert_eq!(settings.backup.scope, Scope::Essential);
    let nas = SampleTarget {
        place: Some("/mnt/nas".into()),
        keep_daily: 5,
        exclude: vec!["*.tmp".into()],
        ..SampleTarget::default()
    };
    let b2 = SampleTarget {
        scope: Scope::Essential,
        ..SampleTarget::default()
    };
    // The disk's table sets nothing, and yet it is one.
    let expected = [
        ("b2.eu", b2),
        ("disk", SampleTarget::default()),
        ("nas", nas),
    ];
    let expected = expected.map(|(name, target)| (name.to_owned(), target));
    assert_eq!(settings.backup.targets, BTreeMap::from(expected));
    assert_eq!(sample(&[]).unwrap().backup.targets, BTreeMap::new());
}

#[test]
fn an_error_in_a_table_by_name_says_file_line_name_and_what_was_meant() {
    for (text, said) in [
        (
            "[backup.targets.nas]\nkeep_dayly = 3\n",
            "1.toml:2: unknown key backup.targets.nas.keep_dayly; \
             did you mean backup.targets.nas.keep_daily?",
        ),
        (
            "[backup.targets.nas]\n\nkeep_daily = 0\n",
            "1.toml:3: backup.targets.nas.keep_daily must be a whole number from 1 to 1000",
        ),
        (
            "[backup.targets]\nnas = { scope = 'all' }\n",
            "1.toml:2: backup.targets.nas.scope must be \"essential\" or \"everything\", \
             not \"all\"",
        ),
        (
            "[backup.targets.'a/b']\n",
            "1.toml:1: backup.targets.\"a/b\" must be letters, digits, \"_\", \"-\" and \".\", \
             beginning with a letter, not \"a/b\"",
        ),
        (
            "[backup.targets]\nnas = '/mnt/nas'\n",
            "1.toml:2: unknown key backup.targets.nas",
        ),
        (
            "[backup.target.nas]\n",
            "1.toml:1: unknown key backup.target; did you mean backup.targets?",
        ),
        (
            "[backup.targets.'b2.eu']\nscop = 1\n",
            "1.toml:2: unknown key backup.targets.\"b2.eu\".scop; \
             did you mean backup.targets.\"b2.eu\".scope?",
        ),
        (
            "[[backup.targets]]\n",
            "1.toml:1: unknown key backup.targets",
        ),
    ] {
        let said_instead = sample(&["[backup.targets.nas]\n", text]).unwrap_err();
        assert_eq!(said_instead.to_string(), said);
    }
}

#[test]
fn the_reference_names_tables_by_name_with_their_defaults() {
    let mut all = Vec::new();
    SampleFragment::describe("", "", &Sample::default(), &mut all);
    let keys: Vec<_> = all.iter().map(|it| (&*it.key, &*it.default)).collect();
    assert_eq!(
        keys,
        [
            ("backup.scope", "\"everything\""),
            ("backup.targets.NAME.place", "none"),
            ("backup.targets.NAME.scope", "\"everything\""),
            ("backup.targets.NAME.exclude", "[]"),
            ("backup.targets.NAME.keep_daily", "7"),
        ]
    );
}

#[test]
fn the_topmost_of_several_errors_is_said() {
    let said = refused("[immich]\nurl = 1\n[drive]\nuuid = 2\nencrypted = true\n");
    assert!(said.starts_with("config.toml:2: immich.url "), "{said}");
}

#[test]
fn a_key_in_quotes_is_not_taken_apart() {
    assert_eq!(
        refused("'drive.uuid' = 1"),
        "config.toml:1: unknown key \"drive.uuid\"; did you mean drive.uuid?"
    );
}

#[test]
fn every_choice_is_one_word_with_a_meaning_and_is_read_back() {
    fn holds<T: Choice + FromStr + Serialize + Debug + PartialEq>() {
        for choice in T::ALL {
            assert_eq!(choice.as_str().parse().ok(), Some(*choice));
            let toml = toml::Value::try_from(choice).unwrap();
            assert_eq!(toml.as_str(), Some(choice.as_str()));
            assert!(!choice.doc().is_empty() && !choice.doc().contains('\n'));
        }
    }
    holds::<Encryption>();
    holds::<CipherChoice>();
    holds::<Scope>();
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<String>().prop_map(|text| toml::Value::from(text).to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        Just("1.5".to_owned()),
        Just("2026-11-21".to_owned()),
        "[0-9]{1,24}[ kMGTPE]{0,2}(iB|B)?".prop_map(|size| format!("'{size}'")),
        "/[a-z/.]{0,12}".prop_map(|path| format!("'{path}'")),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|values| format!("[{}]", values.join(", "))),
            inner.prop_map(|value| format!("{{ x = {value} }}")),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = parsed(&text);
    }

    #[test]
    fn no_toml_makes_it_panic(
        entries in prop::collection::vec(
            (prop::sample::select(Settings::reference().into_iter().map(|known| known.key).collect::<Vec<_>>()), value()),
            0..6,
        )
    ) {
        let lines: Vec<_> = entries.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        if let Err(error) = parsed(&lines.join("\n")) {
            prop_assert!(error.to_string().contains("config.toml:"));
        }
    }
}
