//! `remote …`: the real command, a real tailscaled and a real headscale.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, too

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;
use tailnet_peers::{Headscale, Node, Programs, WebServer};

const PATIENCE: Duration = Duration::from_secs(90);
/// The commands of one machine keep each other away; the tests stand for one machine each.
static MACHINE: Mutex<()> = Mutex::new(());

/// A box: tailscaled, the command with its configuration, and something that answers as Immich.
struct TestBox {
    node: Node,
    headscale: Headscale,
    programs: Programs,
    immich: WebServer,
    folder: tempfile::TempDir,
    _turn: std::sync::MutexGuard<'static, ()>,
}

/// `None`, and why on standard output, where it cannot be had.
fn test_box() -> Option<TestBox> {
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: only root gets past the call of sudo");
        return None;
    }
    let programs = Programs::get()?;
    let turn = MACHINE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let (node, immich) = (
        Node::start(&programs),
        WebServer::start("the family's photos"),
    );
    let configuration = format!(
        "[immich]\nurl = \"{}\"\n[remote]\ntailscale_socket = \"{}\"\n[state]\ndirectory = \"{}\"\n",
        immich.url(),
        node.socket().display(),
        folder.path().join("state").display(),
    );
    std::fs::write(folder.path().join("config.toml"), configuration).unwrap();
    Some(TestBox {
        headscale: Headscale::start(&programs),
        node,
        programs,
        immich,
        folder,
        _turn: turn,
    })
}

