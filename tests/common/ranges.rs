//! A web server of files that answers ranges, counts what it is asked, and fails as it is told.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a client asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub range: Option<(u64, u64)>,
    pub if_match: Option<String>,
}

/// What is wrong with the answers.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// So many requests are answered with 503, after so many that are not.
    pub busy: (usize, usize),
    /// So many answers end in the middle, after so many that don't.
    pub cut: (usize, usize),
    /// Every answer is this status and text.
    pub status: Option<(u16, String)>,
    /// Whole files, whatever was asked for.
    pub whole: bool,
    /// No ETag.
    pub no_etag: bool,
    /// An ETag that compares weakly.
    pub weak: bool,
    /// `If-Match` is ignored.
    pub careless: bool,
    /// After so many requests the file is another one.
    pub replace: Option<(usize, Vec<u8>)>,
    /// Milliseconds before each answer.
    pub delay: u64,
}

#[derive(Default)]
struct State {
    files: HashMap<String, Vec<u8>>,
    faults: Faults,
    log: Vec<Asked>,
}

/// A server that runs as long as the process.
#[derive(Clone)]
pub struct Ranges {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Ranges {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = server.state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = state.clone();
                std::thread::spawn(move || talk(stream, &state));
            }
        });
        server
    }

    /// Puts a file; gives its URL.
    pub fn put(&self, name: &str, bytes: Vec<u8>) -> String {
        self.state.lock().unwrap().files.insert(format!("/{name}"), bytes);
        format!("http://{}/{name}", self.address)
    }

    /// Begins anew: these faults, and nothing asked.
    pub fn fail(&self, faults: Faults) {
        let mut state = self.state.lock().unwrap();
        state.log.clear();
        state.faults = faults;
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().log.clone()
    }
}

/// A tag that follows from the content.
fn etag(bytes: &[u8]) -> String {
    format!("\"{:x}\"", xxhash_rust::xxh3::xxh3_64(bytes))
}

fn talk(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader) {
        if answer(reader.get_mut(), asked, state).is_none() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    (reader.read_line(&mut line).ok()? > 0).then_some(())?;
    let mut words = line.split(' ').map(String::from);
    let mut asked = Asked { method: words.next()?, target: words.next()?, range: None, if_match: None };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { return Some(asked) };
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                let (from, to) = value.strip_prefix("bytes=")?.split_once('-')?;
                // The last bytes are asked for without saying how many there are before.
                asked.range = Some((from.parse().unwrap_or(u64::MAX), to.parse().ok()?));
            }
            "if-match" => asked.if_match = Some(value.to_owned()),
            _ => {}
        }
    }
}

/// Answers; `None` where the connection ends.
fn answer(stream: &mut TcpStream, asked: Asked, state: &Mutex<State>) -> Option<()> {
    let mut state = state.lock().unwrap();
    state.log.push(asked.clone());
    let (count, faults) = (state.log.len(), state.faults.clone());
    let path = asked.target.split('?').next().unwrap().to_owned();
    if let Some((after, bytes)) = &faults.replace
        && count > *after
    {
        state.files.insert(path.clone(), bytes.clone());
    }
    let file = state.files.get(&path).cloned();
    drop(state);
    std::thread::sleep(std::time::Duration::from_millis(faults.delay));
    let now = |(times, after): (usize, usize)| count > after && count <= after + times;
    let head_only = asked.method == "HEAD";
    let short = |stream: &mut TcpStream, status: u16, text: &str| {
        let body = if head_only { "" } else { text };
        write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", text.len()).ok()
    };
    if let Some((status, text)) = &faults.status {
        return short(stream, *status, text);
    }
    let Some(file) = file else { return short(stream, 404, "") };
    if now(faults.busy) {
        return short(stream, 503, "<Error><Code>SlowDown</Code></Error>");
    }
    let tag = etag(&file);
    if asked.if_match.as_ref().is_some_and(|wanted| *wanted != tag) && !faults.careless {
        return short(stream, 412, "");
    }
    let size = file.len() as u64;
    let (status, from, to) = match asked.range.filter(|_| !faults.whole) {
        Some((u64::MAX, last)) => (206, size.saturating_sub(last), size),
        Some((from, to)) if from < size => (206, from, (to + 1).min(size)),
        Some(_) => return short(stream, 416, ""),
        None => (200, 0, size),
    };
    let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", to - from);
    if !faults.no_etag {
        head += &format!("ETag: {}{tag}\r\n", if faults.weak { "W/" } else { "" });
    }
    if status == 206 {
        head += &format!("Content-Range: bytes {from}-{}/{size}\r\n", to - 1);
    }
    let body = if head_only { &[][..] } else { &file[from as usize..to as usize] };
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    if now(faults.cut) {
        let _ = stream.write_all(&body[..body.len() / 2]);
        return None;
    }
    stream.write_all(body).ok()
}
