//! A repository in a bucket, on a real S3 server that can be stopped half way.
#![allow(clippy::unwrap_used, clippy::panic)] // in the helpers of the tests

mod common;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use appliance_backup::progress::{Phase, PhaseSink, ProgressSink, Silent};
use appliance_backup::restore::{self, RestoreOptions};
use appliance_backup::snapshot::{self, Filter};
use appliance_backup::{
    Address, Credentials, Error, Joined, OpenOptions, Repository, Target, check,
};
use common::{Box, PASSWORD, assert_same, noise, odd_things, options, ready, restic, run};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::runtime::Runtime;

const KEY: &str = "AKIDTEST";
const SECRET: &str = "a/secret+access=key";

/// A port below those the kernel gives to outgoing connections: one of these
/// could else take it while the server is stopped.
fn free_port() -> TcpListener {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 600).unwrap() * 16;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener;
        }
    }
}

/// An S3 server over a folder; stopping it cuts all connections.
#[derive(Debug)]
struct Server {
    runtime: Option<Runtime>,
    port: u16,
}

impl Server {
    /// `port` 0 takes any.
    fn start(root: &Path, port: u16) -> Self {
        let listener = if port == 0 {
            free_port()
        } else {
            TcpListener::bind(("127.0.0.1", port)).unwrap()
        };
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build();
        let runtime = Runtime::new().unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    let _ = builder
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        Self {
            runtime: Some(runtime),
            port,
        }
    }

    fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waits, so that the port is free for the next start.
            runtime.shutdown_timeout(Duration::from_secs(30));
        }
    }
}

/// A box whose repository is in a bucket.
struct Cloud {
    the_box: Box,
    server: Arc<Mutex<Server>>,
}

impl Cloud {
    fn new() -> Self {
        let the_box = Box::new();
        fs::create_dir_all(the_box.path("s3/photos")).unwrap();
        let server = Server::start(&the_box.path("s3"), 0);
        Self {
            the_box,
            server: Arc::new(Mutex::new(server)),
        }
    }

    fn port(&self) -> u16 {
        self.server.lock().unwrap().port
    }

    fn start_again(&self) {
        let port = self.port();
        *self.server.lock().unwrap() = Server::start(&self.the_box.path("s3"), port);
    }

    fn target(&self) -> Target {
        self.target_in("photos/box")
    }

    fn target_in(&self, bucket: &str) -> Target {
        Target {
            address: Address {
                location: format!("s3:http://127.0.0.1:{}/{bucket}", self.port())
                    .parse()
                    .unwrap(),
                credentials: Some(Credentials {
                    access_key_id: KEY.into(),
                    secret_access_key: SECRET.into(),
                }),
            },
            password: PASSWORD.into(),
        }
    }

    fn open(&self) -> Repository {
        ready(&self.the_box.path("s3/photos/box"));
        Repository::init_or_join(&self.target(), &options())
            .unwrap()
            .0
    }
}

#[test]
fn everything_goes_to_a_bucket_and_comes_back() {
    let cloud = Cloud::new();
    odd_things(&cloud.the_box);
    cloud.the_box.write_dump();
    let cached = OpenOptions {
        cache_dir: Some(cloud.the_box.path("cache")),
        ..options()
    };
    let target = cloud.target();
    assert!(!Repository::exists(&target, &cached).unwrap());
    let (repository, joined) = Repository::init_or_join(&target, &cached).unwrap();
    assert_eq!(joined, Joined::Created);
    let snapshot = snapshot::run(&repository, &cloud.the_box.plan())
        .unwrap()
        .snapshot;
    assert!(
        check::run(&repository, check::ReadData::All)
            .unwrap()
            .is_clean()
    );

    let (repository, joined) = Repository::init_or_join(&target, &cached).unwrap();
    assert_eq!(joined, Joined::Joined);
    let dest = cloud.the_box.path("restored");
    let found = snapshot::find(&repository, "latest").unwrap();
    assert_eq!(found, snapshot);
    restore::run(
        &repository,
        &found,
        &cloud.the_box.media(),
        &dest,
        &RestoreOptions::default(),
    )
    .unwrap();
    assert_same(&cloud.the_box.media(), &dest);
}

