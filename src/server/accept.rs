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
use crate::engine::Engine;
use crate::engine::client::Peer;

/// What protected mode says to a stranger, in Redis' words, for people search for them.
const PROTECTED: &str = "-DENIED Redis is running in protected mode because protected mode is enabled and no password \
    is set for the default user. In this mode connections are only accepted from the loopback interface. If you want \
    to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable \
    protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to \
    Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet \
    if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the \
    protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then \
    restarting the server. 3) If you started the server manually just for testing, restart it with the \
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
    let refusal = refusal(&mut node.engine.borrow_mut(), &peer);
    match refusal {
        None => drop(spawn_local(connection::serve(node.clone(), stream, peer))),
        Some(text) => drop(spawn_local(refuse(stream, text))),
    }
}

/// What a connection is told that must not come in; it is counted.
fn refusal(engine: &mut Engine, peer: &Peer) -> Option<&'static str> {
    let is_full = engine.clients.len() >= engine.config.maxclients();
    let is_stranger = engine.config.protected_mode() && engine.acl.default_user().nopass && !peer.is_local;
    engine.stats.rejected_connections += u64::from(is_full || is_stranger);
    if is_full {
        return Some("-ERR max number of clients reached\r\n");
    }
    is_stranger.then_some(PROTECTED)
}

/// Says why, if the peer listens, and closes.
async fn refuse<S: AsyncWrite + Unpin>(mut stream: S, text: &'static str) {
    const PATIENCE: Duration = Duration::from_secs(1);
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(text.as_bytes())).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::harness::Harness;

    #[test]
    fn protected_mode_refuses_strangers_until_there_is_a_password_and_counts_them() {
        let mut engine = Harness::new().engine;
        let stranger = Peer::default();
        let text = refusal(&mut engine, &stranger).unwrap();
        assert!(
            text.starts_with("-DENIED Redis is running in protected mode because protected mode is enabled and no")
        );
        assert!(text.ends_with("to start accepting connections from the outside.\r\n"));
        assert_eq!(text.lines().count(), 1, "one line, or clients lose their place");
        assert_eq!(refusal(&mut engine, &Peer { is_local: true, ..Peer::default() }), None);
        assert_eq!(engine.stats.rejected_connections, 1);
        for setting in [(&b"requirepass"[..], &b"secret"[..]), (b"protected-mode", b"no")] {
            let changes = engine.config.set(&[setting], false).unwrap();
            engine.follow_requirepass(None);
            assert_eq!(refusal(&mut engine, &stranger), None);
            engine.config.roll_back(changes);
            engine.follow_requirepass(None);
        }
        assert_eq!(engine.config.set(&[(b"maxclients", b"1")], false).unwrap().names(), ["maxclients"]);
        assert_eq!(refusal(&mut engine, &stranger), Some("-ERR max number of clients reached\r\n"));
        assert_eq!(engine.stats.rejected_connections, 2);
    }
}
