//! `fetch`: by name, signed, and taken up again where it broke off.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use common::images::{MIB, noise};
use common::{done, refused, release, text};
use tempfile::TempDir;

/// A web server over a folder that breaks off each answer after so many bytes, and writes down
/// from where it was asked to go on.
struct Server {
    url: String,
    ranges: Arc<Mutex<Vec<u64>>>,
}

impl Server {
    fn start(folder: PathBuf, breaks_after: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&ranges);
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &folder, breaks_after, &seen);
            }
        });
        Self { url, ranges }
    }
}

fn answer(
    mut stream: TcpStream,
    folder: &Path,
    breaks_after: usize,
    seen: &Mutex<Vec<u64>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let name = first.split(' ').nth(1).unwrap_or("/")[1..].to_owned();
    let mut from = 0;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
    }
    let Ok(bytes) = fs::read(folder.join(&name)) else {
        return write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        );
    };
    if name.ends_with(".zst") {
        seen.lock().unwrap().push(from);
    }
    let rest = &bytes[(from as usize).min(bytes.len())..];
    let status = if from > 0 {
        format!(
            "206 Partial Content\r\nContent-Range: bytes {from}-{}/{}",
            bytes.len() - 1,
            bytes.len()
        )
    } else {
        "200 OK".to_owned()
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        rest.len()
    )?;
    stream.write_all(&rest[..rest.len().min(breaks_after)])
}

/// A release with two images, and its public key.
fn a_release() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let images = ["box-1.0-rpi4.img.zst", "box-1.0-rpi5.img.zst"].map(|name| {
        let path = folder.path().join(name);
        fs::write(&path, noise(name.len() as u64 + 3, 3 * MIB as usize + 17)).unwrap();
        path
    });
    let key = release(folder.path(), &[&images[0], &images[1]]);
    (folder, key)
}

#[test]
fn an_image_is_fetched_by_a_part_of_its_name_over_a_line_that_breaks_off() {
    let (folder, key) = a_release();
    let server = Server::start(folder.path().to_owned(), MIB as usize);
    let to = tempfile::tempdir().unwrap();
    let release = ["--release", &server.url, "--public-key", &key];
    let listed = done(&[&["fetch"][..], &release].concat());
    assert_eq!(listed["images"].as_array().unwrap().len(), 2);

    let fetch = [&["fetch", "rpi4", "--to", text(to.path())][..], &release].concat();
    let fetched = done(&fetch);
    let path = to.path().join("box-1.0-rpi4.img.zst");
    assert_eq!(fetched["path"], text(&path));
    let original = fs::read(folder.path().join("box-1.0-rpi4.img.zst")).unwrap();
    assert!(fs::read(&path).unwrap() == original);
    let ranges = server.ranges.lock().unwrap().clone();
    assert!(ranges.len() >= 4, "{ranges:?}");
    assert!(
        ranges.windows(2).all(|pair| pair[0] < pair[1]),
        "nothing was fetched twice: {ranges:?}"
    );
    // The sums came along, so that flash can check for itself.
    assert!(to.path().join("SHA256SUMS.minisig").exists());
    // What is here already is not fetched again.
    done(&fetch);
    assert_eq!(*server.ranges.lock().unwrap(), ranges);
}

#[test]
fn what_an_earlier_run_left_is_gone_on_with_or_begun_anew_if_it_is_of_another_file() {
    let (folder, key) = a_release();
    let name = "box-1.0-rpi5.img.zst";
    let original = fs::read(folder.path().join(name)).unwrap();
    for (left, from) in [
        (original[..2 * MIB as usize].to_vec(), 2 * MIB),
        (noise(77, MIB as usize), MIB),
    ] {
        let server = Server::start(folder.path().to_owned(), usize::MAX);
        let to = tempfile::tempdir().unwrap();
        fs::write(to.path().join(format!("{name}.part")), left).unwrap();
        done(&[
            "fetch",
            name,
            "--to",
            text(to.path()),
            "--release",
            &server.url,
            "--public-key",
            &key,
        ]);
        assert!(fs::read(to.path().join(name)).unwrap() == original);
        assert_eq!(server.ranges.lock().unwrap()[0], from);
    }
}

#[test]
fn what_is_not_signed_not_there_or_ambiguous_is_refused() {
    let (folder, key) = a_release();
    let server = Server::start(folder.path().to_owned(), usize::MAX);
    let to = tempfile::tempdir().unwrap();
    let fetch = |exit: i32, name: &str, key: &str| {
        let url = &server.url;
        refused(
            exit,
            &[
                "fetch",
                name,
                "--to",
                text(to.path()),
                "--release",
                url,
                "--public-key",
                key,
            ],
        )
    };
    assert!(fetch(2, "rpi", &key).contains("more than one"));
    assert!(fetch(2, "rpi9", &key).contains("no image"));
    let (_other, stranger) = a_release();
    assert!(fetch(12, "rpi4", &stranger).contains("signature"));

    // A release that is signed in another way, or not at all.
    let signature = folder.path().join("SHA256SUMS.minisig");
    let kept = fs::read(&signature).unwrap();
    fs::rename(&signature, folder.path().join("SHA256SUMS.sigstore.json")).unwrap();
    let said = fetch(12, "rpi4", &key);
    assert!(said.contains("is not signed with minisign"), "{said}");
    assert!(said.contains("--unsigned"), "{said}");
    fs::write(
        &signature,
        "{\"mediaType\": \"application/vnd.dev.sigstore.bundle\"}",
    )
    .unwrap();
    assert!(fetch(12, "rpi4", &key).contains("signature"));
    fs::write(&signature, kept).unwrap();

    // The image was changed on the server.
    let path = folder.path().join("box-1.0-rpi4.img.zst");
    let mut bytes = fs::read(&path).unwrap();
    bytes[5] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(fetch(12, "rpi4", &key).contains("is not what was released"));
    fs::remove_file(folder.path().join("SHA256SUMS")).unwrap();
    assert!(fetch(1, "rpi4", &key).contains("there is no"));
    assert_eq!(
        fs::read_dir(to.path()).unwrap().count(),
        0,
        "nothing is left"
    );
    assert!(refused(2, &["fetch", "rpi4", "--unsigned"]).contains("--release"));
}