#[test]
fn restic_reads_the_bucket() {
    let Some(mut check) = restic() else { return };
    let cloud = Cloud::new();
    let photo = cloud.the_box.write("upload/photo.jpg", noise(1, 3_000_000));
    snapshot::run(&cloud.open(), &cloud.the_box.plan()).unwrap();

    // Checked as the folder behind the server: asked by restic for all packs, s3s-fs 0.14 takes
    // the empty delimiter for one and answers with none.
    let folder = cloud.the_box.path("s3/photos/box");
    let checked = run(check.arg("-r").arg(folder).args(["check", "--read-data"]));
    assert!(checked.contains("no errors were found"), "{checked}");

    let address = format!("s3:http://127.0.0.1:{}/photos/box", cloud.port());
    let dest = cloud.the_box.path("restored");
    let mut restore = restic().unwrap();
    restore
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    run(restore
        .args(["-r", &address, "restore", "latest", "--target"])
        .arg(&dest));
    let restored = dest.join(photo.strip_prefix("/").unwrap());
    assert!(fs::read(photo).unwrap() == fs::read(restored).unwrap());
}

#[test]
fn each_way_of_not_getting_in_is_told_apart_and_no_secret_with_it() {
    let cloud = Cloud::new();
    cloud.open();
    let wrong_secret = {
        let mut target = cloud.target();
        target.address.credentials = Some(Credentials {
            access_key_id: KEY.into(),
            secret_access_key: "hunter2hunter2".into(),
        });
        target
    };
    let wrong_key = {
        let mut target = cloud.target();
        target.address.credentials = Some(Credentials {
            access_key_id: "AKIDOTHER".into(),
            secret_access_key: SECRET.into(),
        });
        target
    };
    let no_bucket = cloud.target_in("nothing/box");
    let wrong_password = Target {
        password: "hunter2hunter2".into(),
        ..cloud.target()
    };
    let fails = |target: &Target| {
        let error = Repository::init_or_join(target, &options()).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(
            !text.contains("hunter2") && !text.contains(SECRET) && !text.contains('\n'),
            "{text}"
        );
        error
    };
    let error = fails(&wrong_secret);
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    let error = fails(&wrong_key);
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    let error = fails(&no_bucket);
    assert!(matches!(error, Error::NoBucket { .. }), "{error:?}");
    let error = fails(&wrong_password);
    assert!(matches!(error, Error::WrongPassword { .. }), "{error:?}");
    cloud.server.lock().unwrap().stop();
    let error = fails(&cloud.target());
    assert!(
        matches!(&error, Error::Unreachable { cause, .. } if cause.contains("refused")),
        "{error:?}"
    );
}

/// Stops the server when this many bytes have been read for the backup.
#[derive(Debug)]
struct Stopper {
    server: Arc<Mutex<Server>>,
    phase: &'static str,
    left: Mutex<u64>,
}

#[derive(Debug)]
struct StopperSink(Arc<Stopper>);

impl ProgressSink for StopperSink {
    fn start(&self, phase: &Phase) -> Arc<dyn PhaseSink> {
        if phase.name == self.0.phase {
            self.0.clone()
        } else {
            Arc::new(Silent)
        }
    }
}

impl PhaseSink for Stopper {
    fn set_total(&self, _total: u64) {}
    fn advance(&self, done: u64) {
        let mut left = self.left.lock().unwrap();
        *left = left.saturating_sub(done);
        if *left == 0 {
            self.server.lock().unwrap().stop();
        }
    }
    fn finish(&self) {}
}

impl Cloud {
    /// Opened so that the server stops in the midst of the next phase of that name.
    fn open_and_stop(&self, phase: &'static str, after: u64) -> Repository {
        let stopper = Stopper {
            server: Arc::clone(&self.server),
            phase,
            left: Mutex::new(after),
        };
        let options = OpenOptions {
            progress: Arc::new(StopperSink(Arc::new(stopper))),
            ..options()
        };
        Repository::open(&self.target(), &options).unwrap()
    }
}

#[test]
fn a_server_that_stops_half_way_fails_the_backup_and_the_next_one_succeeds() {
    let cloud = Cloud::new();
    cloud.the_box.write("upload/old.jpg", noise(1, 1_000_000));
    let old = snapshot::run(&cloud.open(), &cloud.the_box.plan())
        .unwrap()
        .snapshot;
    for film in 0..3 {
        cloud.the_box.write(
            &format!("upload/film {film}.mov"),
            noise(10 + film, 40_000_000),
        );
    }
    for after in [1, 60_000_000] {
        let error = snapshot::run(
            &cloud.open_and_stop("backing up", after),
            &cloud.the_box.plan(),
        )
        .unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        assert!(!error.to_string().contains('\n'), "{error}");
        cloud.start_again();
        let repository = cloud.open();
        assert_eq!(
            snapshot::list(&repository, &Filter::default()).unwrap(),
            std::slice::from_ref(&old)
        );
        assert!(
            check::run(&repository, check::ReadData::All)
                .unwrap()
                .is_clean()
        );
    }
    let next = snapshot::run(&cloud.open(), &cloud.the_box.plan()).unwrap();
    assert_eq!(next.bytes_processed, 121_000_000);
    assert!(
        check::run(&cloud.open(), check::ReadData::All)
            .unwrap()
            .is_clean()
    );
}

