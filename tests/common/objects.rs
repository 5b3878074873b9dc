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
    /// Of a thousand requests, so many break off: the connection is reset before the answer, or closed in the middle of it.
    pub broken: AtomicU64,
    /// Requests up to now.
    pub requests: AtomicU64,
    /// Those that were answered by 503, and those that broke off.
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
        if shared.broken.load(Ordering::SeqCst) > 0 {
            // What came and was not read makes a reset of the end of a connection.
            let (mut one, number) = ([0], shared.requests.load(Ordering::SeqCst));
            if stream.buffer().is_empty()
                && stream.get_ref().peek(&mut one).ok()? == 1
                && chosen(number, 7, shared.broken.load(Ordering::SeqCst))
            {
                shared.requests.fetch_add(1, Ordering::SeqCst);
                shared.refused.fetch_add(1, Ordering::SeqCst);
                return None;
            }
        }
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
        let (status, headers, body) = if chosen(number, 0, shared.busy.load(Ordering::SeqCst)) {
            shared.refused.fetch_add(1, Ordering::SeqCst);
            ("503 Service Unavailable", String::new(), b"busy".to_vec())
        } else {
            answer(folder, path.trim_start_matches('/'), range)
        };
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
        let stream = stream.get_mut();
        stream.write_all(text.as_bytes()).ok()?;
        if !head && chosen(number, 13, shared.broken.load(Ordering::SeqCst)) {
            shared.refused.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(&body[..length / 2]);
            return None;
        }
        if !head {
            stream.write_all(&body).ok()?;
        }
        stream.flush().ok()?;
    }
}

/// True for so many of a thousand requests, spread by a number that has no period which a run of requests could have.
fn chosen(number: u64, salt: u64, of_a_thousand: u64) -> bool {
    ((number + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 1000 < of_a_thousand
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
    let (first, last): (usize, usize) = match first.as_str() {
        "" => (bytes.len().saturating_sub(last.parse().unwrap()), bytes.len() - 1),
        first => (first.parse().unwrap(), last.parse().unwrap_or(usize::MAX).min(bytes.len() - 1)),
    };
    if first > last {
        return ("416 Range Not Satisfiable", headers, Vec::new());
    }
    let headers = format!("{headers}Content-Range: bytes {first}-{last}/{}\r\n", bytes.len());
    ("206 Partial Content", headers, bytes[first..=last].to_vec())
}

/// What hypso's own requests to an S3 server need, in the environment.
pub fn client(server: SocketAddr) -> [(&'static str, String); 5] {
    [
        ("AWS_ENDPOINT_URL", format!("http://{server}")),
        ("AWS_ALLOW_HTTP", "true".into()),
        ("AWS_ACCESS_KEY_ID", "key".into()),
        ("AWS_SECRET_ACCESS_KEY", "secret".into()),
        ("AWS_REGION", "us-east-1".into()),
    ]
}

/// A line to a server that passes so many bytes a second from the client on, and counts them.
pub struct Slow {
    pub address: SocketAddr,
    pub rate: Arc<AtomicU64>,
    pub sent: Arc<AtomicU64>,
}

impl Slow {
    pub fn new(server: SocketAddr, rate: u64) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let (rate, sent) = (Arc::new(AtomicU64::new(rate)), Arc::new(AtomicU64::new(0)));
        let shared = (Arc::clone(&rate), Arc::clone(&sent));
        std::thread::spawn(move || {
            for client in socket.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let (mut back, mut forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut back, &mut forth));
                let (rate, sent) = shared.clone();
                std::thread::spawn(move || pass(client, server, &rate, &sent));
            }
        });
        Self { address, rate, sent }
    }
}

fn pass(mut client: TcpStream, mut server: TcpStream, rate: &AtomicU64, sent: &AtomicU64) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(length @ 1..) = client.read(&mut bytes) {
        if server.write_all(&bytes[..length]).is_err() {
            break;
        }
        sent.fetch_add(length as u64, Ordering::SeqCst);
        std::thread::sleep(Duration::from_secs_f64(length as f64 / rate.load(Ordering::SeqCst) as f64));
    }
    let _ = server.shutdown(std::net::Shutdown::Write);
}

/// Who asks. moto does not look at the signature.
const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00";

/// Programs that answer as S3 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// moto, which tests of AWS's own clients use.
    Moto,
    /// localbucket, which keeps objects as files, and does not remove several with one request.
    LocalBucket,
}

/// S3 on this machine.
pub struct S3 {
    pub address: SocketAddr,
    pub kind: Kind,
    server: Child,
    _data: tempfile::TempDir,
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl S3 {
    /// moto; `None`, with the reason printed, where it is not installed; under CI a failure.
    pub fn new() -> Option<Self> {
        Self::start(Kind::Moto)
    }

    /// Each kind of server that is installed; under CI all.
    pub fn each() -> impl Iterator<Item = Self> {
        [Kind::Moto, Kind::LocalBucket].into_iter().filter_map(Self::start)
    }

    fn start(kind: Kind) -> Option<Self> {
        let name = if kind == Kind::Moto { "moto_server" } else { "localbucket" };
        let kept = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin").join(name);
        let program = if kept.exists() { kept } else { name.into() };
        // The port may be taken by another one before the server has it; then it ends, and the next is tried.
        for _ in 0..5 {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let port = address.port().to_string();
            let (mut command, data) = (Command::new(&program), tempfile::tempdir().unwrap());
            match kind {
                Kind::Moto => command.args(["-H", "127.0.0.1", "-p", &port]),
                Kind::LocalBucket => command.args(["--port", &port]).arg(data.path()),
            };
            let Ok(server) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
                println!("skipped: {name} is not installed; see scripts/test.sh");
                assert!(std::env::var_os("CI").is_none(), "CI is set, but {name} is not installed");
                return None;
            };
            let mut s3 = Self { address, kind, server, _data: data };
            let until = Instant::now() + Duration::from_secs(120);
            while s3.server.try_wait().unwrap().is_none() && Instant::now() < until {
                if TcpStream::connect(address).is_ok() {
                    return Some(s3);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("{name} does not listen");
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

    /// What hypso's own requests need, in the environment.
    pub fn client(&self) -> Vec<(&'static str, String)> {
        let bulk = ("AWS_DISABLE_BULK_DELETE", (self.kind == Kind::LocalBucket).to_string());
        client(self.address).into_iter().chain([bulk]).collect()
    }

    /// The names of a bucket's objects below a prefix.
    pub fn names(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let (status, answer) = self.ask("GET", &format!("{bucket}?list-type=2&prefix={prefix}"), b"");
        assert_eq!(status, 200, "{answer}");
        let after = answer.split("<Key>").skip(1);
        after.map(|rest| rest.split("</Key>").next().unwrap().to_owned()).collect()
    }

    /// Makes a bucket, or puts an object into one.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        assert_eq!(self.send("PUT", name, bytes), 200, "{name}");
    }

    pub fn delete(&self, name: &str) {
        assert_eq!(self.send("DELETE", name, b""), 204, "{name}");
    }

    fn send(&self, method: &str, name: &str, bytes: &[u8]) -> u16 {
        self.ask(method, name, bytes).0
    }

    /// Status and body.
    pub fn ask(&self, method: &str, name: &str, bytes: &[u8]) -> (u16, String) {
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
        let status = answer.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("{answer}")), answer.split("\r\n\r\n").skip(1).collect())
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
