//! The sockets: those of a supervisor, or our own.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use tokio::net::TcpSocket;

use super::options::Options;
use crate::error::{Error, Result};

/// Connections that the system keeps until they are taken.
const BACKLOG: u32 = 4096;

/// The sockets that are listened on.
pub struct Sockets {
    pub public: TcpListener,
    pub admin: Option<TcpListener>,
}

impl Sockets {
    /// Takes the sockets that a supervisor has opened (`LISTEN_FDS`: the first for the public, the second for operators), so that no
    /// connection is lost while the server starts again; opens what is missing. Must be called where a runtime is.
    ///
    /// # Errors
    /// Where an address is none, is taken, or may not be used.
    pub fn open(options: &Options) -> Result<Self> {
        let mut given = listenfd::ListenFd::from_env();
        let mut take = |n: usize| match given.take_tcp_listener(n) {
            Ok(socket) => socket.map(nonblocking).transpose(),
            Err(error) => Err(Error::io("take the supervisor's", "socket")(error)),
        };
        let (public, admin) = (take(0)?, take(1)?);
        Ok(Self {
            public: public.map_or_else(|| bind("listen", &options.listen), Ok)?,
            admin: match (admin, &options.admin) {
                (Some(admin), _) => Some(admin),
                (None, Some(address)) => Some(bind("admin", address)?),
                (None, None) => None,
            },
        })
    }
}

fn nonblocking(socket: TcpListener) -> Result<TcpListener> {
    socket.set_nonblocking(true).map_err(Error::io("set up", "socket"))?;
    Ok(socket)
}

fn bind(field: &'static str, address: &str) -> Result<TcpListener> {
    let wrong = |problem: String| Error::argument(field, format!("{address:?}: {problem}"));
    let mut found = address.to_socket_addrs().map_err(|e| wrong(format!("expected HOST:PORT ({e})")))?;
    let address: SocketAddr = found.next().ok_or_else(|| wrong("leads to no address".into()))?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let listen = |socket: TcpSocket| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    let remedy = "is another server there? Take another port";
    nonblocking(socket.and_then(listen).map_err(|e| wrong(format!("can't be listened on: {e}; {remedy}")))?)
}
