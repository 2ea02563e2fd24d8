//! A real tailscaled is brought into the tailnet of a real headscale, and out again.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, too

use std::time::Duration;

use appliance_tailnet::enroll::EnrollWish;
use appliance_tailnet::localapi::LocalApi;
use appliance_tailnet::standing::{KeyAge, TailnetState};
use appliance_tailnet::{Enrollment, Happening, Result, Tailnet, TailnetError};
use secrecy::SecretString;
use tailnet_peers::{Headscale, Node, Programs, WebServer};

/// Generous, for machines that do much else; nothing waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(90);

fn tailnet(node: &Node) -> Tailnet {
    Tailnet::new(LocalApi::new(node.socket())).unwrap()
}

fn wanted(server: &str) -> EnrollWish {
    EnrollWish::new(Some(server), Some("immich"), &[]).unwrap()
}

fn by_key(node: &Node, server: &str, key: String) -> Result<Enrollment> {
    tailnet(node).enroll(
        &wanted(server),
        Some(&SecretString::from(key)),
        PATIENCE,
        &mut |happening| panic!("nobody is there for {happening:?}"),
    )
}

/// A person opens each link and signs in.
fn by_link(node: &Node, headscale: &Headscale, wanted: &EnrollWish) -> Result<(Enrollment, usize)> {
    let mut links = 0;
    let enrolled = tailnet(node).enroll(wanted, None, PATIENCE, &mut |happening| {
        if let Happening::Link(link) = happening {
            links += 1;
            headscale.log_in(&link);
        }
        true
    })?;
    Ok((enrolled, links))
}

#[test]
fn a_person_enrolls_the_box_by_opening_one_link() {
    let Some(programs) = Programs::get() else {
        return;
    };
    let headscale = Headscale::start(&programs);
    let node = Node::start(&programs);
    assert_eq!(
        tailnet(&node).standing().unwrap().state,
        TailnetState::NotEnrolled
    );

    let (enrolled, links) = by_link(&node, &headscale, &wanted(headscale.url())).unwrap();
    assert_eq!(links, 1);
    assert!(enrolled.changed);
    assert_eq!(enrolled.standing.state, TailnetState::Connected);
    assert_eq!(
        enrolled.standing.name.as_deref(),
        Some("immich.family.test")
    );
    assert_eq!(headscale.node("immich")["online"], true);
    // No other server was ever spoken to on the way.
    assert!(!node.log().contains("controlplane.tailscale.com"));

    // Once more: it is there already, and nobody is asked.
    let (again, links) = by_link(&node, &headscale, &wanted(headscale.url())).unwrap();
    assert_eq!((again.changed, links), (false, 0));
}

#[test]
fn a_key_enrolls_the_box_without_anybody() {
    let Some(programs) = Programs::get() else {
        return;
    };
    let headscale = Headscale::start(&programs);
    let node = Node::start(&programs);
    let key = headscale.auth_key("1h");
    let enrolled = by_key(&node, headscale.url(), key.clone()).unwrap();
    assert_eq!(enrolled.standing.state, TailnetState::Connected);
    assert!(!node.log().contains(&key));
}

#[test]
fn a_key_that_is_not_good_is_told_at_once_and_a_good_one_helps() {
    let Some(programs) = Programs::get() else {
        return;
    };
    let headscale = Headscale::start(&programs);
    let node = Node::start(&programs);

    let unknown = by_key(&node, headscale.url(), "0123456789abcdef".into());
    assert!(
        matches!(
            &unknown,
            Err(TailnetError::AuthKeyRefused { expired: false, .. })
        ),
        "{unknown:?}"
    );
    let key = headscale.auth_key("1s");
    std::thread::sleep(Duration::from_millis(1500));
    let expired = by_key(&node, headscale.url(), key);
    assert!(
        matches!(
            &expired,
            Err(TailnetError::AuthKeyRefused { expired: true, .. })
        ),
        "{expired:?}"
    );
    assert_eq!(headscale.nodes(), Vec::<serde_json::Value>::new());

    let enrolled = by_key(&node, headscale.url(), headscale.auth_key("1h")).unwrap();
    assert_eq!(enrolled.standing.state, TailnetState::Connected);
}

#[test]
fn a_wrong_server_is_named_with_what_was_seen_and_the_right_one_helps() {
    let Some(programs) = Programs::get() else {
        return;
    };
    let headscale = Headscale::start(&programs);
    let node = Node::start(&programs);
    let something_else = WebServer::start("not a control server");
    for server in ["http://127.0.0.1:9", &something_else.url()] {
        let wrong = tailnet(&node).enroll(&wanted(server), None, PATIENCE, &mut |_| true);
        assert!(
            matches!(&wrong, Err(TailnetError::NoControlServer { server: named, .. }) if named == server),
            "{wrong:?}"
        );
    }
    let (enrolled, _) = by_link(&node, &headscale, &wanted(headscale.url())).unwrap();
    assert_eq!(enrolled.standing.state, TailnetState::Connected);

    // From here on, another server is a mistake.
    let moved = tailnet(&node).enroll(
        &wanted("https://other.example"),
        None,
        PATIENCE,
        &mut |_| true,
    );
    assert!(
        matches!(moved, Err(TailnetError::OtherServer { .. })),
        "{moved:?}"
    );
    assert_eq!(
        tailnet(&node).standing().unwrap().state,
        TailnetState::Connected
    );
}

