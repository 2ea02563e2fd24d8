//! A repository in an S3 bucket, over opendal.
//!
//! rustic_backend's own opendal backend is not used: it takes a listing that breaks off for the
//! whole (a server that stops looks like a repository without keys), never times out, and builds
//! twenty-five services to use one.

mod answer;

use std::future::Future;
use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use opendal::options::{ListOptions, ReadOptions};
use opendal::services::S3;
use opendal::{HttpTransporter, OperationContext, Operator};
use opendal_http_transport_reqwest::ReqwestTransport;
use rustic_core::{BytesList, FileType, Id};
use secrecy::ExposeSecret;
use tokio::runtime::Runtime;

use super::{Fault, FaultKind, Storage};
use crate::location::S3Location;
use crate::target::Credentials;

/// How long one request without a body may take.
const REQUEST: Duration = Duration::from_secs(30);
/// The slowest line that still counts as working, in bytes per second: a body may take as long as
/// this needs, on top of [`REQUEST`]. A line that is cut is noticed much sooner, see [`client`].
const SLOWEST: u32 = 32 * 1024;
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Bucket {
    operator: Operator,
    /// The region that requests are signed for.
    region: String,
    runtime: Runtime,
    patience: Duration,
}

impl Bucket {
    /// `patience`: for how long a request that fails is repeated.
    pub(super) fn new(
        location: &S3Location,
        credentials: Option<&Credentials>,
        patience: Duration,
    ) -> Result<Self, Fault> {
        let Some(credentials) = credentials else {
            return Err(Fault::new(FaultKind::Denied, "no access key is given"));
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("s3")
            .enable_all()
            .build()
            .map_err(|error| Fault::new(FaultKind::Unreachable, error.to_string()))?;
        // Nothing but what is given here: no AWS_* variables, no ~/.aws, no metadata service.
        let builder = S3::default()
            .endpoint(&location.endpoint)
            .region(&location.region)
            .bucket(&location.bucket)
            .root(&format!("/{}", location.prefix))
            .access_key_id(&credentials.access_key_id)
            .secret_access_key(credentials.secret_access_key.expose_secret())
            // A bucket with Object Lock takes nothing without; every S3 server knows this one.
            .checksum_algorithm("md5")
            .disable_config_load()
            .disable_ec2_metadata();
        let operator =
            Operator::new(builder).map_err(|error| answer::fault(&error, &location.region))?;
        let transport = HttpTransporter::new(ReqwestTransport::new(client()?));
        let context = OperationContext::new().with_http_transport(transport);
        Ok(Self {
            operator: operator.with_context(context),
            region: location.region.clone(),
            runtime,
            patience,
        })
    }

    /// Carries out a request, again and again if it fails for a passing reason. All requests here
    /// can be repeated safely. `bytes` is how much the request moves.
    fn request<T, F>(&self, bytes: usize, make: impl Fn() -> F) -> Result<T, Fault>
    where
        F: Future<Output = opendal::Result<T>>,
    {
        let body = u32::try_from(bytes).unwrap_or(u32::MAX) / SLOWEST;
        let limit = REQUEST.min(self.patience) + Duration::from_secs(body.into());
        self.runtime.block_on(async {
            let begin = Instant::now();
            let mut wait = Duration::from_secs(1);
            loop {
                let failure = match tokio::time::timeout(limit, make()).await {
                    Ok(Ok(value)) => return Ok(value),
                    Ok(Err(error)) if !error.is_temporary() => {
                        return Err(answer::fault(&error, &self.region));
                    }
                    Ok(Err(error)) => answer::fault(&error, &self.region),
                    Err(_) => {
                        let cause = format!("no answer within {} seconds", limit.as_secs());
                        Fault::new(FaultKind::Unreachable, cause)
                    }
                };
                // A certificate does not become valid by asking again.
                if failure.kind == FaultKind::Certificate || begin.elapsed() + wait > self.patience
                {
                    return Err(failure);
                }
                tracing::warn!("the backup server fails ({failure}), trying again in {wait:?}");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        })
    }
}

/// The HTTP client: notices within half a minute that the other side is gone, however long a
/// request that makes progress takes.
fn client() -> Result<reqwest::Client, Fault> {
    // Already installed is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .tcp_user_timeout(Duration::from_secs(30))
        .tcp_keepalive(Duration::from_secs(15))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| Fault::new(FaultKind::Unreachable, answer::deepest(&error)))
}

fn path(tpe: FileType, id: &Id) -> String {
    let hex = id.to_hex();
    let hex = hex.as_str();
    match tpe {
        FileType::Config => "config".to_owned(),
        FileType::Pack => format!("data/{}/{hex}", hex.get(..2).unwrap_or_default()),
        _ => format!("{}/{hex}", tpe.dirname()),
    }
}

impl Storage for Bucket {
    fn list(&self, tpe: FileType) -> Result<Vec<(Id, u32)>, Fault> {
        let size =
            |meta: &opendal::Metadata| u32::try_from(meta.content_length()).unwrap_or(u32::MAX);
        if tpe == FileType::Config {
            let found = self.request(0, || async {
                match self.operator.stat("config").await {
                    Ok(meta) => Ok(Some(size(&meta))),
                    Err(error) if error.kind() == opendal::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                }
            });
            return match found {
                Ok(Some(size)) => Ok(vec![(Id::default(), size)]),
                // A missing bucket answers alike; a listing tells the difference.
                Ok(None) => self.list(FileType::Key).map(|_| Vec::new()),
                // Asked for one file, the server gives no reason; asked for a list, it does.
                Err(fault) if fault.kind == FaultKind::Denied || answer::is_wordless(&fault) => {
                    self.list(FileType::Key).and(Err(fault))
                }
                Err(fault) => Err(fault),
            };
        }
        let folder = format!("{}/", tpe.dirname());
        let options = ListOptions {
            recursive: true,
            ..ListOptions::default()
        };
        // A thousand entries a request and some seconds each: the limit is for all of them.
        let entries = self
            .request(64 * 1024 * 1024, || {
                self.operator.list_options(&folder, options.clone())
            })
            .map_err(|fault| match fault.kind {
                // S3 lists what is not there as nothing.
                FaultKind::File => Fault::new(
                    FaultKind::Unreachable,
                    format!("what answers there is no S3 server ({})", fault.cause),
                ),
                FaultKind::Denied if fault.cause.contains("AccessDenied") => {
                    Fault::new(FaultKind::MayNotList, fault.cause)
                }
                _ => fault,
            })?;
        Ok(entries
            .iter()
            .filter(|entry| entry.metadata().is_file())
            .filter_map(|entry| Some((Id::parse_some(entry.name(), tpe)?, size(entry.metadata()))))
            .collect())
    }

