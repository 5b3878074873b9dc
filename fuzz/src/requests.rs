//! Sends altered requests to a server in this process: lines, queries, bodies, and what lies between. See README.md.

#[allow(dead_code, reason = "another program asks the files")]
mod heights;
mod random;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hypso::serve::{Input, Options, Server};
use random::Random;

impl Random {
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// Requests that are answered: method, URL, type of the body, body.
const SEEDS: [[&str; 4]; 22] = [
    ["GET", "/elevation/a?lon=138.7&lat=35.3&interpolation=nearest&max_zoom=3", "", ""],
    ["POST", "/elevation/a", "application/json", r#"{"points":[[138.7,35.3],[-10,0.5e1]]}"#],
    [
        "POST",
        "/elevation/a",
        "application/geo+json",
        r#"{"type":"Feature","geometry":{"type":"LineString","coordinates":[[1,2],[3,4,5]]},"properties":{}}"#,
    ],
    ["GET", "/profile/a?line=1,2;3,4;-170,60&samples=50", "", ""],
    ["GET", "/profile/a?polyline=_p~iF~ps|U_ulLnnqC_mqNvxq%60@&precision=5&spacing=90000&format=swisstopo", "", ""],
    [
        "POST",
        "/profile/a?samples=9",
        "application/json",
        r#"{"type":"MultiLineString","coordinates":[[[1,2],[3,4]],[[5,6],[7,8]]]}"#,
    ],
    ["GET", "/stats/a?bbox=170,-20,-170,40&max_zoom=4", "", ""],
    [
        "POST",
        "/stats/a",
        "application/json",
        r#"{"type":"Polygon","coordinates":[[[0,0],[40,0],[40,40],[0,0]],[[5,5],[6,5],[6,6],[5,5]]]}"#,
    ],
    ["GET", "/sight/a?from=1,2&to=3,4&eye=10&target=5&refraction=0.25", "", ""],
    ["GET", "/v1/a,b?locations=-43.5,172.5|27.6,1.98&interpolation=cubic&nodata_value=nan", "", ""],
    ["GET", "/v1/a?locations=gfo}EtohhU&format=geojson", "", ""],
    ["POST", "/v1/a", "application/json", r#"{"locations":"1,2|3,4","samples":5,"nodata_value":-9999}"#],
    ["POST", "/v1/a", "application/x-www-form-urlencoded", "locations=1,2%7C3,4&samples=5"],
    ["GET", "/api/v1/lookup?locations=10,10|20,20|41.161758,-8.583933", "", ""],
    ["POST", "/api/v1/lookup", "application/json", r#"{"locations":[{"latitude":10,"longitude":10}]}"#],
    ["GET", r#"/height?json={"range":true,"shape":[{"lat":40.7,"lon":-76.5},{"lat":40.8,"lon":-76.6}]}&id=x"#, "", ""],
    [
        "POST",
        "/height",
        "application/json",
        r#"{"encoded_polyline":"_izlhA~rlgdF_{geC~ywl@","resample_distance":50000,"height_precision":2}"#,
    ],
    ["GET", "/maps/api/elevation/json?path=enc:gfo}EtohhUxD@bAxJmGF&samples=3&key=k", "", ""],
    ["GET", "/catalog?limit=5&cursor=0000000000000000.a", "", ""],
    ["GET", "/a.json", "", ""],
    ["GET", "/tiles/a/3/4/5.webp", "", ""],
    ["GET", "/archives/a.pmtiles", "", ""],
];

/// What tends to hurt where a number or a text stands.
const PIECES: [&str; 34] = [
    "",
    "0",
    "-0",
    "-1",
    "1e308",
    "1e400",
    "-1e-320",
    "NaN",
    "inf",
    "9007199254740993",
    "18446744073709551616",
    "90.0000001",
    "-180",
    "360",
    "361",
    "%00",
    "%ff",
    "%",
    "%2",
    "%zz",
    "%2e%2e%2f",
    "../",
    "&",
    "=",
    "?",
    "+",
    "|",
    ",",
    ";",
    "[[[[[[[[",
    "{\"a\":",
    "null",
    "\u{1F30D}",
    "~~~~~~~~~~~~",
];

/// Alters some bytes of a text, or puts pieces into it.
fn altered(text: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(8)).min(bytes.len());
        match random.below(6) {
            0 => drop(bytes.splice(at..end, PIECES[random.below(PIECES.len())].bytes())),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let copy = bytes[at..end].repeat(1 + random.below(40));
                bytes.splice(at..at, copy);
            }
            3 if at < bytes.len() => bytes[at] = random.next() as u8,
            4 => bytes.truncate(at),
            _ => {
                // A number somewhere is replaced by another.
                let digits = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'-');
                if let Some(start) = bytes[at..].iter().position(digits).map(|from| at + from) {
                    let length = bytes[start..].iter().take_while(|b| digits(b)).count();
                    bytes.splice(start..start + length, PIECES[random.below(PIECES.len())].bytes());
                }
            }
        }
    }
    bytes
}

fn request(random: &mut Random) -> Vec<u8> {
    let [method, url, kind, body] = SEEDS[random.below(SEEDS.len())];
    let mut url = altered(url, random);
    // Most requests keep their form, so that they come to a handler.
    if random.below(8) > 0 {
        url.retain(|b| !b.is_ascii_whitespace() && !b.is_ascii_control());
    }
    let body = altered(body, random);
    let method =
        if random.below(30) == 0 { random.one(&["HEAD", "PUT", "OPTIONS", "TRACE", "get", "CONNECT"]) } else { method };
    let mut head = [method.as_bytes(), b" ", &url, b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"].concat();
    if !body.is_empty() {
        head.extend(format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()).bytes());
    }
    if random.below(10) == 0 {
        let value = random.one(&["bytes=0-5", "bytes=-", "bytes=5-1,7-", "\"x\", W/\"y\"", "*", "gzip;q=x", "\u{80}"]);
        let name =
            random.one(&["Range", "If-None-Match", "If-Match", "If-Range", "Accept-Encoding", "Origin", "Expect"]);
        head.extend(format!("{name}: {value}\r\n").bytes());
    }
    let mut whole = [head, b"\r\n".to_vec(), body].concat();
    if random.below(20) == 0 {
        let at = random.below(whole.len());
        whole[at] = random.next() as u8;
    }
    whole
}

/// The status of an answer; `None` where the connection is closed, or left open, without one.
fn ask(address: SocketAddr, request: &[u8]) -> std::io::Result<(Option<u16>, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let status =
        answer.strip_prefix(b"HTTP/1.1 ").and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok());
    Ok((status, answer))
}

