//! The error of this module.

/// Why an impairment cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetemError {
    /// A value is out of its range.
    #[error("{place}{key} = {value} cannot be used: {expected}")]
    Value {
        /// Section of the file, with a dot at its end; may be empty.
        place: String,
        /// The key.
        key: &'static str,
        /// The value given.
        value: String,
        /// What would do.
        expected: String,
    },
    /// The text is not TOML, or has keys of no meaning.
    #[error("not a description of a path: {0}")]
    Syntax(#[from] toml::de::Error),
    /// No preset of that name.
    #[error("no preset is called {name:?}; there are {known}")]
    Preset {
        /// As asked for.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// A socket.
    #[error("{what} {address}: {source}{}", advice(source))]
    Socket {
        /// Which step.
        what: &'static str,
        /// Of the socket.
        address: std::net::SocketAddr,
        /// As the system says it.
        source: std::io::Error,
    },
    /// A thread could not be started.
    #[error("thread {name} could not be started: {source}")]
    Thread {
        /// Its name.
        name: &'static str,
        /// As the system says it.
        source: std::io::Error,
    },
}

fn advice(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::AddrInUse => "; choose another port, 0 takes a free one",
        std::io::ErrorKind::AddrNotAvailable => "; choose an address of this machine",
        _ => "",
    }
}
