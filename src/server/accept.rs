//! Accepts connections, and refuses those that must not come in.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::spawn_local;

use super::Node;
use super::connection;
use crate::engine::client::Peer;

/// What protected mode says to a stranger, in Redis' words, for people search for them.
const PROTECTED: &str = "-DENIED Redis is running in protected mode because protected mode is enabled and no password \
    is set for the default user. In this mode connections are only accepted from the loopback interface. If you want \
    to connect from external computers, you may adopt one of the following solutions: 1) Disable protected mode by \
    sending the command 'CONFIG SET protected-mode no' from the loopback interface. 2) Disable it in the configuration \
    file by setting the protected-mode option to 'no', and restart the server. 3) Start the server with the \
    '--protected-mode no' option. 4) Set up an authentication password for the default user. NOTE: You only need to do \
    one of the above things in order for the server to start accepting connections from the outside.\r\n";

/// After a failed accept (no descriptors left), how long before the next, so that the loop does not spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Accepts TCP connections for ever.
pub async fn tcp(listener: TcpListener, node: Rc<Node>) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                configure(&stream, &node);
                let peer = tcp_peer(&stream, address);
                admit(stream, peer, &node);
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn configure(stream: &TcpStream, node: &Node) {
    // Failures here cost latency or a late detection of a dead peer, not the connection.
    let _ = stream.set_nodelay(true);
    let seconds = node.engine.borrow().config.tcp_keepalive();
    if seconds > 0 {
        let interval = Duration::from_secs((seconds / 3).max(1));
        let keepalive =
            TcpKeepalive::new().with_time(Duration::from_secs(seconds)).with_interval(interval).with_retries(3);
        let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
    }
}

fn tcp_peer(stream: &TcpStream, address: SocketAddr) -> Peer {
    Peer {
        address: address.to_string(),
        local_address: stream.local_addr().map(|local| local.to_string()).unwrap_or_default(),
        is_local: address.ip().to_canonical().is_loopback(),
        is_unix: false,
        descriptor: stream.as_raw_fd(),
    }
}

/// Accepts connections on a unix socket for ever; removes its name when dropped.
pub async fn unix(listener: UnixListener, name: SocketName, node: Rc<Node>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let peer = unix_peer(&stream, &name.path);
                admit(stream, peer, &node);
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn unix_peer(stream: &UnixStream, path: &Path) -> Peer {
    let address = format!("{}:0", path.display());
    Peer {
        address: address.clone(),
        local_address: address,
        is_local: true,
        is_unix: true,
        descriptor: stream.as_raw_fd(),
    }
}

/// The name of a unix socket, removed when dropped unless it is another server's by then.
pub struct SocketName {
    path: PathBuf,
    made: Option<(u64, u64)>,
}

impl SocketName {
    /// The name of a socket that was just bound.
    pub fn of_bound(path: &Path) -> Self {
        Self { path: path.to_owned(), made: identity(path) }
    }
}

impl Drop for SocketName {
    fn drop(&mut self) {
        if self.made.is_some() && identity(&self.path) == self.made {
            // The name may be gone already; nothing depends on it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What tells one file from another: device and inode.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

fn admit<S: AsyncRead + AsyncWrite + Unpin + 'static>(stream: S, peer: Peer, node: &Rc<Node>) {
    let refusal = {
        let mut engine = node.engine.borrow_mut();
        let is_full = engine.clients.len() >= engine.config.maxclients();
        let is_stranger = engine.config.protected_mode() && engine.config.requirepass().is_empty() && !peer.is_local;
        if is_full {
            engine.stats.rejected_connections += 1;
            Some("-ERR max number of clients reached\r\n")
        } else {
            is_stranger.then_some(PROTECTED)
        }
    };
    match refusal {
        None => drop(spawn_local(connection::serve(node.clone(), stream, peer))),
        Some(text) => drop(spawn_local(refuse(stream, text))),
    }
}

/// Says why, if the peer listens, and closes.
async fn refuse<S: AsyncWrite + Unpin>(mut stream: S, text: &'static str) {
    const PATIENCE: Duration = Duration::from_secs(1);
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(text.as_bytes())).await;
}
