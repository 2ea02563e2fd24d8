//! The control server, with its own relay.

use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::Programs;
use crate::process::Process;
use crate::web::get;

/// The one user of the tailnet.
const USER: &str = "family";

/// A running headscale with the user `family` and an empty tailnet `family.test`.
#[derive(Debug)]
pub struct Headscale {
    program: PathBuf,
    configuration: PathBuf,
    url: String,
    _process: Process,
    _folder: TempDir,
}

impl Headscale {
    /// Starts it and waits until it answers.
    #[must_use]
    pub fn start(programs: &Programs) -> Self {
        let folder = tempfile::tempdir().expect("making a folder");
        let [port, grpc] = free_tcp_ports();
        let stun = UdpSocket::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let url = format!("http://127.0.0.1:{port}");
        let configuration = folder.path().join("headscale.yaml");
        let at = folder.path().display();
        let policy = folder.path().join("policy.json");
        std::fs::write(
            &policy,
            r#"{"tagOwners": {"tag:photos": ["family@"]},
                "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]}"#,
        )
        .expect("writing the policy");
        let settings = format!(
            r#"
server_url: {url}
listen_addr: 127.0.0.1:{port}
metrics_listen_addr: ""
grpc_listen_addr: 127.0.0.1:{grpc}
noise: {{ private_key_path: {at}/noise.key }}
prefixes: {{ v4: 100.64.0.0/10, v6: "fd7a:115c:a1e0::/48", allocation: sequential }}
derp:
  server:
    enabled: true
    region_id: 999
    region_code: test
    region_name: test
    verify_clients: true
    stun_listen_addr: "127.0.0.1:{stun}"
    private_key_path: {at}/derp.key
    automatically_add_embedded_derp_region: true
    ipv4: 127.0.0.1
  urls: []
  paths: []
  auto_update_enabled: false
disable_check_updates: true
database: {{ type: sqlite, sqlite: {{ path: {at}/db.sqlite, write_ahead_log: true }} }}
log: {{ level: info, format: text }}
policy: {{ mode: file, path: {policy} }}
dns:
  magic_dns: true
  base_domain: family.test
  override_local_dns: false
  nameservers: {{ global: [] }}
unix_socket: {at}/headscale.sock
unix_socket_permission: "0700"
logtail: {{ enabled: false }}
"#,
            policy = policy.display(),
        );
        std::fs::write(&configuration, settings).expect("writing the configuration");
        let program = programs.program("headscale");
        let mut process = Process::start(
            Command::new(&program)
                .args(["serve", "-c"])
                .arg(&configuration),
            &folder.path().join("log"),
        );
        let health = format!("{url}/health");
        process.until("headscale answers", |_| {
            get(&health, None)
                .ok()
                .filter(|answer| answer.status == 200)
        });
        let headscale = Self {
            program,
            configuration,
            url,
            _process: process,
            _folder: folder,
        };
        headscale.run(&["users", "create", USER]);
        headscale
    }

    /// Its address, for `--login-server`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A new auth key that is good for so long: "1h".
    #[must_use]
    pub fn auth_key(&self, good_for: &str) -> String {
        let user = self.run(&["users", "list", "-o", "json"]);
        let user: serde_json::Value = serde_json::from_str(&user).expect("users");
        let user = user[0]["id"].to_string();
        let key = self.run(&[
            "preauthkeys",
            "create",
            "-u",
            &user,
            "-e",
            good_for,
            "-o",
            "json",
        ]);
        let key: serde_json::Value = serde_json::from_str(&key).expect("a key");
        key["key"].as_str().expect("a key").to_owned()
    }

    /// Does what a person does who opens the link and signs in.
    pub fn log_in(&self, link: &str) {
        let id = link.rsplit('/').next().expect("a link");
        self.run(&["nodes", "register", "-u", USER, "-k", id]);
    }

    /// Lets a machine's key expire at a time ("2030-01-02T03:04:05Z"), or now.
    pub fn expire(&self, hostname: &str, when: Option<&str>) {
        let id = self.node(hostname)["id"].to_string();
        let mut arguments = vec!["nodes", "expire", "-i", &id];
        arguments.extend(when.map(|when| ["-e", when]).into_iter().flatten());
        self.run(&arguments);
    }

    /// A machine of the tailnet, as headscale has it.
    #[must_use]
    pub fn node(&self, hostname: &str) -> serde_json::Value {
        self.nodes()
            .into_iter()
            .find(|node| node["given_name"] == hostname)
            .unwrap_or_else(|| panic!("{hostname} is not in the tailnet"))
    }

    /// All machines of the tailnet.
    #[must_use]
    pub fn nodes(&self) -> Vec<serde_json::Value> {
        let nodes = self.run(&["nodes", "list", "-o", "json"]);
        // Nothing is null here, too.
        serde_json::from_str::<Option<_>>(&nodes)
            .expect("nodes")
            .unwrap_or_default()
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.program)
            .arg("-c")
            .arg(&self.configuration)
            .args(arguments)
            .output()
            .expect("running headscale");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }
}

/// Ports that are free now; both are held until both are known.
fn free_tcp_ports() -> [u16; 2] {
    let listeners = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("its port").port())
}
