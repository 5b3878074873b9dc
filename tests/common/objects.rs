//! Servers of objects: a small web server of ranges that can be slow, busy and forbidding; and S3, by moto.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a web server of ranges does.
#[derive(Debug, Default)]
pub struct Behaviour {
    /// Before each answer, milliseconds.
    pub delay: AtomicU64,
    /// Of a thousand requests, so many are answered by 503.
    pub busy: AtomicU64,
    /// Requests up to now.
    pub requests: AtomicU64,
    /// Those that were answered by 503.
    pub refused: AtomicU64,
    /// The lines of requests.
    pub seen: Mutex<Vec<String>>,
}

/// Serves the files of a folder over HTTP. What lies below `denied/` is forbidden. All files have one time, so that only the tag tells a
/// file that was replaced by one of its size.
pub struct Web {
    pub address: SocketAddr,
    pub behaviour: Arc<Behaviour>,
}

impl Web {
    pub fn new(folder: &Path) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, behaviour) = (socket.local_addr().unwrap(), Arc::new(Behaviour::default()));
        let (folder, shared) = (folder.to_path_buf(), Arc::clone(&behaviour));
        std::thread::spawn(move || {
            for stream in socket.incoming().flatten() {
                let (folder, shared) = (folder.clone(), Arc::clone(&shared));
                std::thread::spawn(move || while_open(stream, &folder, &shared));
            }
        });
        Self { address, behaviour }
    }

    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// How many requests came while `work` was done.
    pub fn during(&self, work: impl FnOnce()) -> u64 {
        let before = self.behaviour.requests.load(Ordering::SeqCst);
        work();
        self.behaviour.requests.load(Ordering::SeqCst) - before
    }

    pub fn busy(&self, of_a_thousand: u64) {
        self.behaviour.busy.store(of_a_thousand, Ordering::SeqCst);
    }
}

/// Answers the requests of a connection until it is closed.
fn while_open(stream: TcpStream, folder: &Path, shared: &Behaviour) -> Option<()> {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    loop {
        let (mut request, mut range) = (String::new(), None);
        if stream.read_line(&mut request).ok()? == 0 {
            return None;
        }
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(bytes) = line.strip_prefix("range: bytes=") {
                range = bytes.split_once('-').map(|(a, b)| (a.to_string(), b.to_string()));
            } else if line.is_empty() {
                break;
            }
        }
        let number = shared.requests.fetch_add(1, Ordering::SeqCst);
        shared.seen.lock().unwrap().push(format!("{} {range:?}", request.trim_end()));
        std::thread::sleep(Duration::from_millis(shared.delay.load(Ordering::SeqCst)));
        let mut words = request.split_whitespace();
        let (head, path) = (words.next() == Some("HEAD"), words.next()?.split('?').next()?.to_string());
        // Spread by a number that has no period which a run of requests could have.
        let busy = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let (status, headers, body) = if busy % 1000 < shared.busy.load(Ordering::SeqCst) {
            shared.refused.fetch_add(1, Ordering::SeqCst);
            ("503 Service Unavailable", String::new(), b"busy".to_vec())
        } else {
            answer(folder, path.trim_start_matches('/'), range)
        };
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
        let stream = stream.get_mut();
        stream.write_all(text.as_bytes()).ok()?;
        if !head {
            stream.write_all(&body).ok()?;
        }
        stream.flush().ok()?;
    }
}

/// Status, headers and body.
fn answer(folder: &Path, path: &str, range: Option<(String, String)>) -> (&'static str, String, Vec<u8>) {
    if path.starts_with("denied/") {
        return ("403 Forbidden", String::new(), b"no".to_vec());
    }
    let Some(bytes) = Some(folder.join(path)).filter(|file| file.is_file()).and_then(|file| std::fs::read(file).ok())
    else {
        return ("404 Not Found", String::new(), b"none".to_vec());
    };
    let tag = hypso::format::checksum::checksum(&bytes);
    let headers =
        format!("ETag: \"{tag:x}\"\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\nAccept-Ranges: bytes\r\n");
    let Some((first, last)) = range else { return ("200 OK", headers, bytes) };
    let first: usize = first.parse().unwrap();
    let last = last.parse().unwrap_or(usize::MAX).min(bytes.len() - 1);
    if first > last {
        return ("416 Range Not Satisfiable", headers, Vec::new());
    }
    let headers = format!("{headers}Content-Range: bytes {first}-{last}/{}\r\n", bytes.len());
    ("206 Partial Content", headers, bytes[first..=last].to_vec())
}

/// Who asks. moto does not look at the signature.
const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00";

/// S3 on this machine: moto, which tests of AWS's own clients use.
pub struct S3 {
    pub address: SocketAddr,
    server: Child,
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl S3 {
    /// `None`, with the reason printed, where moto is not installed; under CI a failure.
    pub fn new() -> Option<Self> {
        let kept = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/moto_server");
        let program = if kept.exists() { kept } else { "moto_server".into() };
        // The port may be taken by another one before the server has it; then it ends, and the next is tried.
        for _ in 0..5 {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let port = address.port().to_string();
            let mut command = Command::new(&program);
            command.args(["-H", "127.0.0.1", "-p", &port]).stdout(Stdio::null()).stderr(Stdio::null());
            let Ok(server) = command.spawn() else {
                println!("skipped: moto_server is not installed; see scripts/test.sh");
                assert!(std::env::var_os("CI").is_none(), "CI is set, but moto_server is not installed");
                return None;
            };
            let mut s3 = Self { address, server };
            let until = Instant::now() + Duration::from_secs(120);
            while s3.server.try_wait().unwrap().is_none() && Instant::now() < until {
                if TcpStream::connect(address).is_ok() {
                    return Some(s3);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("moto_server does not listen");
    }

    /// What GDAL has to know, in the environment.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_S3_ENDPOINT", self.address.to_string()),
            ("AWS_HTTPS", "NO".into()),
            ("AWS_VIRTUAL_HOSTING", "FALSE".into()),
            ("AWS_ACCESS_KEY_ID", "key".into()),
            ("AWS_SECRET_ACCESS_KEY", "secret".into()),
        ]
    }

    /// Makes a bucket, or puts an object into one.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        assert_eq!(self.send("PUT", name, bytes), 200, "{name}");
    }

    pub fn delete(&self, name: &str) {
        assert_eq!(self.send("DELETE", name, b""), 204, "{name}");
    }

    fn send(&self, method: &str, name: &str, bytes: &[u8]) -> u16 {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let length = bytes.len();
        let head = format!(
            "{method} /{name} HTTP/1.1\r\nHost: {}\r\nAuthorization: {SIGNED}\r\nContent-Type: image/tiff\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        answer.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
    }

    /// Puts all files of a folder below a name.
    pub fn put_folder(&self, name: &str, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let below = format!("{name}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                self.put_folder(&below, &entry.path());
            } else {
                self.put(&below, &std::fs::read(entry.path()).unwrap());
            }
        }
    }
}
