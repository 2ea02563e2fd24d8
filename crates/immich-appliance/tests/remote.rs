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
    let test_box = TestBox {
        headscale: Headscale::start(&programs),
        node,
        programs,
        immich,
        folder,
        _turn: turn,
    };
    test_box.configure(&test_box.immich.url());
    Some(test_box)
}

impl TestBox {
    fn configure(&self, immich: &str) {
        let configuration = format!(
            "[immich]\nurl = \"{immich}\"\n[remote]\ntailscale_socket = \"{}\"\n\
             [state]\ndirectory = \"{}\"\n",
            self.node.socket().display(),
            self.folder.path().join("state").display(),
        );
        std::fs::write(self.folder.path().join("config.toml"), configuration).unwrap();
    }

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

    fn enroll_by_key(&self) -> (i32, Value) {
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

    /// What `doctor` says of the network, among much that is not there in a test.
    fn finding_of_doctor(&self) -> Value {
        let (_, report) = self.json(&["doctor"]);
        let mut findings = report["findings"].as_array().unwrap().iter();
        findings
            .find(|finding| finding["what"] == "remote")
            .unwrap_or_else(|| panic!("{report}"))
            .clone()
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
fn a_person_who_opens_the_link_enrolls_the_box_and_the_family_reaches_immich() {
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
fn a_terminal_shows_the_link_as_a_qr_code_too() {
    let Some(it) = test_box() else { return };
    let server = it.headscale.url();
    let command = it.command(&[
        "remote",
        "enroll",
        "--timeout",
        "90",
        "--login-server",
        server,
    ]);
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_str().unwrap())
        .collect();
    // `script` is a terminal; what it is given holds no character that a shell would take.
    let mut child = Command::new("script")
        .args([
            "--quiet",
            "--return",
            "--command",
            &words.join(" "),
            "/dev/null",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let link = lines
        .find(|line| line.trim().starts_with(&format!("{server}/register/")))
        .expect("a link");
    // Black on white, a row of half blocks each: the least code there is has 15 of them.
    let row = |line: &String| line.contains("\u{1b}[38;5;16;48;5;231m");
    let rows = lines.by_ref().skip_while(|line| !row(line)).take(15);
    assert_eq!(rows.filter(row).count(), 15);
    it.headscale.log_in(link.trim());
    let rest: Vec<_> = lines.collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
    assert_eq!(it.json(&["remote", "status"]).1["state"], "connected");
}

#[test]
fn a_locked_drive_leaves_ssh_and_nothing_of_immich() {
    let Some(it) = test_box() else { return };
    let locked = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = locked.local_addr().unwrap();
    drop(locked);
    // Enrolled while Immich runs nowhere, as at the first boot.
    it.configure(&format!("http://{nobody}"));
    assert_eq!(it.enroll_by_key().0, 0);
    let status = it.json(&["remote", "status"]).1;
    assert_eq!(status["immich"], "http://immich.family.test");

    let (phone, ssh) = (it.phone(), WebServer::start("the box's SSH"));
    let port = ssh.url().rsplit(':').next().unwrap().to_owned();
    let ssh = format!("http://immich.family.test:{port}/");
    let answers = || {
        phone
            .get(&ssh)
            .is_ok_and(|answer| answer.body == "the box's SSH")
    };
    until("SSH answers", answers);
    let immich = phone.get("http://immich.family.test/").unwrap();
    assert_eq!((immich.status, immich.body.as_str()), (502, ""));

    // Unlocked and started, it answers without another word to tailscaled.
    let immich = WebServer::start_at(nobody, "the family's photos");
    until("the phone reaches Immich", || reaches_immich(&phone));
    assert!(immich.asked() > 0);
}

#[test]
fn disable_cuts_the_family_off_and_enroll_brings_it_back_without_a_login() {
    let Some(it) = test_box() else { return };
    let (code, enrolled) = it.enroll_by_key();
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

    // And as a systemd credential, as at the first boot.
    assert_eq!(it.json(&["remote", "disable", "--forget"]).0, 0);
    let credential = it.folder.path().join("immich-appliance.tailscale-auth-key");
    std::fs::copy(it.key_file("1h"), credential).unwrap();
    let output = it
        .command(&["--no-input", "remote", "enroll"])
        .args(["--login-server", it.headscale.url()])
        .env("CREDENTIALS_DIRECTORY", it.folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn what_goes_wrong_says_what_to_do() {
    let Some(mut it) = test_box() else { return };
    let server = it.headscale.url().to_owned();
    let enroll = ["remote", "enroll", "--login-server"];

    // Nobody is there who could log in.
    let (code, error) = it.json(&[&enroll[..], &[&server]].concat());
    assert_eq!(code, 2, "{error}");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("{server}/register/")),
        "{message}"
    );
    assert!(
        error["error"]["help"]
            .as_str()
            .unwrap()
            .contains("--auth-key-file")
    );

    // A key of yesterday.
    let key = it.key_file("1s");
    std::thread::sleep(Duration::from_millis(1500));
    let key = ["--auth-key-file", key.to_str().unwrap()];
    let (code, error) = it.json(&[&enroll[..], &[&server], &key].concat());
    assert_eq!(code, 1, "{error}");
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("expired")
    );
    assert!(
        error["error"]["help"]
            .as_str()
            .unwrap()
            .contains("new auth key")
    );

    // A server that is none.
    let wrong = it.immich.url();
    let (code, error) = it.json(&[&enroll[..], &[&wrong], &key].concat());
    assert_eq!(code, 1, "{error}");
    assert!(error["error"]["message"].as_str().unwrap().contains(&wrong));
    assert!(
        error["error"]["help"]
            .as_str()
            .unwrap()
            .contains("--login-server")
    );

    // What is typed wrong is known before anything is asked, and so is a key in an argument.
    let argument = ["remote", "enroll", "--auth-key=tskey-auth-0123"];
    assert_eq!(it.run(&argument).status.code(), Some(2));
    assert_eq!(it.json(&["remote", "enroll", "--hostname", "a b"]).0, 2);
    let two = [&key[..], &["--auth-key-fd", "0"]].concat();
    assert_eq!(
        it.run(&[&["remote", "enroll"], &two[..]].concat())
            .status
            .code(),
        Some(2)
    );

    // Enrolled with one, asked for another.
    assert_eq!(it.enroll_by_key().0, 0);
    let (code, error) = it.json(&[&enroll[..], &["https://other.example"]].concat());
    assert_eq!(code, 9, "{error}");
    assert!(
        error["error"]["help"]
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
        error["error"]["help"]
            .as_str()
            .unwrap()
            .contains("systemctl start tailscaled")
    );
}

#[test]
fn a_refused_key_of_the_card_is_erased_and_said_and_a_server_that_is_silent_spares_it() {
    use std::os::unix::fs::OpenOptionsExt;
    let Some(it) = test_box() else { return };
    let state = it.folder.path().join("state");
    std::fs::create_dir_all(&state).unwrap();
    let key = state.join("tailscale-auth-key");
    let put = |text: &str| {
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&key)
            .unwrap();
        writeln!(file, "{text}").unwrap();
    };
    let server = |address: &str| std::fs::write(state.join("tailscale-login-server"), address);

    put(&it.headscale.auth_key("1h"));
    server("http://127.0.0.1:9").unwrap();
    let output = it.run(&["--no-input", "remote", "enroll"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(key.exists(), "{}", said(&output));

    put("0123456789abcdef");
    server(it.headscale.url()).unwrap();
    let output = it.run(&["--no-input", "remote", "enroll"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        said(&output).contains("refused, and has been erased"),
        "{output:?}"
    );
    assert!(!key.exists());

    // It is not tried again: now a person is needed.
    assert_eq!(it.json(&["remote", "enroll"]).0, 2);

    // As the unit of the first boot hands it over.
    put("0123456789abcdef");
    let handed = ["--auth-key-file", key.to_str().unwrap()];
    it.run(&[&["--no-input", "remote", "enroll"], &handed[..]].concat());
    assert!(!key.exists());

    // A good one does its work, and goes as well.
    put(&it.headscale.auth_key("1h"));
    let (code, enrolled) = it.json(&["remote", "enroll"]);
    assert_eq!(code, 0, "{enrolled}");
    assert!(!key.exists());
}

#[test]
fn the_key_is_warned_of_before_it_expires_and_renewed_after() {
    let Some(it) = test_box() else { return };
    assert_eq!(it.enroll_by_key().0, 0);
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
    let notice = it.finding_of_doctor();
    assert_eq!(notice["verdict"], "notice");
    assert!(notice["detail"].as_str().unwrap().contains("in 5 days"));

    it.headscale.expire("immich", None);
    until("the key has expired", || {
        it.json(&["remote", "status"]).1["state"] == "key-expired"
    });
    let bad = it.finding_of_doctor();
    assert_eq!(bad["verdict"], "bad");
    assert_eq!(bad["help"], "immich-appliance remote enroll");
    assert_eq!(it.json(&["remote", "status", "--alarm"]).0, 1);

    let (code, enrolled) = it.enroll_by_key();
    assert_eq!(
        (code, &enrolled["state"]),
        (0, &"connected".into()),
        "{enrolled}"
    );
    assert_eq!(it.json(&["remote", "status", "--alarm"]).0, 0);
}
