//! Clients that mean harm, against the real program: bounded memory, right codes, nothing leaks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::data::files;
use crate::http::{Client, get};
use crate::program::HYPSO;

/// The most memory of its own that the program may take, bytes.
const MEMORY: u64 = 150 << 20;

/// A program that serves, and its end.
struct Serving {
    process: Child,
    public: SocketAddr,
    admin: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Serving {
    fn new(limits: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("serve.toml");
        let text = format!(
            "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ndecoded_bytes = 1\ninputs = [{:?}]\n[limits]\n{limits}\n",
            files().to_str().unwrap()
        );
        std::fs::write(&config, text).unwrap();
        let mut program = Command::new(HYPSO);
        program.args(["serve", "--config", config.to_str().unwrap()]).env("NO_COLOR", "1");
        let mut process = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let mut address = || loop {
            let mut line = String::new();
            assert!(said.read_line(&mut line).unwrap() > 0, "the server ended");
            if let Some((_, address)) = line.split_once("http://") {
                return address.trim().trim_end_matches("/metrics").parse().unwrap();
            }
        };
        let (public, admin) = (address(), address());
        // Whoever speaks to a pipe that nobody reads stands still.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { process, public, admin, _folder: folder }
    }

    /// The value of a metric.
    fn metric(&self, name: &str) -> f64 {
        let text = get(self.admin, "/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
    }

    /// It answers at once, and takes no more memory than it may.
    fn is_well(&self) {
        let begun = Instant::now();
        assert_eq!(get(self.public, "/health").status, 200);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        let own = self.metric("process_own_memory_bytes");
        assert!(own > 0.0 && own < MEMORY as f64, "{own} bytes");
    }

    /// Waits until all connections but the one that asks are closed.
    fn is_left_alone(&self) {
        let begun = Instant::now();
        while self.metric("hypso_http_connections") > 1.0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "connections leak");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// All that comes back until the server closes.
fn rest(mut stream: &TcpStream) -> String {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// What comes back to some bytes, after which the client says no more.
fn answer(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address);
    let _ = stream.write_all(bytes);
    rest(&stream)
}

#[test]
fn slow_clients_are_let_go() {
    let serving = Serving::new("read_seconds = 1");
    // Heads that never end.
    let slow: Vec<TcpStream> = (0..50).map(|_| connect(serving.public)).collect();
    let begun = Instant::now();
    for (n, mut stream) in slow.iter().enumerate() {
        stream.write_all(format!("GET /health?{n} HTTP/1.1\r\nHost: x\r\nX-").as_bytes()).unwrap();
    }
    for mut stream in &slow {
        let _ = stream.write_all(b"a");
        let said = rest(stream);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // Bodies that never end.
    let head =
        "POST /elevation/hills HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
    let begun = Instant::now();
    let slow: Vec<TcpStream> = (0..50).map(|_| connect(serving.public)).collect();
    slow.iter().for_each(|mut stream| stream.write_all(head.as_bytes()).unwrap());
    for stream in &slow {
        let said = rest(stream);
        assert!(said.starts_with("HTTP/1.1 408"), "{said}");
        assert!(said.contains("application/problem+json") && said.contains("within 1 s"), "{said}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    serving.is_left_alone();
    serving.is_well();
}

#[test]
fn heads_without_end_are_refused() {
    let serving = Serving::new("read_seconds = 5");
    let line = b"GET /health HTTP/1.1\r\nHost: x\r\n".to_vec();
    let headers = |header: &str, times: usize| [line.clone(), header.repeat(times).into_bytes()].concat();
    for bytes in [
        headers("A: b\r\n", 1_000_000),
        headers(&format!("A: {}\r\n", "b".repeat(1 << 20)), 8),
        [b"GET /".to_vec(), vec![b'a'; 8 << 20]].concat(),
        vec![b'a'; 8 << 20],
        vec![0; 1 << 20],
    ] {
        let said = answer(serving.public, &bytes);
        let first = said.lines().next().unwrap_or_default();
        let refused = ["HTTP/1.1 431", "HTTP/1.1 400", "HTTP/1.1 414"].iter().any(|status| first.starts_with(status));
        assert!(said.is_empty() || refused, "{first}");
    }
    serving.is_left_alone();
    serving.is_well();
}

#[test]
fn ranges_can_be_as_odd_as_they_like() {
    let serving = Serving::new("");
    let length = std::fs::metadata(files().join("pixels.pmtiles")).unwrap().len();
    let many = (0..2000).map(|i| format!("{i}-{}", i + 1)).collect::<Vec<_>>().join(",");
    let overlapping = vec!["0-"; 5000].join(",");
    for (range, codes) in [
        ("bytes=0-99999999999999999999999999".to_owned(), [206, 200, 416]),
        ("bytes=99999999999999999999999999-".to_owned(), [416, 200, 416]),
        (format!("bytes={length}-"), [416; 3]),
        ("bytes=-0".to_owned(), [416; 3]),
        ("bytes=-99999999999999999999999999".to_owned(), [206, 200, 416]),
        ("bytes=5-2".to_owned(), [200, 416, 200]),
        ("bytes=a-b".to_owned(), [200, 416, 200]),
        ("lines=1-2".to_owned(), [200; 3]),
        (format!("bytes={many}"), [200, 416, 206]),
        (format!("bytes={overlapping}"), [200, 416, 206]),
    ] {
        let reply = Client::new(serving.public).request("GET", "/archives/pixels.pmtiles", &[("Range", &range)], b"");
        assert!(codes.contains(&reply.status), "{} for {}", reply.status, &range[..range.len().min(60)]);
        assert!(reply.body.len() as u64 <= length);
    }
    serving.is_well();
}

#[test]
fn paths_lead_nowhere_else() {
    let serving = Serving::new("");
    for path in [
        "/tiles/../../../../etc/passwd",
        "/archives/../hills.heights",
        "/archives/..%2f..%2f..%2fetc%2fpasswd",
        "/archives/%2e%2e%2fhills.heights",
        "/archives/%2e%2e/%2e%2e/etc/passwd.pmtiles",
        "/archives/..%5c..%5cetc%5cpasswd.pmtiles",
        "/archives//etc/passwd.pmtiles",
        "/archives/hills.heights",
        "/archives/pixels.pmtiles%00.txt",
        "/archives/%00.pmtiles",
        "/archives/.pmtiles",
        "/tiles/pixels/0/0/%2e%2e",
        "/tiles/pixels/0/0/0%00",
        "/tiles/pixels/0/0/0.webp%00",
        "/tiles/pixels/+0/0/0",
        "/tiles/pixels/00000000000000000000000000000000000000/0/99999999999999999999",
        "/assets/..%2fserve.toml",
        "/elevation/..%2fhills?lon=1&lat=1",
        "/%2e%2e%2fhills.json",
        "/..;/hills.json",
        "/v1/..%2fhills?locations=1,1",
    ] {
        let reply = get(serving.public, path);
        assert!(matches!(reply.status, 400 | 404), "{path}: {}", reply.status);
        let text = reply.text();
        assert!(!text.contains("root:") && !text.contains("listen =") && text.len() < 500, "{path}: {text}");
    }
    serving.is_well();
}

#[test]
fn requests_can_not_be_smuggled() {
    let serving = Serving::new("read_seconds = 1");
    let hidden = "GET /catalog?smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let body = format!("0\r\n\r\n{hidden}");
    let request = |headers: &str| format!("POST /elevation/hills HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    let both = format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", body.len());
    let other = format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", body.len());
    for headers in [
        both.as_str(),
        &other,
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "X: a\r\n b\r\n",
        "X\0: a\r\n",
        " Content-Length: 5\r\n",
    ] {
        let said = answer(serving.public, format!("{}{body}", request(headers)).as_bytes());
        // What is ambiguous is refused, or ends the connection: what follows is never a request of its own.
        assert_eq!(said.matches("HTTP/1.1 ").count(), usize::from(!said.is_empty()), "{headers:?}: {said}");
        assert!(!said.contains("\"datasets\""), "{headers:?}: {said}");
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{headers:?}: {said}");
    }
    // Two requests behind one another are two requests.
    let two = "GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(answer(serving.public, two.as_bytes()).matches("HTTP/1.1 200").count(), 2);
    serving.is_well();
}

#[test]
fn a_flood_of_profiles_is_told_to_come_again() {
    let serving = Serving::new("work = 1");
    let url = "/profile/pixels?line=137.6,34.4;139.8,36.2;137.6,36.2;139.8,34.4&samples=10000";
    let flood: Vec<_> = (0..40)
        .map(|_| {
            let address = serving.public;
            std::thread::spawn(move || Client::new(address).request("GET", url, &[], b""))
        })
        .collect();
    // Short questions do not wait for long ones.
    let mut slowest = Duration::ZERO;
    while flood.iter().any(|thread| !thread.is_finished()) {
        let begun = Instant::now();
        assert_eq!(get(serving.public, "/health").status, 200);
        assert_eq!(get(serving.public, "/elevation/hills?lon=138.7&lat=35.3").status, 200);
        slowest = slowest.max(begun.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let replies: Vec<_> = flood.into_iter().map(|thread| thread.join().unwrap()).collect();
    let busy: Vec<_> = replies.iter().filter(|reply| reply.status == 503).collect();
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 503)));
    assert!(!busy.is_empty() && busy.len() < replies.len(), "{} of {}", busy.len(), replies.len());
    busy.iter().for_each(|reply| {
        assert_eq!(reply.header("retry-after"), "1");
        reply.refused(503, "again");
    });
    assert_eq!(serving.metric("hypso_work_refused_total"), busy.len() as f64);
    serving.is_left_alone();
    serving.is_well();
}

#[test]
fn clients_that_leave_take_nothing_with_them() {
    let serving = Serving::new("work = 2");
    let urls = [
        "/archives/pixels.pmtiles",
        "/profile/hills?line=137.6,34.4;139.8,36.2&samples=10000",
        "/stats/pixels?bbox=137,34,140,37",
        "/openapi.json",
    ];
    let files = serving.metric("process_open_fds");
    for round in 0..100 {
        let mut stream = connect(serving.public);
        stream.write_all(format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", urls[round % 4]).as_bytes()).unwrap();
        if round % 3 > 0 {
            let mut some = vec![0; round % 50 + 1];
            let _ = stream.read(&mut some);
        }
        drop(stream);
    }
    // Half of a request, and gone.
    for part in ["", "GET", "GET /health HTTP/1.1\r\n", "POST /elevation/hills HTTP/1.1\r\nContent-Length: 50\r\n\r\n{"]
    {
        let _ = connect(serving.public).write_all(part.as_bytes());
    }
    serving.is_left_alone();
    serving.is_well();
    // The system closes sockets a moment after they are let go.
    let begun = Instant::now();
    while serving.metric("process_open_fds") > files + 2.0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "files leak");
        std::thread::sleep(Duration::from_millis(20));
    }
}