#[test]
fn the_box_comes_back_after_off_after_expiry_and_after_leaving() {
    let Some(programs) = Programs::get() else {
        return;
    };
    let headscale = Headscale::start(&programs);
    let mut node = Node::start(&programs);
    by_key(&node, headscale.url(), headscale.auth_key("1h")).unwrap();

    assert!(tailnet(&node).switch_off().unwrap());
    assert!(!tailnet(&node).switch_off().unwrap());
    assert_eq!(tailnet(&node).standing().unwrap().state, TailnetState::Off);
    let (on, links) = by_link(&node, &headscale, &EnrollWish::default()).unwrap();
    assert_eq!((on.standing.state, links), (TailnetState::Connected, 0));

    headscale.expire("immich", Some("2030-01-02T03:04:05Z"));
    let expiry = Some("2030-01-02T03:04:05Z".parse().unwrap());
    until(|| tailnet(&node).standing().unwrap().key_expiry == expiry);
    let standing = tailnet(&node).standing().unwrap();
    let shortly_before = "2029-12-30T00:00:00Z".parse().unwrap();
    assert_eq!(
        standing.key_age(shortly_before, 14),
        KeyAge::Soon { days: 3 }
    );

    headscale.expire("immich", None);
    until(|| tailnet(&node).standing().unwrap().state == TailnetState::KeyExpired);
    let (renewed, links) = by_link(&node, &headscale, &EnrollWish::default()).unwrap();
    assert_eq!(
        (renewed.standing.state, links),
        (TailnetState::Connected, 1)
    );
    assert_eq!(headscale.nodes().len(), 1);

    headscale.expire("immich", None);
    until(|| tailnet(&node).standing().unwrap().state == TailnetState::KeyExpired);
    let by_key = by_key(&node, headscale.url(), headscale.auth_key("1h")).unwrap();
    assert_eq!(by_key.standing.state, TailnetState::Connected);

    // A restart of the machine changes nothing.
    node.start_again();
    until(|| tailnet(&node).standing().unwrap().state == TailnetState::Connected);

    assert!(tailnet(&node).leave().unwrap());
    assert!(!tailnet(&node).leave().unwrap());
    assert_eq!(
        tailnet(&node).standing().unwrap().state,
        TailnetState::NotEnrolled
    );
    let (back, links) = by_link(&node, &headscale, &wanted(headscale.url())).unwrap();
    assert_eq!((back.standing.state, links), (TailnetState::Connected, 1));
}

#[test]
fn a_new_name_and_tags_are_taken_over_without_a_new_login() {
    let Some(programs) = Programs::get() else {
        return;
    };
    let headscale = Headscale::start(&programs);
    let node = Node::start(&programs);
    by_link(&node, &headscale, &wanted(headscale.url())).unwrap();
    let wanted = EnrollWish::new(None, Some("photos"), &["photos".into()]).unwrap();
    let (enrolled, links) = by_link(&node, &headscale, &wanted).unwrap();
    assert_eq!(
        (enrolled.standing.state, links),
        (TailnetState::Connected, 0)
    );
    assert_eq!(enrolled.standing.hostname, "photos");
    assert_eq!(enrolled.standing.tags, ["tag:photos"]);
    assert_eq!(headscale.nodes().len(), 1);
}

#[test]
fn the_tailnet_reaches_what_is_shared_and_nothing_once_the_box_is_off() {
    let Some(programs) = Programs::get() else {
        return;
    };
    let headscale = Headscale::start(&programs);
    let immich = WebServer::start("the family's photos");
    let (node, phone) = (Node::start(&programs), Node::start(&programs));
    phone.join(&headscale, "phone");
    let reached = || {
        phone
            .get("http://immich.family.test/")
            .is_ok_and(|answer| answer.body == "the family's photos")
    };
    assert!(!reached(), "reached without being enrolled");
    assert!(matches!(
        tailnet(&node).share(&immich.url()),
        Err(TailnetError::NotEnrolled)
    ));

    by_key(&node, headscale.url(), headscale.auth_key("1h")).unwrap();
    assert!(!reached(), "reached without being shared");
    let shared = tailnet(&node).share(&immich.url()).unwrap();
    // headscale gives no certificates, so it is HTTP inside WireGuard.
    assert_eq!(shared.url, "http://immich.family.test");
    assert!(shared.changed && !shared.https);
    assert!(!tailnet(&node).share(&immich.url()).unwrap().changed);
    assert_eq!(
        tailnet(&node).shared(&immich.url()).unwrap(),
        Some(shared.url)
    );
    until(reached);

    assert!(tailnet(&node).unshare(&immich.url()).unwrap());
    assert!(!reached(), "reached after it was taken back");
    tailnet(&node).share(&immich.url()).unwrap();
    until(reached);

    tailnet(&node).switch_off().unwrap();
    let before = immich.asked();
    assert!(!reached(), "reached after the box was switched off");
    assert!(matches!(
        tailnet(&node).share(&immich.url()),
        Err(TailnetError::Off)
    ));
    assert_eq!(immich.asked(), before);
}

#[test]
fn a_tailscaled_that_stops_while_it_is_waited_for_ends_the_wait() {
    let Some(programs) = Programs::get() else {
        return;
    };
    let headscale = Headscale::start(&programs);
    let mut node = Node::start(&programs);
    let tailnet = tailnet(&node);
    let ended = tailnet.enroll(&wanted(headscale.url()), None, PATIENCE, &mut |_| {
        node.stop();
        true
    });
    assert!(matches!(ended, Err(TailnetError::LocalApi(_))), "{ended:?}");
    let gone = tailnet.standing();
    assert!(
        matches!(&gone, Err(TailnetError::LocalApi(error)) if error.is_not_running()),
        "{gone:?}"
    );
}

fn until(mut holds: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "it never came about");
        std::thread::sleep(Duration::from_millis(100));
    }
}
