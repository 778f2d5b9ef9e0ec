//! Where a bridge waits for its robot.

use super::stream::Stream;
use protocol::{Address, AddressError};
use std::fs::Permissions;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// `unix:PATH` or `HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// A socket in the file system, which only this user may open.
    Unix(PathBuf),
    /// A TCP port, which whoever reaches it may open.
    Tcp(Address),
}

/// Why nobody can listen there.
#[derive(Debug, thiserror::Error)]
pub enum ListenAddressError {
    /// A Unix socket without a path.
    #[error("address {0:?} names no path; for example unix:/run/robot.sock")]
    NoPath(String),
    /// Not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The port cannot be had.
    #[error(transparent)]
    Listen(#[from] protocol::ListenError),
    /// Somebody else listens there.
    #[error("{path} is in use: stop the program that listens there or choose another path", path = .0.display())]
    InUse(PathBuf),
    /// A file that is not a socket.
    #[error("{path} exists and is not a socket: choose another path", path = .0.display())]
    NotASocket(PathBuf),
    /// The system refuses.
    #[error("cannot listen on {path}: {cause}", path = .0.display(), cause = .1)]
    Refused(PathBuf, io::Error),
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some("") => Err(ListenAddressError::NoPath(text.to_owned())),
            Some(path) => Ok(Self::Unix(PathBuf::from(path))),
            None => Ok(Self::Tcp(text.parse()?)),
        }
    }
}

/// Open listeners; a socket file goes with them.
#[derive(Debug)]
pub(super) enum Listeners {
    Unix(UnixListener, PathBuf),
    Tcp(Vec<TcpListener>),
}

impl Listeners {
    pub(super) fn open(address: &ListenAddress) -> Result<Self, ListenAddressError> {
        match address {
            ListenAddress::Unix(path) => {
                let refused = |error| ListenAddressError::Refused(path.clone(), error);
                remove_left_over(path)?;
                let listener = UnixListener::bind(path).map_err(refused)?;
                let listeners = Self::Unix(listener, path.clone());
                std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(refused)?;
                Ok(listeners)
            }
            ListenAddress::Tcp(address) => Ok(Self::Tcp(address.listen()?)),
        }
    }

    /// As robots are told it.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Unix(_, path) => format!("unix:{}", path.display()),
            Self::Tcp(listeners) => {
                listeners.first().and_then(|l| l.local_addr().ok()).map_or_else(String::new, |at| at.to_string())
            }
        }
    }

    /// A connection that waits, if there is one.
    pub(super) fn accept(&self) -> io::Result<Option<Stream>> {
        let none = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => Ok(None),
            _ => Err(error),
        };
        match self {
            Self::Unix(listener, _) => {
                listener.set_nonblocking(true)?;
                listener.accept().map(|(stream, _)| Some(Stream::Unix(stream))).or_else(none)
            }
            Self::Tcp(listeners) => {
                for listener in listeners {
                    listener.set_nonblocking(true)?;
                    let accepted = listener.accept().map(|(stream, _)| Some(Stream::Tcp(stream))).or_else(none)?;
                    if accepted.is_some() {
                        return Ok(accepted);
                    }
                }
                Ok(None)
            }
        }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Removes the socket of a bridge that was killed.
fn remove_left_over(path: &Path) -> Result<(), ListenAddressError> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(ListenAddressError::NotASocket(path.to_owned()));
    }
    if UnixStream::connect(path).is_ok() {
        return Err(ListenAddressError::InUse(path.to_owned()));
    }
    std::fs::remove_file(path).map_err(|error| ListenAddressError::Refused(path.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_bad_ones_named() {
        assert_eq!("unix:/run/x.sock".parse::<ListenAddress>().unwrap(), ListenAddress::Unix("/run/x.sock".into()));
        assert!(matches!("127.0.0.1:0".parse::<ListenAddress>().unwrap(), ListenAddress::Tcp(_)));
        for bad in ["unix:", "", "x.sock", "127.0.0.1:port"] {
            let error = bad.parse::<ListenAddress>().unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }

    #[test]
    fn a_socket_of_a_killed_bridge_is_replaced_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("robot.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "left over");
        let address = ListenAddress::Unix(path.clone());
        let listeners = Listeners::open(&address).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Listeners::open(&address), Err(ListenAddressError::InUse(_))));
        drop(listeners);
        assert!(!path.exists());
        std::fs::write(&path, "a letter").unwrap();
        assert!(matches!(Listeners::open(&address), Err(ListenAddressError::NotASocket(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"a letter");
    }
}
