//! The server as a process: its options, its end, and the sockets of a supervisor.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::http::Client;
use hypso::archive::{self, ArchiveMetadata};
use hypso::tile::TileCoord;

/// An archive whose only tile has so many bytes.
fn archive_of(folder: &Path, bytes: usize) -> PathBuf {
    let path = folder.join("x.pmtiles");
    let mut sink = archive::create(&path, &ArchiveMetadata::default(), false).unwrap();
    sink.put(TileCoord::new(0, 0, 0).unwrap(), &vec![7; bytes]).unwrap();
    sink.finish().unwrap();
    path
}

fn hypso(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hypso"));
    command.arg("serve").args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A server that ends with the test.
struct Serving {
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
}

impl Serving {
    fn start(args: &[&str]) -> Self {
        Self::run(hypso(args))
    }

    fn run(mut command: Command) -> Self {
        let mut child = command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut next = |before: &str| {
            let line = lines.next().unwrap().unwrap();
            let address = line.split(before).nth(1).unwrap_or_else(|| panic!("{line}"));
            address.trim_end_matches("/metrics").parse().unwrap()
        };
        let (address, admin) = (next("on http://"), next("on http://"));
        // What follows must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, admin }
    }

    fn terminate(&self) {
        terminate(&self.child.id().to_string());
    }

    fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

fn terminate(process: &str) {
    assert!(Command::new("kill").args(["-TERM", process]).status().unwrap().success());
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_configuration_is_checked_before_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = archive_of(folder.path(), 10);
    let run = |args: &[&str]| {
        let out = hypso(args).output().unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap())
    };
    let archive = path.to_str().unwrap();
    assert_eq!(run(&["--check", archive]), (Some(0), "x: tiles\n".into()));
    let (code, said) = run(&["--check"]);
    assert!(code == Some(2) && said.contains("nothing to serve"), "{said}");
    let (code, said) = run(&["--check", &format!("tiles={archive}")]);
    assert!(code == Some(2) && said.contains("is a path of the server"), "{said}");
    let (code, said) = run(&["--check", "missing.pmtiles"]);
    assert!(code == Some(1) && said.contains("missing.pmtiles"), "{said}");
    let config = folder.path().join("serve.toml");
    std::fs::write(&config, "listn = 1\n").unwrap();
    let (code, said) = run(&["--config", config.to_str().unwrap()]);
    assert!(code == Some(1) && said.contains("listn") && said.contains("serve.toml"), "{said}");
    // A folder with a file that is none is checked to the end.
    std::fs::write(folder.path().join("y.pmtiles"), "nothing").unwrap();
    let (code, said) = run(&["--check", folder.path().to_str().unwrap()]);
    assert!(code == Some(3) && said.contains("x: tiles") && said.contains("y.pmtiles"), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, said) = run(&[archive, "--listen", &taken.local_addr().unwrap().to_string()]);
    assert!(code == Some(2) && said.contains("--listen") && said.contains("another server"), "{said}");
}

/// Bytes of a file that a process has in its map, by its name's end.
#[cfg(target_os = "linux")]
fn touched(process: &Serving, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/smaps", process.child.id())).unwrap();
    let (mut inside, mut sum) = (false, 0);
    for line in text.lines() {
        if line.split_whitespace().next().is_some_and(|word| word.contains('-')) {
            inside = line.ends_with(name);
        } else if let Some(size) = line.strip_prefix("Rss:").filter(|_| inside) {
            sum += size.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10;
        }
    }
    sum
}

#[test]
#[cfg(target_os = "linux")]
fn files_are_read_before_anybody_asks_unless_that_is_forbidden() {
    const SIZE: u64 = 2000 * 16_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pmtiles");
    let write = |number: u64| {
        let mut sink = archive::create(&path, &ArchiveMetadata::default(), true).unwrap();
        for id in 1..=2000 {
            let bytes: Vec<u8> = (0..2000u64).flat_map(|i| (i * id + number).to_le_bytes()).collect();
            sink.put(hypso::tile::TileId(id).coord().unwrap(), &bytes).unwrap();
        }
        sink.finish().unwrap();
    };
    write(1);
    let server = Serving::start(&[path.to_str().unwrap()]);
    let is_read = || {
        let begun = Instant::now();
        while touched(&server, "/x.pmtiles") < SIZE {
            assert!(begun.elapsed() < Duration::from_secs(60), "{} of {SIZE}", touched(&server, "/x.pmtiles"));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    is_read();
    // So is a version that takes its place.
    let silent = Serving::start(&[path.to_str().unwrap(), "--no-preload"]);
    write(2);
    is_read();
    assert_eq!(Client::new(silent.address).get("/tiles/x/1/0/0").status, 200);
    assert!(touched(&silent, "/x.pmtiles") < SIZE / 4, "{}", touched(&silent, "/x.pmtiles"));
}

#[test]
fn requests_end_before_the_server_does() {
    let folder = tempfile::tempdir().unwrap();
    // More than the system keeps for a client that does not read.
    let path = archive_of(folder.path(), 32 << 20);
    let mut server = Serving::start(&[path.to_str().unwrap()]);
    let mut idle = Client::new(server.address);
    assert_eq!(idle.get("/ready").status, 200);
    let mut slow = TcpStream::connect(server.address).unwrap();
    slow.write_all(b"GET /tiles/x/0/0/0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut head = [0; 64];
    slow.read_exact(&mut head).unwrap();
    assert!(head.starts_with(b"HTTP/1.1 200"));
    server.terminate();
    let begun = Instant::now();
    let mut operator = Client::new(server.admin);
    while operator.get("/ready").status != 503 {
        assert!(begun.elapsed() < Duration::from_secs(10), "it says that it is stopping");
        std::thread::sleep(Duration::from_millis(10));
    }
    while TcpStream::connect(server.address).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10), "no new connection is taken");
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    assert!(rest.len() > 32 << 20 && rest.ends_with(&[7; 1000]), "the answer that was under way is whole");
    assert_eq!(server.code(), Some(0));
}

/// Process 1 of a container gets no signal that it does not ask for.
#[cfg(target_os = "linux")]
#[test]
fn as_process_1_it_ends_when_it_is_asked_to() {
    let apart = || {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    if !apart().arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: this system does not let the test make a process 1 (unshare --pid)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = archive_of(folder.path(), 10);
    let mut command = apart();
    command.args([env!("CARGO_BIN_EXE_hypso"), "serve", path.to_str().unwrap()]);
    let mut server = Serving::run(command);
    assert_eq!(Client::new(server.address).get("/tiles/x/0/0/0").status, 200);
    let outer = server.child.id();
    let inner = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).unwrap();
    terminate(inner.trim());
    let begun = Instant::now();
    while server.child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(server.code(), Some(0));
}

#[test]
fn a_key_is_asked_for_and_the_log_tells_what_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = archive_of(folder.path(), 10);
    let config = folder.path().join("serve.toml");
    std::fs::write(folder.path().join("key"), "secret\n").unwrap();
    std::fs::write(&config, "key_file = \"key\"\naccess_log = \"access.log\"\npublic_url = \"https://x.org/v1/\"\n")
        .unwrap();
    let mut server = Serving::start(&[path.to_str().unwrap(), "--config", config.to_str().unwrap()]);
    let mut client = Client::new(server.address);
    for (path, key, status) in [
        ("/tiles/x/0/0/0", "", 401),
        ("/tiles/x/0/0/0", "Bearer secre", 401),
        ("/tiles/x/0/0/0", "Bearer secret", 200),
        ("/health", "", 200),
    ] {
        let headers = [("Authorization", key)];
        let headers = if key.is_empty() { &[] } else { &headers[..] };
        assert_eq!(client.request("GET", path, headers, b"").status, status, "{path} {key}");
    }
    let headers = [("Host", "evil.org"), ("Authorization", "Bearer secret")];
    let document = client.request("GET", "/x.json", &headers, b"").ok();
    assert_eq!(document["tiles"][0], "https://x.org/v1/tiles/x/{z}/{x}/{y}.bin");
    server.terminate();
    assert_eq!(server.code(), Some(0));
    let log = std::fs::read_to_string(folder.path().join("access.log")).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines.iter().map(|line| line["status"].as_u64().unwrap()).collect::<Vec<_>>(),
        [401, 401, 200, 200, 200]
    );
    assert!(lines[2]["url"] == "/tiles/x/0/0/0" && lines[2]["bytes"] == 10 && !log.contains("secret"));
}

