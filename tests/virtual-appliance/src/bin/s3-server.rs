//! The S3 server for the virtual appliance: `s3s-fs` over a folder.
//!
//! Its keys come from the environment (`S3_ACCESS_KEY`, `S3_SECRET_KEY`); once
//! it listens, on 127.0.0.1 only, it writes its port to standard output.

use std::{env, net::Ipv4Addr, path::PathBuf};

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{
    S3Request, S3Result,
    access::S3Access,
    auth::SimpleAuth,
    dto::{ListObjectsInput, ListObjectsV2Input},
    service::S3ServiceBuilder,
};
use tokio::net::TcpListener;

/// An S3 server over a folder, for tests.
#[derive(Parser)]
struct Arguments {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The folder that holds a folder for each bucket.
    folder: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let key = |name| env::var(name).with_context(|| format!("{name} is not set"));
    let files = s3s_fs::FileSystem::new(&arguments.folder)
        .map_err(|error| anyhow!("cannot serve {}: {error:?}", arguments.folder.display()))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(
        key("S3_ACCESS_KEY")?,
        key("S3_SECRET_KEY")?,
    ));
    builder.set_access(EmptyMeansNone);
    let service = builder.build();

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port))
        .await
        .with_context(|| format!("cannot listen on port {}", arguments.port))?;
    println!("{}", listener.local_addr()?.port());

    let http = Builder::new(TokioExecutor::new());
    loop {
        let (socket, _) = listener.accept().await?;
        let connection = http.serve_connection(TokioIo::new(socket), service.clone());
        // A client that hangs up is no news.
        tokio::spawn(connection.into_owned());
    }
}

/// `delimiter=` without a value means no delimiter, as Amazon's S3 has it and
/// restic relies on; `s3s-fs` takes it for a delimiter that is everywhere. The
/// access check is where a request can still be put right.
struct EmptyMeansNone;

#[async_trait::async_trait]
impl S3Access for EmptyMeansNone {
    async fn list_objects(&self, request: &mut S3Request<ListObjectsInput>) -> S3Result<()> {
        request
            .input
            .delimiter
            .take_if(|delimiter| delimiter.is_empty());
        Ok(())
    }

    async fn list_objects_v2(&self, request: &mut S3Request<ListObjectsV2Input>) -> S3Result<()> {
        request
            .input
            .delimiter
            .take_if(|delimiter| delimiter.is_empty());
        Ok(())
    }
}
