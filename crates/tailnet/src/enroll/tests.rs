//! Held against what the real tailscaled said; see `tests/recorded/README.md`.

use super::*;
use crate::localapi::{Prefs, Status};

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../tests/recorded/", $name))
    };
}

fn standing(status: &str) -> Standing {
    let status: Status = serde_json::from_str(status).unwrap();
    // The preferences that went with it: a server is set as soon as a login was tried.
    let prefs = if status.have_node_key {
        recorded!("prefs-connected.json")
    } else {
        recorded!("prefs-not-enrolled.json")
    };
    let prefs: Prefs = serde_json::from_str(prefs).unwrap();
    Standing::of(&status, &prefs)
}

fn notifications(lines: &str) -> Vec<Notify> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Everything that is seen in a recording, a second apart, up to what ends it.
fn seen(mut watch: LoginWatch, lines: &str) -> Vec<LoginSign> {
    let mut seen = Vec::new();
    for (second, notify) in notifications(lines).iter().enumerate() {
        match watch.take(Duration::from_secs(second as u64), notify) {
            LoginSign::Nothing => {}
            end @ (LoginSign::Connected | LoginSign::Failed(_)) => {
                seen.push(end);
                return seen;
            }
            other => seen.push(other),
        }
    }
    if let Some(error) = watch.overdue(Duration::from_secs(60)) {
        seen.push(LoginSign::Failed(error));
    }
    seen
}

fn watch(with_key: bool) -> LoginWatch {
    LoginWatch::new("http://127.0.0.1:18080", with_key)
}

fn with_server(server: &str) -> EnrollWish {
    EnrollWish::new(Some(server), None, &[]).unwrap()
}

const STARTED_ANEW: [EnrollStep; 3] = [EnrollStep::Start, EnrollStep::Run, EnrollStep::Login];

#[test]
fn a_recorded_status_is_understood() {
    let cases = [
        (
            recorded!("status-not-enrolled.json"),
            TailnetState::NotEnrolled,
        ),
        (
            recorded!("status-logged-out.json"),
            TailnetState::NotEnrolled,
        ),
        (recorded!("status-connected.json"), TailnetState::Connected),
        (
            recorded!("status-key-expires.json"),
            TailnetState::Connected,
        ),
        (
            recorded!("status-key-expired.json"),
            TailnetState::KeyExpired,
        ),
        (recorded!("status-off.json"), TailnetState::Off),
    ];
    for (status, state) in cases {
        assert_eq!(standing(status).state, state, "{status}");
    }
    let waits = standing(recorded!("status-login-waits.json"));
    assert!(
        matches!(&waits.state, TailnetState::LoginWaits { link } if link.starts_with("http://127.0.0.1:18080/register/")),
        "{waits:?}"
    );
}

#[test]
fn a_connected_machine_knows_its_names_and_addresses() {
    let standing = standing(recorded!("status-connected.json"));
    assert_eq!(standing.server, "http://127.0.0.1:18080");
    assert_eq!(standing.tailnet.as_deref(), Some("family.test"));
    assert!(standing.name.as_deref().unwrap().ends_with(".family.test"));
    assert_eq!(standing.addresses.len(), 2);
    assert_eq!(standing.key_expiry, None);
    // headscale gives none.
    assert_eq!(standing.certificate_name, None);
}

#[test]
fn an_expiry_is_read() {
    let standing = standing(recorded!("status-key-expires.json"));
    assert_eq!(
        standing.key_expiry,
        Some("2030-01-02T03:04:05Z".parse().unwrap())
    );
}

#[test]
fn a_machine_to_be_approved_is_told_from_one_to_log_in() {
    let status = r#"{"BackendState":"NeedsMachineAuth","HaveNodeKey":true,"AuthURL":"","Self":null,"Health":null}"#;
    assert_eq!(standing(status).state, TailnetState::NeedsApproval);
}

#[test]
fn a_state_of_a_later_tailscaled_is_no_error() {
    let status = r#"{"BackendState":"Dreaming","Self":{"HostName":"x"}}"#;
    assert_eq!(standing(status).state, TailnetState::NotEnrolled);
}

#[test]
fn a_new_machine_sets_its_server_before_anything_is_switched_on() {
    let steps = plan(
        &standing(recorded!("status-not-enrolled.json")),
        &EnrollWish::new(
            Some("https://head.example/"),
            Some("Immich"),
            &["server".into()],
        )
        .unwrap(),
    )
    .unwrap();
    let edit = PrefsEdit {
        control_url: Some("https://head.example".into()),
        hostname: Some("immich".into()),
        advertise_tags: Some(vec!["tag:server".into()]),
        want_running: None,
    };
    assert_eq!(
        steps,
        [&[EnrollStep::Set(edit)], &STARTED_ANEW[..]].concat()
    );
}

