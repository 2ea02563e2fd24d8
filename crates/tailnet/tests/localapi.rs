//! The LocalAPI's transport, against a listener that answers as the recorded tailscaled did.
#![allow(clippy::unwrap_used)] // helpers of tests, too

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;

use appliance_tailnet::localapi::{InitialNotify, LocalApi, PrefsEdit, ServeConfig, Why};
use secrecy::SecretString;

/// Answers one connection, and returns what was asked.
struct Once {
    folder: tempfile::TempDir,
    asked: JoinHandle<String>,
}

impl Once {
    fn answering(answer: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let asked = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let asked = read_request(&stream);
            for part in answer {
                (&stream).write_all(part.as_bytes()).unwrap();
                (&stream).flush().unwrap();
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            asked
        });
        Self { folder, asked }
    }

    fn api(&self) -> LocalApi {
        LocalApi::new(self.folder.path().join("socket"))
    }

    fn asked(self) -> String {
        self.asked.join().unwrap()
    }
}

fn read_request(stream: &UnixStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut asked, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        asked += &line;
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    asked + &String::from_utf8(body).unwrap()
}

#[tokio::test]
async fn no_socket_means_that_tailscaled_is_not_running() {
    let folder = tempfile::tempdir().unwrap();
    let socket: PathBuf = folder.path().join("socket");
    let error = LocalApi::new(&socket).status().await.unwrap_err();
    assert!(error.is_not_running(), "{error}");
    // One that was left behind, without anyone listening.
    drop(UnixListener::bind(&socket).unwrap());
    let error = LocalApi::new(&socket).status().await.unwrap_err();
    assert!(error.is_not_running(), "{error}");
    assert!(error.to_string().contains(socket.to_str().unwrap()));
}

#[tokio::test]
async fn a_call_names_itself_as_tailscaled_wants_it() {
    let once = Once::answering(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n{\"ControlURL\":\"\",\"Hostname\":\"a\"}\n",
    ]);
    let edit = PrefsEdit {
        hostname: Some("immich".into()),
        ..PrefsEdit::default()
    };
    assert_eq!(once.api().edit_prefs(&edit).await.unwrap().hostname, "a");
    let asked = once.asked();
    assert!(asked.starts_with("PATCH /localapi/v0/prefs HTTP/1.1\r\n"));
    assert!(asked.contains("host: local-tailscaled.sock\r\n"), "{asked}");
    assert!(asked.contains(r#""HostnameSet":true"#), "{asked}");
}

#[tokio::test]
async fn an_auth_key_travels_in_the_body_alone() {
    let once = Once::answering(&["HTTP/1.1 204 No Content\r\n\r\n"]);
    let key = SecretString::from("tskey-auth-secret");
    once.api().start(Some(&key)).await.unwrap();
    let asked = once.asked();
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert!(!head.contains("secret"), "{head}");
    assert_eq!(body, r#"{"AuthKey":"tskey-auth-secret"}"#);
}

#[tokio::test]
async fn a_denied_call_says_so_in_tailscaleds_words() {
    let once = Once::answering(&[
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 21\r\n\r\n",
        include_str!("recorded/denied.txt"),
        " ",
    ]);
    let error = once.api().logout().await.unwrap_err();
    assert!(
        matches!(&error.why, Why::Denied(words) if words == "logout access denied"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_change_that_came_in_between_is_noticed() {
    let once = Once::answering(&[
        "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 13\r\n\r\netag mismatch",
    ]);
    let error = once
        .api()
        .set_serve_config(&ServeConfig::default(), "abc")
        .await
        .unwrap_err();
    assert!(matches!(error.why, Why::Changed), "{error:?}");
    assert!(once.asked().contains("if-match: abc\r\n"));
}

#[tokio::test]
async fn nothing_served_is_an_empty_config_with_its_tag() {
    let once = Once::answering(&[
        "HTTP/1.1 200 OK\r\nEtag: 7423\r\nContent-Length: 4\r\n\r\n",
        include_str!("recorded/serve-config-empty.json"),
    ]);
    let (config, etag) = once.api().serve_config().await.unwrap();
    assert_eq!(config, ServeConfig::default());
    assert_eq!(etag, "7423");
}

#[test]
fn a_recorded_serve_config_is_written_as_it_was_read() {
    let text = include_str!("recorded/serve-config-shared.json");
    let config: ServeConfig = serde_json::from_str(text).unwrap();
    assert_eq!(
        serde_json::to_value(&config).unwrap(),
        serde_json::from_str::<serde_json::Value>(text).unwrap()
    );
}

#[tokio::test]
async fn notifications_are_lines_however_they_are_cut() {
    let once = Once::answering(&[
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "11\r\n{\"State\":2}\n{\"Sta\r\n",
        "d\r\nte\":5}\n\n{\"Bro\r\n",
        "21\r\nwseToURL\":\"https://example/a\"}  \n\r\n",
        "0\r\n\r\n",
    ]);
    let initial = InitialNotify {
        state: true,
        health: true,
    };
    let mut notifications = once.api().watch(initial).await.unwrap();
    let mut seen = Vec::new();
    while let Some(notify) = notifications.next().await.unwrap() {
        seen.push((notify.state.is_some(), notify.browse_to_url));
    }
    assert_eq!(
        seen,
        [
            (true, None),
            (true, None),
            (false, Some("https://example/a".into()))
        ]
    );
    assert!(
        once.asked()
            .starts_with("GET /localapi/v0/watch-ipn-bus?mask=130 ")
    );
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_an_error_and_no_panic() {
    let once = Once::answering(&["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"]);
    let error = once.api().status().await.unwrap_err();
    assert!(matches!(error.why, Why::Answer(_)), "{error:?}");
}