impl TestBox {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_immich-appliance"));
        command
            .arg("--config")
            .arg(self.folder.path().join("config.toml"))
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs with `--json`; the exit code and the document.
    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[&["--json", "--no-input"], arguments].concat());
        let document = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"));
        (output.status.code().unwrap(), document)
    }

    fn key_file(&self, good_for: &str) -> PathBuf {
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.folder.path().join("key");
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .unwrap();
        writeln!(file, "{}", self.headscale.auth_key(good_for)).unwrap();
        path
    }

    fn enrol_by_key(&self) -> (i32, Value) {
        let key = self.key_file("1h");
        self.json(&[
            "remote",
            "enroll",
            "--login-server",
            self.headscale.url(),
            "--hostname",
            "immich",
            "--auth-key-file",
            key.to_str().unwrap(),
        ])
    }

    fn phone(&self) -> Node {
        let phone = Node::start(&self.programs);
        phone.join(&self.headscale, "phone");
        phone
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn reaches_immich(phone: &Node) -> bool {
    phone
        .get("http://immich.family.test/")
        .is_ok_and(|answer| answer.body == "the family's photos")
}

#[test]
fn a_person_who_opens_the_link_enrols_the_box_and_the_family_reaches_immich() {
    let Some(it) = test_box() else { return };
    let server = it.headscale.url().to_owned();
    let mut child = it
        .command(&["remote", "enroll", "--hostname", "immich"])
        .args(["--login-server", &server, "--timeout", "90"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let link = lines
        .map(Result::unwrap)
        .find_map(|line| {
            let line = line.trim().to_owned();
            line.starts_with(&format!("{server}/register/"))
                .then_some(line)
        })
        .expect("a link on standard error");
    it.headscale.log_in(&link);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(
        report.contains("http://immich.family.test") && report.contains("100.64.0.1"),
        "{report}"
    );

    let phone = it.phone();
    until("the phone reaches Immich", || reaches_immich(&phone));

    let (code, again) = it.json(&["remote", "enroll"]);
    assert_eq!((code, &again["changed"]), (0, &Value::Bool(false)));
    let (code, status) = it.json(&["remote", "status"]);
    assert_eq!(code, 0);
    assert_eq!(status["state"], "connected");
    assert_eq!(status["name"], "immich.family.test");
    assert_eq!(status["immich"], "http://immich.family.test");
    assert_eq!(status["key"], "fine");
}

#[test]
fn disable_cuts_the_family_off_and_enroll_brings_it_back_without_a_login() {
    let Some(it) = test_box() else { return };
    let (code, enrolled) = it.enrol_by_key();
    assert_eq!(code, 0, "{enrolled}");
    assert_eq!(enrolled["changed"], true);
    let phone = it.phone();
    until("the phone reaches Immich", || reaches_immich(&phone));

    let (code, disabled) = it.json(&["remote", "disable"]);
    assert_eq!((code, &disabled["changed"]), (0, &Value::Bool(true)));
    let before = it.immich.asked();
    assert!(!reaches_immich(&phone), "reached after disable");
    assert_eq!(it.immich.asked(), before);
    assert_eq!(it.json(&["remote", "status"]).1["state"], "off");
    assert_eq!(it.json(&["remote", "disable"]).1["changed"], false);

    let (code, enrolled) = it.json(&["remote", "enroll"]);
    assert_eq!(code, 0, "{enrolled}");
    until("the phone reaches Immich again", || reaches_immich(&phone));

    let (code, _) = it.json(&["remote", "disable", "--forget"]);
    assert_eq!(code, 0);
    assert!(!reaches_immich(&phone), "reached after leaving");
    assert_eq!(it.json(&["remote", "status"]).1["state"], "not-enrolled");
    assert_eq!(
        it.json(&["remote", "disable", "--forget"]).1["changed"],
        false
    );
}

#[test]
fn a_key_comes_by_file_descriptor_and_shows_nowhere() {
    let Some(it) = test_box() else { return };
    let path = it.key_file("1h");
    let file = File::open(&path).unwrap();
    // Children keep only what is not closed on exec.
    let given = nix::unistd::dup(&file).unwrap();
    nix::fcntl::fcntl(
        &given,
        nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()),
    )
    .unwrap();
    let output = it
        .command(&["-vv", "--no-input", "remote", "enroll", "--no-share"])
        .args(["--login-server", it.headscale.url()])
        .arg(format!("--auth-key-fd={}", given.as_raw_fd()))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let key = std::fs::read_to_string(&path).unwrap();
    let everything = format!("{output:?}{}", it.node.log());
    assert!(!everything.contains(key.trim()));
    // Only SSH was asked for.
    assert_eq!(it.json(&["remote", "status"]).1["immich"], Value::Null);
}

#[test]
fn what_goes_wrong_says_what_to_do() {
    let Some(mut it) = test_box() else { return };
    let server = it.headscale.url().to_owned();
    let enrol = ["remote", "enroll", "--login-server"];

    // Nobody is there who could log in.
    let (code, error) = it.json(&[&enrol[..], &[&server]].concat());
    assert_eq!(code, 2, "{error}");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("{server}/register/")),
        "{message}"
    );
    assert!(
        error["error"]["mend"]
            .as_str()
            .unwrap()
            .contains("--auth-key-file")
    );

    // A key of yesterday.
    let key = it.key_file("1s");
    std::thread::sleep(Duration::from_millis(1500));
    let key = ["--auth-key-file", key.to_str().unwrap()];
    let (code, error) = it.json(&[&enrol[..], &[&server], &key].concat());
    assert_eq!(code, 1, "{error}");
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("expired")
    );
    assert!(
        error["error"]["mend"]
            .as_str()
            .unwrap()
            .contains("new auth key")
    );

    // A server that is none.
    let wrong = it.immich.url();
    let (code, error) = it.json(&[&enrol[..], &[&wrong], &key].concat());
    assert_eq!(code, 1, "{error}");
    assert!(error["error"]["message"].as_str().unwrap().contains(&wrong));
    assert!(
        error["error"]["mend"]
            .as_str()
            .unwrap()
            .contains("--login-server")
    );

    // What is typed wrong is known before anything is asked.
    assert_eq!(it.json(&["remote", "enroll", "--hostname", "a b"]).0, 2);
    let two = [&key[..], &["--auth-key-fd", "0"]].concat();
    assert_eq!(
        it.run(&[&["remote", "enroll"], &two[..]].concat())
            .status
            .code(),
        Some(2)
    );

    // Enrolled with one, asked for another.
    assert_eq!(it.enrol_by_key().0, 0);
    let (code, error) = it.json(&[&enrol[..], &["https://other.example"]].concat());
    assert_eq!(code, 9, "{error}");
    assert!(
        error["error"]["mend"]
            .as_str()
            .unwrap()
            .contains("--forget")
    );

    it.node.stop();
    let (code, error) = it.json(&["remote", "status"]);
    assert_eq!(code, 1);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("not running")
    );
    assert!(
        error["error"]["mend"]
            .as_str()
            .unwrap()
            .contains("systemctl start tailscaled")
    );
}

#[test]
fn the_key_is_warned_of_before_it_expires_and_renewed_after() {
    let Some(it) = test_box() else { return };
    assert_eq!(it.enrol_by_key().0, 0);
    assert_eq!(it.json(&["remote", "status", "--alarm"]).0, 0);

    let soon = jiff::Timestamp::now() + Duration::from_secs(5 * 24 * 3600 + 3600);
    it.headscale.expire("immich", Some(&soon.to_string()));
    until("the alarm", || {
        it.json(&["remote", "status", "--alarm"]).0 == 1
    });
    let (code, status) = it.json(&["remote", "status"]);
    assert_eq!(
        (code, &status["key"], &status["days"]),
        (0, &"soon".into(), &5.into())
    );
    let output = it.run(&["remote", "status"]);
    assert!(said(&output).contains("expires in 5 days"), "{output:?}");

    it.headscale.expire("immich", None);
    until("the key has expired", || {
        it.json(&["remote", "status"]).1["state"] == "key-expired"
    });
    assert_eq!(it.json(&["remote", "status", "--alarm"]).0, 1);

    let (code, enrolled) = it.enrol_by_key();
    assert_eq!(
        (code, &enrolled["state"]),
        (0, &"connected".into()),
        "{enrolled}"
    );
    assert_eq!(it.json(&["remote", "status", "--alarm"]).0, 0);
}