#[test]
fn without_a_server_a_new_machine_goes_to_tailscale_whatever_was_tried_before() {
    let mut tried = standing(recorded!("status-not-enrolled.json"));
    tried.server = "http://127.0.0.1:9".into();
    let steps = plan(&tried, &EnrollWish::default()).unwrap();
    assert!(
        matches!(&steps[0], EnrollStep::Set(edit) if edit.control_url.as_deref() == Some(TAILSCALE)),
        "{steps:?}"
    );
}

#[test]
fn a_connected_machine_has_nothing_to_do() {
    let connected = standing(recorded!("status-connected.json"));
    for wanted in [
        EnrollWish::default(),
        with_server("http://127.0.0.1:18080/"),
        EnrollWish::new(None, Some("immich"), &[]).unwrap(),
    ] {
        assert_eq!(plan(&connected, &wanted).unwrap(), []);
    }
}

#[test]
fn a_new_name_alone_needs_no_login() {
    let connected = standing(recorded!("status-connected.json"));
    let steps = plan(
        &connected,
        &EnrollWish::new(None, Some("photos"), &[]).unwrap(),
    )
    .unwrap();
    assert!(
        matches!(steps.as_slice(), [EnrollStep::Set(edit)] if edit.hostname.as_deref() == Some("photos") && edit.control_url.is_none()),
        "{steps:?}"
    );
}

#[test]
fn new_tags_are_told_to_the_server_without_losing_the_place() {
    let connected = standing(recorded!("status-connected.json"));
    let steps = plan(
        &connected,
        &EnrollWish::new(None, None, &["tag:server".into()]).unwrap(),
    )
    .unwrap();
    assert!(
        matches!(
            steps.as_slice(),
            [EnrollStep::Set(_), EnrollStep::Start, EnrollStep::Run]
        ),
        "{steps:?}"
    );
}

#[test]
fn a_machine_that_was_switched_off_is_only_switched_on() {
    let off = standing(recorded!("status-off.json"));
    assert_eq!(
        plan(&off, &EnrollWish::default()).unwrap(),
        [EnrollStep::Run]
    );
}

#[test]
fn an_expired_key_means_a_login_at_the_same_server() {
    let expired = standing(recorded!("status-key-expired.json"));
    assert_eq!(
        plan(&expired, &EnrollWish::default()).unwrap(),
        STARTED_ANEW
    );
}

#[test]
fn a_machine_of_one_tailnet_is_never_moved_into_another() {
    for status in [
        recorded!("status-connected.json"),
        recorded!("status-off.json"),
        recorded!("status-key-expired.json"),
    ] {
        assert!(matches!(
            plan(&standing(status), &with_server("https://other.example")),
            Err(TailnetError::OtherServer { .. })
        ));
    }
}

#[test]
fn a_recorded_login_shows_its_link_once_and_ends_connected() {
    for lines in [
        recorded!("notify-login.jsonl"),
        recorded!("notify-key-expired-login.jsonl"),
    ] {
        let seen = seen(watch(false), lines);
        assert!(
            matches!(seen.as_slice(), [LoginSign::Link(link), LoginSign::Connected] if link.contains("/register/")),
            "{seen:?}"
        );
    }
}

#[test]
fn with_a_key_a_link_that_was_left_over_is_not_shown() {
    let seen = seen(watch(true), recorded!("notify-login.jsonl"));
    assert!(
        matches!(seen.as_slice(), [LoginSign::Connected]),
        "{seen:?}"
    );
}

#[test]
fn a_recorded_expired_key_is_told_from_an_unknown_one() {
    for (lines, expected) in [
        (recorded!("notify-auth-key-expired.jsonl"), true),
        (recorded!("notify-auth-key-unknown.jsonl"), false),
    ] {
        let seen = seen(watch(true), lines);
        assert!(
            matches!(seen.as_slice(), [LoginSign::Failed(TailnetError::AuthKeyRefused { expired, .. })] if *expired == expected),
            "{seen:?}"
        );
    }
}

/// What is seen once a login has failed for long, as tailscaled words it.
fn failed_for_long(with_key: bool, reason: &str) -> Option<TailnetError> {
    let notify = serde_json::json!({
        "Health": {"Warnings": {"login-state": {"Text": "", "Args": {"error": reason}}}}
    });
    let notify: Notify = serde_json::from_value(notify).unwrap();
    let mut watch = watch(with_key);
    assert!(matches!(
        watch.take(Duration::ZERO, &notify),
        LoginSign::Nothing
    ));
    watch.overdue(PATIENCE)
}