#[test]
fn a_server_that_stops_half_way_fails_the_restore_and_the_next_one_completes_it() {
    let cloud = Cloud::new();
    for film in 0..3 {
        cloud.the_box.write(
            &format!("upload/film {film}.mov"),
            noise(20 + film, 20_000_000),
        );
    }
    let snapshot = snapshot::run(&cloud.open(), &cloud.the_box.plan())
        .unwrap()
        .snapshot;
    let dest = cloud.the_box.path("restored");
    let restore = |repository: &Repository| {
        restore::run(
            repository,
            &snapshot,
            &cloud.the_box.media(),
            &dest,
            &RestoreOptions::default(),
        )
    };
    let error = restore(&cloud.open_and_stop("restoring", 20_000_000)).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    cloud.start_again();
    let report = restore(&cloud.open()).unwrap();
    assert_same(&cloud.the_box.media(), &dest);
    assert!(
        report.bytes_kept > 0 && report.bytes_restored < 60_000_000,
        "{report:?}"
    );
}

#[test]
fn a_server_that_stops_is_never_taken_for_damage_or_an_empty_repository() {
    let cloud = Cloud::new();
    cloud.the_box.write("upload/photo.jpg", noise(1, 1_000));
    let snapshot = snapshot::run(&cloud.open(), &cloud.the_box.plan())
        .unwrap()
        .snapshot;
    let stopped = || {
        cloud.start_again();
        let repository = cloud.open();
        cloud.server.lock().unwrap().stop();
        repository
    };
    cloud.server.lock().unwrap().stop();
    let errors = [
        snapshot::list(&stopped(), &Filter::default())
            .map(|_| ())
            .unwrap_err(),
        snapshot::find(&stopped(), &snapshot.id)
            .map(|_| ())
            .unwrap_err(),
        snapshot::ls(&stopped(), &snapshot, Path::new("/"))
            .map(|_| ())
            .unwrap_err(),
        check::run(&stopped(), check::ReadData::No)
            .map(|_| ())
            .unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    }
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let the_box = Box::new();
    // Connections are taken by the kernel; nobody ever reads from them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut target = the_box.target();
    let address = format!("s3:http://{}/photos", listener.local_addr().unwrap());
    target.address.location = address.parse().unwrap();
    target.address.credentials = Some(Credentials {
        access_key_id: KEY.into(),
        secret_access_key: SECRET.into(),
    });
    let error = Repository::open(&target, &options()).unwrap_err();
    assert!(
        matches!(&error, Error::Unreachable { cause, .. } if cause.contains("no answer")),
        "{error:?}"
    );
}

#[test]
fn a_web_server_is_not_taken_for_a_damaged_repository() {
    use std::io::{Read, Write};
    let the_box = Box::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut target = the_box.target();
    let address = format!("s3:http://{}/photos", listener.local_addr().unwrap());
    target.address.location = address.parse().unwrap();
    target.address.credentials = Some(Credentials {
        access_key_id: KEY.into(),
        secret_access_key: SECRET.into(),
    });
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let _ = socket.read(&mut [0; 4096]);
            let answer =
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = socket.write_all(answer);
        }
    });
    let error = Repository::init_or_join(&target, &options()).unwrap_err();
    assert!(
        matches!(&error, Error::Unreachable { cause, .. } if cause.contains("no S3 server")),
        "{error:?}"
    );
}

#[test]
fn a_cache_damaged_by_a_power_cut_is_dropped() {
    let cloud = Cloud::new();
    cloud.the_box.write("upload/photo.jpg", noise(1, 1_000));
    cloud.the_box.write_dump();
    let cache = cloud.the_box.path("cache");
    let cached = OpenOptions {
        cache_dir: Some(cache.clone()),
        ..options()
    };
    let (repository, _) = Repository::init_or_join(&cloud.target(), &cached).unwrap();
    let snapshot = snapshot::run(&repository, &cloud.the_box.plan())
        .unwrap()
        .snapshot;
    // Every cached file has its length and no content.
    let mut emptied = 0;
    let mut folders = vec![cache];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap().len() == 64 {
                let length = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
                fs::write(&path, vec![0; length]).unwrap();
                emptied += 1;
            }
        }
    }
    assert!(emptied >= 3);
    let repository = Repository::open(&cloud.target(), &cached).unwrap();
    assert_eq!(
        snapshot::ls(&repository, &snapshot, &cloud.the_box.media())
            .unwrap()
            .len(),
        4
    );
    assert_eq!(snapshot::find(&repository, "latest").unwrap(), snapshot);
}