fn run(seconds: u64, seed: u64) -> Result<(u64, u64), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let folder = std::env::temp_dir().join(format!("hypso-requests-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|e| text(&e))?;
    for (name, seed) in [("a", 1), ("b", 2)] {
        std::fs::write(folder.join(name).with_extension("heights"), heights::seed(&mut Random(seed)))
            .map_err(|e| text(&e))?;
    }
    let mut options = Options::default();
    options.listen = "127.0.0.1:0".into();
    options.limits.read_seconds = 1;
    options.inputs.push(Input::parse(&folder.to_string_lossy()).map_err(|e| text(&e))?);
    let server = Server::new(options).and_then(Server::start).map_err(|e| text(&e))?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let address = server.address();
    // Several at once: a request that is not whole waits for its end.
    let results: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| scope.spawn(move || client(address, Random(seed.wrapping_mul(CLIENTS).wrapping_add(n)), end)))
            .collect();
        clients.into_iter().map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".into()))).collect()
    });
    let stopped = server.stop().map_err(|e| text(&e));
    let _ = std::fs::remove_dir_all(&folder);
    let (mut requests, mut answered) = (0, 0);
    for result in results {
        let (all, well) = result?;
        (requests, answered) = (requests + all, answered + well);
    }
    stopped.map(|()| (requests, answered))
}

/// Clients that ask at once.
const CLIENTS: u64 = 24;

/// Asks until the end: how many requests, and how many were answered with 200.
fn client(address: SocketAddr, mut random: Random, end: Instant) -> Result<(u64, u64), String> {
    let (mut requests, mut answered) = (0, 0);
    while Instant::now() < end {
        let request = request(&mut random);
        let asked = Instant::now();
        let failed = |said: String| format!("request {requests}: {:?}: {said}", String::from_utf8_lossy(&request));
        match ask(address, &request) {
            Ok((Some(500..=502 | 504..), answer)) => return Err(failed(String::from_utf8_lossy(&answer).into_owned())),
            Ok((status, _)) => answered += u64::from(status == Some(200)),
            Err(error) => return Err(failed(error.to_string())),
        }
        if asked.elapsed() > Duration::from_secs(10) {
            return Err(failed("took more than ten seconds".into()));
        }
        requests += 1;
    }
    Ok((requests, answered))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    match run(value("--seconds", 20), value("--seed", 1)) {
        Ok((requests, answered)) => {
            println!("{requests} requests, {answered} of them answered with 200");
            // Altered requests that nothing answers test little.
            ExitCode::from(u8::from(answered * 20 < requests))
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
