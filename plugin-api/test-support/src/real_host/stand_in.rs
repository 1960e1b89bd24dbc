//! Answers in the place of the internet: what the host sends comes here, and gets what is scripted.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use jackfield_plugin::{HttpRequest, HttpResponse};

use crate::script::{Reply, Script};

pub(super) struct StandIn {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    pub(super) fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
        let address = listener.local_addr().expect("a bound socket has an address");
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                // A host that hangs up is the host's affair: its log says so.
                let _ = answer(stream, &script);
            }
        });
        Self { address, is_over, thread: Some(thread) }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address); // Wakes it, so that it sees that it is over.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(stream: TcpStream, script: &Script) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let request = read(&mut reader)?;
    let token = if is_token_request(&request) { script.token() } else { None };
    let reply = token.map_or_else(|| script.reply(request), Reply::Response);
    let mut stream = reader.into_inner();
    match reply {
        Reply::Response(response) => write(&mut stream, &response),
        Reply::Failure(why) => {
            let why = why.replace(['\r', '\n'], " ");
            write(&mut stream, &HttpResponse::new(502, "").with_header("x-jackfield-failure", why))
        }
    }
}

/// RFC 6749 section 4.1.3: the host's own, where the person has just consented.
fn is_token_request(request: &HttpRequest) -> bool {
    String::from_utf8_lossy(&request.body).split('&').any(|pair| pair == "grant_type=authorization_code")
}

fn read(reader: &mut impl BufRead) -> std::io::Result<HttpRequest> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut request = HttpRequest::new(line.split(' ').next().unwrap_or_default(), "");
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name {
            "x-jackfield-url" => request.url = value.to_owned(),
            "content-length" => length = value.parse().unwrap_or_default(),
            _ => request.headers.push((name.to_owned(), value.to_owned())),
        }
    }
    reader.take(length).read_to_end(&mut request.body)?;
    Ok(request)
}

fn write(stream: &mut TcpStream, response: &HttpResponse) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\nconnection: close\r\n", response.status);
    let headers = response.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "content-length" | "connection"));
    headers.for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str(&format!("content-length: {}\r\n\r\n", response.body.len()));
    stream.write_all(head.as_bytes())?;
    stream.write_all(&response.body)
}
