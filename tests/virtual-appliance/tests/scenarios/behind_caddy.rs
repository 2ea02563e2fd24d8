//! Caddy in front of Immich: a film of 2 GB and a web socket pass, and nothing is open that was
//! not asked for.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read as _,
    os::unix::fs::FileExt as _,
    process::Command,
    time::Instant,
};

use Drive::{Locked, Running};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use virtual_appliance::{Disk, can_run, home::Home};

const NAME: &str = "immich.local";
/// As `services.immich-appliance.remote.caddy` writes it, for a name of the home network.
const CADDYFILE: &str = "immich.local {\n\ttls internal\n\treverse_proxy 127.0.0.1:2283\n}\n";
/// The certificate authority that Caddy makes for such a name.
const AUTHORITY: &str = "/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt";
/// More than a signed number of 32 bits holds.
const FILM: u64 = 2 << 30;

#[test]
#[ignore = "the film of 2 GB alone takes over four minutes on an emulated processor"]
fn a_film_of_2_gb_and_a_web_socket_pass_caddy_and_only_what_was_asked_is_open() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut home = Home::new("caddy")?;
    let disk = Disk::blank("PHOTOS", 5 << 10)?;
    home.appliance.plug(&disk)?;
    ensure!(
        open(&home)? == documented("at home", Locked)?,
        "before the drive"
    );

    home.create_drive(&disk)?;
    home.unlock_and_start()?;
    ensure!(
        open(&home)? == documented("at home", Running)?,
        "without Caddy"
    );

    let site = Site::before_immich(&mut home)?;
    ensure!(
        open(&home)? == documented("`remote.caddy`", Running)?,
        "with Caddy"
    );
    let past_caddy = home.immich()?.version();
    ensure!(past_caddy.is_err(), "Immich answers past Caddy");

    let token = site.sign_up()?;
    a_web_socket_passes(&home)?;
    a_film_passes(&home, &site, &token)?;

    // Locked, SSH and Caddy still answer, and nothing of Immich does.
    ensure!(home.run("lock")?.status == 0);
    let mut ping = site.curl("/api/server/ping");
    let locked = ping
        .args(["--output", "/dev/null", "--write-out", "%{http_code}"])
        .output()?;
    ensure!(locked.stdout == b"502", "{locked:?}");
    ensure!(
        open(&home)? == documented("`remote.caddy`", Locked)?,
        "locked, with Caddy"
    );
    Ok(())
}

/// Immich's address behind Caddy, opened from this host as from the family's computer.
struct Site {
    port: u16,
    folder: TempDir,
}

impl Site {
    fn before_immich(home: &mut Home) -> Result<Self> {
        let box_ = &mut home.appliance;
        box_.write("/etc/caddy/Caddyfile", CADDYFILE)?;
        box_.write(
            "/etc/systemd/system/immich-server.service.d/behind-caddy.conf",
            "[Service]\nEnvironment=IMMICH_HOST=127.0.0.1\n",
        )?;
        box_.sh("systemctl daemon-reload && systemctl start caddy")?;
        let port = box_.forward(443)?;
        // It is there a moment after Caddy started.
        let authority = box_.sh(&format!(
            "for _ in $(seq 60); do test -s {AUTHORITY} && break; sleep 1; done; cat {AUTHORITY}"
        ))?;
        ensure!(home.run("restart")?.status == 0);
        let site = Site {
            port,
            folder: tempfile::tempdir()?,
        };
        fs::write(site.folder.path().join("authority"), authority)?;
        let mut ping = site.curl("/api/server/ping");
        answer(ping.args(["--fail", "--retry", "30", "--retry-all-errors"]))?;
        Ok(site)
    }

    /// The box has the name that mDNS would give it.
    fn curl(&self, path: &str) -> Command {
        let mut curl = Command::new("curl");
        // By HTTP/1.1: less work for an emulated processor.
        curl.args(["--silent", "--show-error", "--http1.1", "--resolve"])
            .arg(format!("{NAME}:{}:127.0.0.1", self.port))
            .arg("--cacert")
            .arg(self.folder.path().join("authority"))
            .arg(format!("https://{NAME}:{}{path}", self.port));
        curl
    }

    fn sign_up(&self) -> Result<String> {
        let person =
            r#"{"email":"family@example.com","password":"immich password","name":"Family"}"#;
        let post = |path| {
            let mut curl = self.curl(path);
            curl.args(["--fail", "--json", person]);
            answer(&mut curl)
        };
        post("/api/auth/admin-sign-up")?;
        let login = post("/api/auth/login")?;
        let token = login["accessToken"].as_str().context("a token")?;
        Ok(format!("Authorization: Bearer {token}"))
    }
}

