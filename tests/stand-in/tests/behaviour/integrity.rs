use super::*;
use appliance_immich::api::{IntegrityFlaw, IntegritySummary};
use immich_stand_in::ImmichVersion;

#[test]
fn immich_3_names_what_is_missing_untracked_and_damaged() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    let settings = Settings {
        version: ImmichVersion::V3_2_2,
        ..settings(media.path(), &postgres, None)
    };
    let stand_in = StandIn::start(settings).unwrap();
    let client = admin(&stand_in);
    let paths: Vec<_> = (1..=4)
        .map(|number| {
            let id = upload(&client, number);
            PathBuf::from(client.asset(id).unwrap().original_path)
        })
        .collect();
    let summary = || {
        for job in [
            Job::IntegrityMissingFiles,
            Job::IntegrityUntrackedFiles,
            Job::IntegrityChecksumMismatch,
        ] {
            client.start_job(job).unwrap();
        }
        client.integrity_summary().unwrap()
    };
    let nothing = IntegritySummary {
        missing: 0,
        untracked: 0,
        mismatched: 0,
    };
    assert_eq!(summary(), nothing);

    fs::remove_file(&paths[0]).unwrap();
    fs::remove_file(&paths[1]).unwrap();
    fs::write(&paths[2], "damaged").unwrap();
    let stray = media.path().join("library/stray.jpg");
    fs::write(&stray, "stray").unwrap();
    let expected = IntegritySummary {
        missing: 2,
        untracked: 1,
        mismatched: 1,
    };
    let start = Instant::now();
    while summary() != expected {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", summary());
    }
    let named = |flaw, at_most| -> Vec<PathBuf> {
        let mut items = client.integrity_report(flaw, at_most).unwrap();
        assert!(items.iter().all(|item| item.flaw == flaw));
        items.sort_by(|one, other| one.path.cmp(&other.path));
        items.into_iter().map(|item| item.path.into()).collect()
    };
    let mut missing = paths[..2].to_vec();
    missing.sort();
    assert_eq!(named(IntegrityFlaw::MissingFile, 10), missing);
    assert_eq!(named(IntegrityFlaw::MissingFile, 1).len(), 1);
    assert_eq!(named(IntegrityFlaw::UntrackedFile, 10), [stray]);
    assert_eq!(
        named(IntegrityFlaw::ChecksumMismatch, 10),
        [paths[2].clone()]
    );
}

#[test]
fn immich_2_is_said_not_to_offer_it() {
    let postgres = cluster!();
    let media = TempDir::new().unwrap();
    let stand_in = StandIn::start(settings(media.path(), &postgres, None)).unwrap();
    let refused = admin(&stand_in).integrity_summary().unwrap_err();
    assert!(refused.is_not_offered());
    assert!(
        refused
            .to_string()
            .ends_with("Immich 2.7.5 does not offer this"),
        "{refused}"
    );
}
