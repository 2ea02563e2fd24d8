//! Receiving a release's image by name, going on where a transfer broke off.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::sums::{self, SIGNATURE, SUMS, Sum, SumError, Sums};
use crate::{CHUNK, Phase, Progress};

/// Longest list of sums and longest signature that is received. Bytes.
const SMALL: u64 = 1 << 20;

/// How often a transfer that breaks off is taken up again without having got any further.
const TRIES: u32 = 5;

/// Why an image was not received.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The server was not reached, or the connection broke off.
    #[error("cannot download {url}: {why}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        why: String,
    },
    /// The server has no such file.
    #[error("there is no {url} (HTTP status {status})")]
    Missing {
        /// What was asked for.
        url: String,
        /// The status of HTTP.
        status: u16,
    },
    /// The release has no signature of the kind that is checked here.
    #[error("the release is not signed with minisign: there is no {url}")]
    NotSigned {
        /// Where the signature would be.
        url: String,
    },
    /// What came is not what was released.
    #[error(transparent)]
    Sum(#[from] SumError),
    /// The file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A folder on a web server with a release's images, its sums and their signature.
#[derive(Debug)]
pub struct Release {
    base: String,
    agent: ureq::Agent,
}

impl Release {
    /// The release in this folder, such as
    /// `https://example.org/immich-appliance/releases/v1.0.0`.
    pub fn new(base: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .http_status_as_error(false)
            .build()
            .new_agent();
        Self {
            base: base.trim_end_matches('/').to_owned(),
            agent,
        }
    }

    /// The release's sums; with a key, only if their signature is right.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn sums(&self, key: Option<&str>) -> Result<Sums, FetchError> {
        let text = self.small(SUMS)?;
        if let Some(key) = key {
            let signature = self.small(SIGNATURE).map_err(|error| match error {
                FetchError::Missing { url, status: 404 } => FetchError::NotSigned { url },
                other => other,
            })?;
            sums::check_signature(key, &text, &String::from_utf8_lossy(&signature))?;
        }
        Ok(Sums::parse(&String::from_utf8_lossy(&text))?)
    }

    /// Puts the release's sums and, if there is one, their signature beside the images.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn keep_sums(&self, folder: &Path) -> Result<(), FetchError> {
        for name in [SUMS, SIGNATURE] {
            let text = match self.small(name) {
                Err(FetchError::Missing { .. }) if name == SIGNATURE => continue,
                other => other?,
            };
            let path = folder.join(name);
            appliance_files::write_durably(&path, &text, 0o644).map_err(|error| {
                FetchError::Write {
                    path,
                    source: error.source,
                }
            })?;
        }
        Ok(())
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }

    fn small(&self, name: &str) -> Result<Vec<u8>, FetchError> {
        let url = self.url(name);
        let unreachable = |why: String| FetchError::Unreachable {
            url: url.clone(),
            why,
        };
        let mut answer = self
            .agent
            .get(&url)
            .call()
            .map_err(|error| unreachable(error.to_string()))?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(FetchError::Missing { url, status });
        }
        answer
            .body_mut()
            .with_config()
            .limit(SMALL)
            .read_to_vec()
            .map_err(|error| unreachable(error.to_string()))
    }

    /// Receives `name` into `folder` and checks its sum. What an earlier try has brought is not
    /// fetched again; a file that is there already and right is not fetched at all.
    ///
    /// # Errors
    /// [`FetchError`]. What has come stays, under the name `NAME.part`, unless its sum is wrong.
    pub fn fetch(
        &self,
        name: &str,
        sum: &Sum,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<PathBuf, FetchError> {
        let path = folder.join(name);
        if path.exists() && sums::compare(name, &sum_of(&path)?, sum).is_ok() {
            return Ok(path);
        }
        let part = folder.join(format!("{name}.part"));
        let write = |path: &Path| {
            let path = path.to_owned();
            move |source| FetchError::Write { path, source }
        };
        let begun = fs::metadata(&part).is_ok_and(|metadata| metadata.len() > 0);
        self.receive_all(name, &part, progress)?;
        let mut found = sum_of(&part)?;
        if &found != sum && begun {
            // What was there may be of another release: once more, from its beginning.
            fs::remove_file(&part).map_err(write(&part))?;
            self.receive_all(name, &part, progress)?;
            found = sum_of(&part)?;
        }
        if let Err(error) = sums::compare(name, &found, sum) {
            fs::remove_file(&part).map_err(write(&part))?;
            return Err(error.into());
        }
        fs::rename(&part, &path).map_err(write(&path))?;
        appliance_files::sync_dir(if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        })
        .map_err(|error| FetchError::Write {
            path: path.clone(),
            source: error.source,
        })?;
        Ok(path)
    }

    fn receive_all(
        &self,
        name: &str,
        part: &Path,
        progress: &dyn Progress,
    ) -> Result<(), FetchError> {
        let mut tries = 0;
        let mut before = None;
        loop {
            match self.receive(name, part, progress) {
                Ok(()) => return Ok(()),
                Err(error @ FetchError::Unreachable { .. }) => {
                    let now = fs::metadata(part).map(|metadata| metadata.len()).ok();
                    tries = if now > before { 1 } else { tries + 1 };
                    before = now;
                    if tries >= TRIES {
                        return Err(error);
                    }
                    std::thread::sleep(Duration::from_millis(200 << tries));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One request, from where the file ends.
    fn receive(&self, name: &str, part: &Path, progress: &dyn Progress) -> Result<(), FetchError> {
        let url = self.url(name);
        let failed = |source| FetchError::Write {
            path: part.to_owned(),
            source,
        };
        let unreachable = |why: String| FetchError::Unreachable {
            url: url.clone(),
            why,
        };
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(part)
            .map_err(failed)?;
        let mut have = file.metadata().map_err(failed)?.len();
        let mut request = self.agent.get(&url);
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let mut answer = request
            .call()
            .map_err(|error| unreachable(error.to_string()))?;
        let header = |name: &str| -> Option<String> {
            Some(answer.headers().get(name)?.to_str().ok()?.to_owned())
        };
        let length = header("content-length").and_then(|length| length.parse::<u64>().ok());
        match answer.status().as_u16() {
            206 => {
                let from = header("content-range").and_then(|range| {
                    let (from, _) = range.strip_prefix("bytes ")?.split_once('-')?;
                    from.parse::<u64>().ok()
                });
                if from != Some(have) {
                    return Err(unreachable(
                        "the server sent another part of the file than was requested".into(),
                    ));
                }
            }
            // From the beginning: this server does not go on where one asks.
            200 => {
                file.set_len(0).map_err(failed)?;
                have = 0;
            }
            // Nothing after what is there: it is whole, or another file's; the sum tells.
            416 if have > 0 => return Ok(()),
            status @ (500.. | 408 | 429) => {
                return Err(unreachable(format!(
                    "the server answered with HTTP status {status}"
                )));
            }
            status => return Err(FetchError::Missing { url, status }),
        }
        progress.begin(Phase::Fetching, length.map(|length| length + have));
        progress.advance(have);
        let mut body = answer.body_mut().as_reader();
        let mut buffer = vec![0; CHUNK / 4];
        let mut received = 0;
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => {
                    progress.end();
                    return Err(unreachable(error.to_string()));
                }
            };
            file.write_all(&buffer[..count]).map_err(failed)?;
            received += count as u64;
            progress.advance(count as u64);
        }
        progress.end();
        file.sync_all().map_err(failed)?;
        if length.is_some_and(|length| received < length) {
            return Err(unreachable("the connection broke off".into()));
        }
        Ok(())
    }
}

fn sum_of(path: &Path) -> Result<Sum, FetchError> {
    let failed = |source| FetchError::Write {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(sum.finalize().into()),
            count => sum.update(&buffer[..count]),
        }
    }
}