/// Starts hypso with a socket that it inherits, as systemd does: the file 3, `LISTEN_FDS` and `LISTEN_PID`.
const SUPERVISOR: &str = r#"
import os, socket, subprocess, sys
taken = socket.socket()
taken.bind(("127.0.0.1", 0))
taken.listen(128)
print(taken.getsockname()[1], flush=True)
def inside():
    os.dup2(taken.fileno(), 3, inheritable=True)
start = "import os, sys; os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); os.execv(sys.argv[1], sys.argv[1:])"
for line in sys.stdin:
    child = subprocess.Popen([sys.executable, "-c", start, *sys.argv[1:]], preexec_fn=inside, pass_fds=[3], stderr=subprocess.DEVNULL)
    sys.stdin.readline()
    child.terminate()
    print(child.wait(), flush=True)
"#;

#[test]
fn a_supervisors_socket_outlives_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = archive_of(folder.path(), 10);
    let mut supervisor = Command::new("python3")
        .args(["-c", SUPERVISOR, env!("CARGO_BIN_EXE_hypso"), "serve", path.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    let mut said = BufReader::new(supervisor.stdout.take().unwrap());
    let mut line = || {
        let mut text = String::new();
        said.read_line(&mut text).unwrap();
        text.trim().to_owned()
    };
    let address: SocketAddr = format!("127.0.0.1:{}", line()).parse().unwrap();
    let mut order = supervisor.stdin.take().unwrap();
    for round in 0..2 {
        // The connection comes before the server does, and waits for it.
        let mut client = Client::new(address);
        order.write_all(b"start\n").unwrap();
        assert_eq!(client.get("/tiles/x/0/0/0").body, [7; 10], "round {round}");
        drop(client);
        order.write_all(b"stop\n").unwrap();
        assert_eq!(line(), "0", "round {round}");
    }
    drop(order);
    assert!(supervisor.wait().unwrap().success());
}