#[test]
fn only_a_server_that_answered_can_refuse_a_key() {
    for reason in ["400: bad", "401: AuthKey not found", "403: no"] {
        let reason = format!("register request: http {reason}");
        assert!(
            matches!(
                failed_for_long(true, &reason),
                Some(TailnetError::AuthKeyRefused { .. })
            ),
            "{reason}"
        );
        assert!(
            matches!(
                failed_for_long(false, &reason),
                Some(TailnetError::LoginRefused { .. })
            ),
            "{reason}"
        );
    }
    for reason in [
        "register request: Post \"https://head.example/machine/register\": connection reset by peer",
        "register request: unexpected EOF",
        "register request: http 429: slow down",
        "register request: http 408: too slow",
        "fetch control key: Get \"https://head.example/key\": no such host",
    ] {
        assert!(
            matches!(
                failed_for_long(true, reason),
                Some(TailnetError::NoControlServer { .. })
            ),
            "{reason}"
        );
    }
    assert!(matches!(
        failed_for_long(true, "register request: http 502: bad gateway"),
        Some(TailnetError::LoginRefused { .. })
    ));
}

#[test]
fn a_recorded_wrong_server_fails_and_says_what_tailscaled_saw() {
    for (lines, words) in [
        (
            recorded!("notify-server-refuses-connections.jsonl"),
            "connection refused",
        ),
        (recorded!("notify-server-is-another-one.jsonl"), "404"),
    ] {
        let seen = seen(watch(false), lines);
        assert!(
            matches!(seen.as_slice(), [LoginSign::Failed(TailnetError::NoControlServer { reason, .. })] if reason.contains(words)),
            "{seen:?}"
        );
    }
}

#[test]
fn a_network_that_is_not_up_yet_is_waited_for() {
    let mut watch = watch(false);
    for notify in notifications(recorded!("notify-server-refuses-connections.jsonl")) {
        watch.take(Duration::from_secs(3), &notify);
    }
    assert!(watch.overdue(Duration::from_secs(17)).is_none());
    assert!(watch.overdue(Duration::from_secs(18)).is_some());
    // The server answers after all: a link is its own.
    for notify in notifications(recorded!("notify-login.jsonl")) {
        watch.take(Duration::from_secs(20), &notify);
    }
    assert!(watch.overdue(Duration::from_secs(60)).is_none());
}

#[test]
fn a_machine_to_be_approved_is_told_of_once() {
    let mut watch = watch(false);
    let notify: Notify = serde_json::from_str(r#"{"State":3}"#).unwrap();
    assert!(matches!(
        watch.take(Duration::ZERO, &notify),
        LoginSign::NeedsApproval
    ));
    assert!(matches!(
        watch.take(Duration::ZERO, &notify),
        LoginSign::Nothing
    ));
    assert!(matches!(
        watch.timed_out(Duration::from_secs(1), &[]),
        TailnetError::NeedsApproval { .. }
    ));
}

#[test]
fn when_nobody_comes_the_link_is_still_said() {
    let mut watch = watch(false);
    for notify in &notifications(recorded!("notify-login.jsonl"))[..5] {
        watch.take(Duration::ZERO, notify);
    }
    assert!(matches!(
        watch.timed_out(Duration::from_secs(600), &[]),
        TailnetError::NobodyLoggedIn { .. }
    ));
}

#[test]
fn what_a_person_types_is_checked() {
    for server in [
        "head.example",
        "ftp://head.example",
        "https://u:p@head",
        "",
        "https://h?x",
    ] {
        assert!(
            EnrollWish::new(Some(server), None, &[]).is_err(),
            "{server}"
        );
    }
    for hostname in ["", "-a", "a-", "a.b", "a b", &"a".repeat(64)] {
        assert!(
            EnrollWish::new(None, Some(hostname), &[]).is_err(),
            "{hostname}"
        );
    }
    for tag in ["", "tag:", "1a", "a b", "tag:a:b"] {
        assert!(EnrollWish::new(None, None, &[tag.into()]).is_err(), "{tag}");
    }
}

proptest::proptest! {
    #[test]
    fn no_line_on_the_bus_panics(line in ".*", number in proptest::num::u64::ANY) {
        let mut watch = watch(false);
        for text in [line, format!(r#"{{"State":{number}}}"#)] {
            if let Ok(notify) = serde_json::from_str::<Notify>(&text) {
                watch.take(Duration::ZERO, &notify);
            }
        }
    }
}
