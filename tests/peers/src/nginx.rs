//! nginx as a proxy that adds one header, in front of the same service.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
use jackfield_test_support::{
    host::library_folder,
    processes::{all, until},
};
use tempfile::TempDir;

use crate::{report::skipped, resources::Group, service::Service};

/// A running nginx with one worker.
pub(crate) struct Nginx {
    process: Child,
    _folder: TempDir,
    pub(crate) address: String,
}

impl Nginx {
    /// Starts it on a core; `None`, with a loud message, where there is none.
    pub(crate) fn start(service: &Service, core: usize) -> Result<Option<Self>> {
        let folder = library_folder()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration(&address, &service.address))?;
        let started = Command::new("taskset")
            .args(["-c", &core.to_string(), "nginx", "-c"])
            .arg(&file)
            .arg("-p")
            .arg(folder.path())
            .args(["-e", "stderr"])
            .stderr(Stdio::null())
            .spawn();
        let process = started.context("taskset, of Debian's package util-linux")?;
        let nginx = Self { process, _folder: folder, address };
        let pid = nginx.process.id();
        let worker = until(|| Ok(all()?.into_iter().filter(|one| one.parent == pid).count()), |count| *count > 0);
        if worker.is_err() {
            skipped("nginx, because it does not start: apt-get install nginx");
            return Ok(None);
        }
        Ok(Some(nginx))
    }

    /// The master and its worker.
    pub(crate) fn group(&self) -> Result<Group> {
        Group::of(self.process.id())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its worker on SIGTERM; after SIGKILL the worker would stay.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// The path is handed on as it is. Bodies are not limited and never lie in files, as with us; the
/// buffers in memory are large, which makes nginx fast.
fn configuration(address: &str, service: &str) -> String {
    format!(
        "daemon off;\nworker_processes 1;\npid nginx.pid;\nevents {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  client_body_temp_path body;\n  proxy_temp_path proxy;\n  \
         fastcgi_temp_path fastcgi;\n  uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n  \
         client_max_body_size 0;\n  keepalive_requests 100000000;\n  \
         upstream service {{ server {service}; keepalive 64; keepalive_requests 100000000; }}\n  \
         server {{\n    listen {address};\n    location / {{\n      proxy_pass http://service;\n      \
         proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n      \
         proxy_set_header Authorization \"Bearer xoxb-0\";\n      proxy_buffer_size 64k;\n      \
         proxy_buffers 16 64k;\n      proxy_busy_buffers_size 256k;\n      proxy_max_temp_file_size 0;\n      \
         client_body_buffer_size 256k;\n      proxy_request_buffering off;\n    }}\n  }}\n}}\n"
    )
}
