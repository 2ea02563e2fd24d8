use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::settings::RedisAddress;

/// Waits until Redis answers, for ever: as the real server, whose queue calls hang while Redis is
/// down.
pub(crate) async fn wait(address: &RedisAddress) {
    let mut told = false;
    while let Err(error) = ping(address).await {
        if !told {
            tracing::warn!("waiting for Redis: {error}");
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn ping(address: &RedisAddress) -> io::Result<()> {
    const LIMIT: Duration = Duration::from_secs(3);
    let talk = async {
        match address {
            RedisAddress::Socket(path) => say_ping(UnixStream::connect(path).await?).await,
            RedisAddress::Host(host, port) => {
                say_ping(TcpStream::connect((host.as_str(), *port)).await?).await
            }
        }
    };
    tokio::time::timeout(LIMIT, talk).await?
}

async fn say_ping(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await?;
    if &answer == b"+PONG\r\n" {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "it says {:?}",
            String::from_utf8_lossy(&answer)
        )))
    }
}
