//! A certificate for `localhost`, made by OpenSSL, that only those trust who are told of it.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A certificate and its key.
pub struct Certificate {
    folder: TempDir,
    /// In PEM.
    pub certificate: String,
    /// In PEM.
    pub key: String,
}

/// No authority: a client takes it for a server's only as such.
const REQUEST: &str = "[req]\ndistinguished_name = name\nx509_extensions = server\nprompt = no\n[name]\nCN = localhost\n\
     [server]\nbasicConstraints = critical,CA:FALSE\nsubjectAltName = DNS:localhost,IP:127.0.0.1\n";

impl Certificate {
    /// Makes one.
    ///
    /// # Errors
    /// When OpenSSL is missing or fails.
    pub fn new() -> Result<Self> {
        let folder = TempDir::new()?;
        fs::write(folder.path().join("request"), REQUEST)?;
        let openssl = Command::new("openssl")
            .current_dir(folder.path())
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-config", "request"])
            .args(["-keyout", "key.pem", "-out", "certificate.pem"])
            .output()
            .context("openssl")?;
        ensure!(openssl.status.success(), "openssl: {}", String::from_utf8_lossy(&openssl.stderr));
        let read = |name| fs::read_to_string(folder.path().join(name));
        let (certificate, key) = (read("certificate.pem")?, read("key.pem")?);
        Ok(Self { folder, certificate, key })
    }

    /// The file that a program is to trust (`SSL_CERT_FILE`).
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }
}
