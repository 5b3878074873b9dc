//! A small HTTP/1.1 client over TCP, strict about what it reads: tests see each byte that a server sends.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// In their order, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of a header; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.text()))
    }

    /// The body of a 200 as JSON.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// Checks that this is a problem document of a status whose detail has some words (RFC 9457).
    pub fn refused(&self, status: u16, words: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "no {words:?} in {detail:?}");
    }
}

/// A connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads an answer; `None` where the server closed the connection instead. `head`: it has no body.
    pub fn read(&mut self, head: bool) -> Option<Reply> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status: u16 = status.unwrap_or_else(|| panic!("no status: {line:?}"));
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).ok()?;
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').expect("a header");
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut reply = Reply { status, headers, body: Vec::new() };
        if head || matches!(status, 204 | 304) {
            return Some(reply);
        }
        reply.body = if reply.header("transfer-encoding") == "chunked" {
            self.chunks()?
        } else {
            let mut body = vec![0; reply.header("content-length").parse().expect("a length")];
            self.stream.read_exact(&mut body).ok()?;
            body
        };
        Some(reply)
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).ok()?;
            let length = usize::from_str_radix(line.trim_end(), 16).expect("the length of a chunk");
            let mut chunk = vec![0; length + 2];
            self.stream.read_exact(&mut chunk).ok()?;
            assert!(chunk.ends_with(b"\r\n"));
            if length == 0 {
                return Some(body);
            }
            body.extend_from_slice(&chunk[..length]);
        }
    }

    /// A GET without headers of its own.
    pub fn get(&mut self, url: &str) -> Reply {
        self.request("GET", url, &[], b"")
    }

    /// A request and its answer. The connection stays open.
    pub fn request(&mut self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut head = format!("{method} {url} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        self.send(format!("{head}\r\n").as_bytes()).unwrap();
        // A server may answer, and close, before it has read all.
        let _ = self.send(body);
        self.read(method == "HEAD").unwrap_or_else(|| panic!("no answer to {method} {url}"))
    }
}

/// One request over a connection of its own.
pub fn get(address: SocketAddr, url: &str) -> Reply {
    Client::new(address).get(url)
}

/// One request with a body of JSON.
pub fn post(address: SocketAddr, url: &str, body: &str) -> Reply {
    Client::new(address).request("POST", url, &[("Content-Type", "application/json")], body.as_bytes())
}

/// A text with all but letters and digits as percent codes.
pub fn escaped(text: &str) -> String {
    let escape = |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(escape).collect()
}
