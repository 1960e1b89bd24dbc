//! Takes the place of the internet: the host sends its requests here, and gets the mocked
//! responses.

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

use crate::mocks::{MockReply, Mocks};

pub(super) struct MockServer {
    address: SocketAddr,
    is_stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MockServer {
    pub(super) fn start(mocks: Mocks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
        let address = listener.local_addr().expect("a bound socket has an address");
        let is_stopped = Arc::new(AtomicBool::new(false));
        let is_stopped_here = is_stopped.clone();
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if is_stopped_here.load(Ordering::Relaxed) {
                    return;
                }
                // If the host closes the connection, its log says so.
                let _ = respond(stream, &mocks);
            }
        });
        Self { address, is_stopped, thread: Some(thread) }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address); // Wakes the thread, so that it stops.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn respond(stream: TcpStream, mocks: &Mocks) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let request = read(&mut reader)?;
    let token_response = if is_token_request(&request) { mocks.take_token_response() } else { None };
    let reply = token_response.map_or_else(|| mocks.reply(request), MockReply::Response);
    let mut stream = reader.into_inner();
    match reply {
        MockReply::Response(response) => write(&mut stream, &response),
        MockReply::Error(message) => {
            let message = message.replace(['\r', '\n'], " ");
            write(&mut stream, &HttpResponse::new(502, "").with_header("x-jackfield-failure", message))
        }
    }
}

/// The host's own token request (RFC 6749 section 4.1.3), after the person has authorized it.
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