fn answer(curl: &mut Command) -> Result<Value> {
    let output = curl.output().context("running curl")?;
    ensure!(output.status.success(), "{curl:?}: {output:?}");
    serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))
}

fn a_film_passes(home: &Home, site: &Site, token: &str) -> Result<()> {
    // Sparse, but for its ends; in what is sent and encrypted, holes are bytes like others.
    let path = site.folder.path().join("film.mp4");
    let film = File::create(&path)?;
    film.set_len(FILM)?;
    let mut end = [0; 4096];
    File::open("/dev/urandom")?.read_exact(&mut end)?;
    film.write_all_at(&end, 0)?;
    film.write_all_at(&end, FILM - 4096)?;

    let mut upload = site.curl("/api/assets");
    upload.args(["--fail", "--header", token]);
    for field in [
        "deviceAssetId=film",
        "deviceId=phone",
        "fileCreatedAt=2026-01-01T00:00:00.000Z",
        "fileModifiedAt=2026-01-01T00:00:00.000Z",
    ] {
        upload.args(["--form", field]);
    }
    upload
        .arg("--form")
        .arg(format!("assetData=@{}", path.display()));
    let begin = Instant::now();
    let created = answer(&mut upload)?;
    println!("the film took {} s", begin.elapsed().as_secs());
    ensure!(created["status"] == "created", "{created}");

    // Immich's sum is of the bytes that it received.
    let id = created["id"].as_str().context("an ID")?;
    let mut look = site.curl(&format!("/api/assets/{id}"));
    let asset = answer(look.args(["--fail", "--header", token]))?;
    let received = home.appliance.sh(&format!(
        "echo {} | base64 --decode | od -An -v -tx1 | tr -d ' \\n'",
        asset["checksum"].as_str().context("a checksum")?
    ))?;
    let sum = Command::new("sha1sum").arg(&path).output()?;
    let sent = String::from_utf8(sum.stdout)?;
    ensure!(
        received.len() == 40 && sent.starts_with(&received),
        "{received} is not of {sent}"
    );
    let stored = home
        .appliance
        .sh("find /mnt/immich_drive/immich_data/upload -name '*.mp4' -printf %s")?;
    ensure!(stored == FILM.to_string(), "{stored}");
    Ok(())
}

/// The handshake, a frame of the client ("40", with a mask of zeros), and the server's frames.
/// Nobody closes the connection, so the client is stopped.
fn a_web_socket_passes(home: &Home) -> Result<()> {
    let heard = home.appliance.sh(
        r"( printf 'GET /api/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n'
            printf 'Host: immich.local\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
            printf 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
            printf 'Sec-WebSocket-Version: 13\r\n\r\n'
            sleep 5; printf '\201\202\0\0\0\00040'; sleep 5 ) |
          timeout 40 openssl s_client -quiet -connect 127.0.0.1:443 -servername immich.local 2>/dev/null |
          tr -c '[:print:]\n' '.'",
    )?;
    ensure!(heard.starts_with("HTTP/1.1 101"), "{heard}");
    // The key's answer, as RFC 6455 gives it for this key.
    ensure!(heard.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{heard}");
    ensure!(heard.contains("pingInterval"), "{heard}");
    ensure!(heard.contains("on_server_version"), "{heard}");
    Ok(())
}

/// What this machine answers at to others than itself.
fn open(home: &Home) -> Result<BTreeSet<String>> {
    let listed = home
        .appliance
        .sh("ss --no-header --listening --tcp --udp --numeric")?;
    let mut open = BTreeSet::new();
    for line in listed.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let (kind, local) = (words[0], words[4]);
        let (address, port) = local.rsplit_once(':').context("an address")?;
        let itself = address.starts_with("127.") || address == "[::1]";
        if !itself {
            open.insert(format!("{port}/{kind}"));
        }
    }
    Ok(open)
}

#[derive(Clone, Copy)]
enum Drive {
    Locked,
    Running,
}

/// What the reference says of a combination, but for mDNS, which this machine does not do.
fn documented(combination: &str, drive: Drive) -> Result<BTreeSet<String>> {
    let page = include_str!("../../../../docs/reference/listeners.md");
    let row = page
        .lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .find(|row| row.get(1) == Some(&combination) && row.len() == 6)
        .with_context(|| format!("no row for {combination}"))?;
    let column = match drive {
        Locked => 3,
        Running => 4,
    };
    Ok(row[column]
        .split(' ')
        .map(|port| port.trim_matches('`').to_owned())
        .filter(|port| port != "5353/udp")
        .collect())
}