    fn read(&self, tpe: FileType, id: &Id, range: Option<Range<u32>>) -> Result<Bytes, Fault> {
        let path = path(tpe, id);
        let length = range.as_ref().map(|range| range.len());
        let options = ReadOptions {
            range: match range {
                Some(range) => (u64::from(range.start)..u64::from(range.end)).into(),
                None => (..).into(),
            },
            ..ReadOptions::default()
        };
        let expected = length.unwrap_or(64 * 1024 * 1024);
        let content = self
            .request(expected, || {
                self.operator.read_options(&path, options.clone())
            })?
            .to_bytes();
        match length {
            Some(length) if content.len() != length => Err(Fault::new(
                FaultKind::File,
                format!("{} of {length} bytes are there", content.len()),
            )),
            _ => Ok(content),
        }
    }

    fn write(&self, tpe: FileType, id: &Id, content: BytesList) -> Result<(), Fault> {
        let path = path(tpe, id);
        let size = content.size();
        // One PUT: the object is there whole or not at all.
        let content = opendal::Buffer::from(content.into_vec());
        self.request(size, || self.operator.write(&path, content.clone()))
            .map(|_| ())
    }

    fn remove(&self, tpe: FileType, id: &Id) -> Result<(), Fault> {
        let path = path(tpe, id);
        self.request(0, || self.operator.delete(&path))
    }

    fn create(&self) -> Result<(), Fault> {
        // S3 has no folders. What can be found out before anything is written is the bucket.
        self.list(FileType::Key).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lie_where_restic_looks_for_them() {
        let id: Id = "03dc1178e4e54f69beaf35dd9d4256a5a600e9fa3452b9db80bd649938923e67"
            .parse()
            .unwrap();
        let hex = id.to_hex();
        assert_eq!(path(FileType::Config, &id), "config");
        assert_eq!(
            path(FileType::Pack, &id),
            format!("data/03/{}", hex.as_str())
        );
        assert_eq!(
            path(FileType::Snapshot, &id),
            format!("snapshots/{}", hex.as_str())
        );
    }
}
