//! The options by which programs are told where their control plane is.

use crate::{ControlPlaneAddress, ControlPlaneAddressError};
use std::path::PathBuf;

/// Where the control plane is, the same in every program that calls one.
#[derive(Debug, Clone, clap::Args)]
pub struct ControlPlaneArgs {
    /// Address of the control plane, http:// or https://.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", env = "TAKEOVER_CONTROL_PLANE")]
    pub control_plane: String,
    /// File with the certificates (PEM) of the authority that vouches for an https:// control plane, for fleets that have
    /// their own [default: the authorities that this machine's system trusts].
    #[arg(long, value_name = "FILE", env = "TAKEOVER_CONTROL_PLANE_CA")]
    pub control_plane_ca: Option<PathBuf>,
}

impl ControlPlaneArgs {
    /// The address that they name.
    ///
    /// # Errors
    /// [`ControlPlaneAddressError`] when the address or the file with the authority's certificates cannot be used.
    pub fn address(&self) -> Result<ControlPlaneAddress, ControlPlaneAddressError> {
        ControlPlaneAddress::new(&self.control_plane, self.control_plane_ca.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        plane: ControlPlaneArgs,
    }

    fn address(options: &[&str]) -> Result<ControlPlaneAddress, ControlPlaneAddressError> {
        Program::try_parse_from([&["program"], options].concat()).unwrap().plane.address()
    }

    #[test]
    fn the_options_name_an_address_and_its_authority() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let pem = rcgen::generate_simple_self_signed(["plane.example".to_owned()]).unwrap().cert.pem();
        std::fs::write(file.path(), pem).unwrap();
        let path = file.path().to_str().unwrap();
        let found = address(&["--control-plane", "https://plane.example", "--control-plane-ca", path]).unwrap();
        assert_eq!((found.host(), found.port(), found.tls().is_some()), ("plane.example", 443, true));
        let found = address(&["--control-plane", "http://plane.example", "--control-plane-ca", path]).unwrap();
        assert_eq!((found.host(), found.port(), found.tls().is_some()), ("plane.example", 80, false));
        let error = address(&["--control-plane", "https://x", "--control-plane-ca", "/no/such.pem"]).unwrap_err();
        assert!(error.to_string().contains("/no/such.pem"), "{error}");
        let error = address(&["--control-plane", "plane.example"]).unwrap_err();
        assert!(error.to_string().contains("\"plane.example\""), "{error}");
    }
}
