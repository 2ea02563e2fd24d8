use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;

const CONFIG: &str = r#"{"isInitialized":INIT,"isOnboarded":true,"maintenanceMode":false,"externalDomain":"","trashDays":30}"#;

/// Gives each answer once, to one connection each.
fn serving(answers: Vec<(u16, String)>) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    Client::new(&format!("http://{address}")).unwrap()
}

fn config(initialized: bool) -> (u16, String) {
    (200, CONFIG.replace("INIT", &initialized.to_string()))
}

fn wait(client: &Client, seen: &mut Vec<Waiting>) -> Result<ServerState, NotReady> {
    wait_until_ready(client, Duration::from_secs(30), &mut |waiting, _| {
        seen.push(waiting.clone());
        ControlFlow::Continue(())
    })
}

#[test]
fn a_server_without_its_database_is_waited_for_until_it_works() {
    let down = (
        500,
        r#"{"message":"Internal server error","statusCode":500}"#.to_owned(),
    );
    let client = serving(vec![down.clone(), down, config(true)]);
    let mut seen = Vec::new();
    let state = wait(&client, &mut seen).unwrap();
    assert!(matches!(state, ServerState::Ready(_)));
    assert_eq!(seen, [Waiting::Database, Waiting::Database]);
}

#[test]
fn a_fresh_database_is_not_called_ready() {
    let client = serving(vec![config(false)]);
    let state = wait(&client, &mut Vec::new()).unwrap();
    assert!(matches!(state, ServerState::Uninitialized(_)));
}

#[test]
fn maintenance_mode_is_a_state_of_its_own_with_a_way_out() {
    // All that the real server says then, against its own schema; and what the schema says.
    let by_schema = CONFIG
        .replace("INIT", "true")
        .replace(r#""maintenanceMode":false"#, r#""maintenanceMode":true"#);
    for answer in [r#"{"maintenanceMode":true}"#.to_owned(), by_schema] {
        let client = serving(vec![(200, answer.clone()), (200, answer)]);
        let waited = wait(&client, &mut Vec::new()).unwrap();
        assert_eq!(waited, ServerState::Maintenance);
        assert_eq!(state(&client), Some(ServerState::Maintenance));
        assert!(waited.help().unwrap().contains("disable-maintenance-mode"));
    }
}

#[test]
fn another_server_is_not_waited_for() {
    for answer in [(200, "<html>".to_owned()), (404, String::new())] {
        let client = serving(vec![answer]);
        let error = wait(&client, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, NotReady::NotImmich(_)), "{error}");
    }
}

#[test]
fn the_caller_can_end_the_waiting() {
    let client = serving(vec![]);
    let error = wait_until_ready(&client, Duration::from_secs(600), &mut |_, _| {
        ControlFlow::Break("the unit failed".into())
    })
    .unwrap_err();
    assert_eq!(error.to_string(), "the unit failed");
}

#[test]
fn a_time_limit_says_what_was_missing() {
    let down = (500, "{}".to_owned());
    let client = serving(vec![down]);
    let error = wait_until_ready(&client, Duration::ZERO, &mut |_, _| {
        ControlFlow::Continue(())
    })
    .unwrap_err();
    assert!(
        matches!(
            error,
            NotReady::Timeout {
                waiting: Waiting::Database,
                ..
            }
        ),
        "{error}"
    );
}

/// A server without its database for so many tries, which then works.
fn migrating(tries: usize) -> Client {
    let mut answers = vec![(500, "{}".to_owned()); tries];
    answers.push(config(true));
    serving(answers)
}

#[test]
fn a_migration_that_gets_on_is_waited_for_beyond_the_timeout() {
    let timeout = Duration::from_millis(900);
    let mut line = 0;
    let mut journal = changes(|| {
        line += 1;
        Some(line)
    });
    let mut probe = ProgressProbe {
        every: Duration::from_millis(400),
        look: &mut journal,
    };
    let start = Instant::now();
    let state = wait_while_progressing(&migrating(6), timeout, &mut probe, &mut |_, _| {
        ControlFlow::Continue(())
    });
    assert!(matches!(state, Ok(ServerState::Ready(_))), "{state:?}");
    assert!(start.elapsed() > 2 * timeout);
}

#[test]
fn a_migration_that_stands_still_is_given_up_after_the_timeout_and_it_says_since_when() {
    let timeout = Duration::from_millis(900);
    let mut lines = vec![3, 3, 3, 3, 3, 2, 1].into_iter().rev().chain([3; 100]);
    let mut journal = changes(|| lines.next());
    let mut probe = ProgressProbe {
        every: Duration::from_millis(400),
        look: &mut journal,
    };
    let error = wait_while_progressing(&migrating(60), timeout, &mut probe, &mut |_, _| {
        ControlFlow::Continue(())
    })
    .unwrap_err();
    let NotReady::Timeout {
        waited, standstill, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert!(*standstill < *waited, "{error}");
    assert!(error.to_string().contains("without progress"), "{error}");
}

#[test]
fn what_cannot_be_told_is_no_progress() {
    let mut seen = vec![None, Some(1), None, Some(1), Some(2), Some(2)].into_iter();
    let mut moved = changes(|| seen.next().flatten());
    let looks: Vec<_> = (0..6).map(|_| moved()).collect();
    assert_eq!(looks, [false, false, false, false, true, false]);
}
