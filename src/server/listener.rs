//! The sockets that the server listens on, which CONFIG SET port and bind change while it runs.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::{AbortHandle, spawn_local};

use super::accept::SocketName;
use super::{Node, accept};
use crate::engine::config::Config;

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
    /// All addresses were optional, and none could be bound.
    #[error("Could not create server TCP listening socket: none of the addresses of 'bind' could be bound to port {0}")]
    NoAddress(u16),
    /// No TCP port, no address, and no unix socket.
    #[error("Configured to not listen anywhere, exiting.")]
    Nowhere,
    /// The file for the port's number cannot be written.
    #[error("cannot write the port to {path}: {source}")]
    PortFile {
        /// The path.
        path: PathBuf,
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

impl ListenError {
    /// Whether another has the address.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

/// A socket that is listened on; dropping it closes it.
struct Bound {
    address: SocketAddr,
    task: AbortHandle,
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All sockets that are listened on.
pub struct Listeners {
    node: Rc<Node>,
    tcp: RefCell<Vec<Bound>>,
    unix: RefCell<Option<AbortHandle>>,
}

impl Listeners {
    /// Listens on what the settings name.
    pub fn start(node: &Rc<Node>) -> Result<Rc<Self>, ListenError> {
        let listeners = Self { node: node.clone(), tcp: RefCell::default(), unix: RefCell::default() };
        let mut engine = node.engine.borrow_mut();
        match engine.config.port_file() {
            "" => listeners.follow(&engine.config)?,
            path => {
                let path = PathBuf::from(path);
                listeners.listen(&engine.config, 0)?;
                announce(&mut engine.config, listeners.port(), path)?;
            }
        }
        let path = engine.config.unixsocket();
        if !path.is_empty() {
            let listener = bind_unix(Path::new(path), engine.config.unixsocketperm())
                .map_err(|source| ListenError::Unix { path: path.into(), source })?;
            let task = spawn_local(accept::unix(listener, SocketName::of_bound(Path::new(path)), node.clone()));
            *listeners.unix.borrow_mut() = Some(task.abort_handle());
        } else if listeners.tcp.borrow().is_empty() {
            return Err(ListenError::Nowhere);
        }
        Ok(Rc::new(listeners))
    }

    /// Listens on the TCP addresses that the settings name, and on no others; on an error everything stays as it was.
    /// Port 0 and an empty `bind` mean no TCP.
    pub fn follow(&self, config: &Config) -> Result<(), ListenError> {
        if config.port() == 0 {
            self.tcp.borrow_mut().clear();
            return Ok(());
        }
        self.listen(config, config.port())
    }

    /// Listens on that port of all addresses; for 0, the system chooses one.
    fn listen(&self, config: &Config, mut port: u16) -> Result<(), ListenError> {
        let mut wanted = Vec::new();
        let mut added = Vec::new();
        for name in config.bind() {
            let (name, is_optional) = name.strip_prefix('-').map_or((name, false), |name| (name, true));
            let address = SocketAddr::new(ip(name)?, port);
            if self.tcp.borrow().iter().any(|bound| bound.address == address) {
                wanted.push(address);
                continue;
            }
            match bind_tcp(address, config.tcp_backlog()) {
                Ok((listener, address)) => {
                    port = address.port();
                    let task = spawn_local(accept::tcp(listener, self.node.clone())).abort_handle();
                    added.push(Bound { address, task });
                    wanted.push(address);
                }
                // An optional address may be missing; as in Redis, it may not be another's.
                Err(error) if is_optional && !error.is_in_use() => {
                    tracing::debug!("optional address not bound: {error}")
                }
                Err(error) => return Err(error),
            }
        }
        if wanted.is_empty() && config.bind().next().is_some() {
            return Err(ListenError::NoAddress(port));
        }
        let mut tcp = self.tcp.borrow_mut();
        tcp.retain(|bound| wanted.contains(&bound.address));
        tcp.extend(added);
        Ok(())
    }

    /// The TCP port in use, 0 if none.
    pub fn port(&self) -> u16 {
        self.tcp.borrow().first().map_or(0, |bound| bound.address.port())
    }

    /// Listens on nothing any more.
    pub fn stop(&self) {
        self.tcp.borrow_mut().clear();
        if let Some(task) = self.unix.borrow_mut().take() {
            task.abort();
        }
    }
}

/// Makes the port that the system chose that of the settings, and writes it where the setting says; in one step, so that
/// whoever waits for the file never reads half a number.
fn announce(config: &mut Config, port: u16, path: PathBuf) -> Result<(), ListenError> {
    let text = port.to_string();
    if let Err(error) = config.set(&[(b"port", text.as_bytes())], true) {
        tracing::warn!("{error}");
    }
    let unfinished = path.with_extension("tmp");
    let written = std::fs::write(&unfinished, text).and_then(|()| std::fs::rename(&unfinished, &path));
    written.map_err(|source| ListenError::PortFile { path, source })
}

fn ip(name: &str) -> Result<IpAddr, ListenError> {
    match name {
        "*" => Ok(IpAddr::from([0, 0, 0, 0])),
        "::*" => Ok(IpAddr::from([0u16; 8])),
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        text => text.parse().map_err(|_| ListenError::Address(name.to_owned())),
    }
}

fn bind_tcp(address: SocketAddr, backlog: i32) -> Result<(TcpListener, SocketAddr), ListenError> {
    let listen = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        let listener = TcpListener::from_std(socket.into())?;
        let actual = listener.local_addr()?;
        Ok((listener, actual))
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
