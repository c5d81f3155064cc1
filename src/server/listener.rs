//! Accepts connections, on TCP and on a unix socket, and refuses those that must not come in.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::spawn_local;

use super::Node;
use super::connection;
use crate::engine::client::Peer;
use crate::engine::config::Config;

/// What protected mode says to a stranger, in Redis' words, for people search for them.
const PROTECTED: &str = "-DENIED Redis is running in protected mode because protected mode is enabled and no password \
    is set for the default user. In this mode connections are only accepted from the loopback interface. If you want \
    to connect from external computers, you may adopt one of the following solutions: 1) Disable protected mode by \
    sending the command 'CONFIG SET protected-mode no' from the loopback interface. 2) Disable it in the configuration \
    file by setting the protected-mode option to 'no', and restart the server. 3) Start the server with the \
    '--protected-mode no' option. 4) Set up an authentication password for the default user. NOTE: You only need to do \
    one of the above things in order for the server to start accepting connections from the outside.\r\n";

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// An address that is none.
    #[error("'bind {0}': not an IP address that this machine knows")]
    Address(String),
    /// An address that cannot be bound.
    #[error("Could not create server TCP listening socket {address}: bind: {source}")]
    Bind {
        /// The address.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A unix socket that cannot be made.
    #[error("Failed opening Unix socket {path}: bind: {source}")]
    Unix {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Sockets that listen; dropping it closes them and removes the unix socket's name.
#[derive(Default)]
pub struct Listeners {
    tcp: Vec<TcpListener>,
    unix: Option<(UnixListener, PathBuf)>,
}

impl Listeners {
    /// Binds what the settings name. Port 0 is no TCP, as in Redis; but where Redis would then listen on nothing, for
    /// want of a unix socket too, the system chooses a port.
    pub fn bind(config: &Config) -> Result<Self, ListenError> {
        let mut listeners = Self::default();
        let mut port = config.port();
        if port != 0 || config.unixsocket().is_empty() {
            for name in config.bind() {
                let (name, is_optional) = name.strip_prefix('-').map_or((name, false), |name| (name, true));
                match bind_tcp(name, port, config.tcp_backlog()) {
                    Ok(listener) => {
                        port = listener.local_addr().map_or(port, |address| address.port());
                        listeners.tcp.push(listener);
                    }
                    Err(error) if is_optional => tracing::debug!(%error, "optional address not bound"),
                    Err(error) => return Err(error),
                }
            }
        }
        if !config.unixsocket().is_empty() {
            let path = Path::new(config.unixsocket());
            let listener = bind_unix(path, config.unixsocketperm())
                .map_err(|source| ListenError::Unix { path: path.into(), source })?;
            listeners.unix = Some((listener, path.into()));
        }
        Ok(listeners)
    }

    /// The TCP port in use, 0 if none.
    pub fn port(&self) -> u16 {
        self.tcp.first().and_then(|listener| listener.local_addr().ok()).map_or(0, |address| address.port())
    }

    /// Accepts connections for as long as the future is polled.
    pub async fn accept(self, node: Rc<Node>) {
        let mut tasks = tokio::task::JoinSet::new();
        for listener in self.tcp {
            tasks.spawn_local(accept_tcp(listener, node.clone()));
        }
        if let Some((listener, path)) = self.unix {
            tasks.spawn_local(accept_unix(listener, path, node));
        }
        while tasks.join_next().await.is_some() {}
        std::future::pending().await
    }
}

fn bind_tcp(name: &str, port: u16, backlog: i32) -> Result<TcpListener, ListenError> {
    let ip: IpAddr = match name {
        "*" => IpAddr::from([0, 0, 0, 0]),
        "::*" => IpAddr::from([0u16; 8]),
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        text => text.parse().map_err(|_| ListenError::Address(name.to_owned()))?,
    };
    let address = SocketAddr::new(ip, port);
    let listen = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        TcpListener::from_std(socket.into())
    };
    listen().map_err(|source| ListenError::Bind { address: address.to_string(), source })
}

fn bind_unix(path: &Path, permissions: u32) -> io::Result<UnixListener> {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let listener = UnixListener::bind(path)?;
    if permissions != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(permissions))?;
    }
    Ok(listener)
}

/// After a failed accept (no descriptors left), how long before the next, so that the loop does not spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

async fn accept_tcp(listener: TcpListener, node: Rc<Node>) {
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

async fn accept_unix(listener: UnixListener, path: PathBuf, node: Rc<Node>) {
    let _name = RemoveOnDrop(path.clone());
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let peer = unix_peer(&stream, &path);
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

struct RemoveOnDrop(PathBuf);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        // The name may be gone already, or be another server's by now; nothing depends on it.
        let _ = std::fs::remove_file(&self.0);
    }
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
