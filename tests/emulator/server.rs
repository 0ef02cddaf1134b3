//! Servers from `PyPI`, each in a virtual environment below `target/` and on a free port of the loopback interface.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);

/// A running server; dropping it ends it.
pub(super) struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts what `command` gives for a port and waits until it answers.
    pub(super) fn start(command: impl Fn(u16) -> Command) -> Self {
        // Between finding a free port and using it, another process can take it: then the server exits and another is tried.
        for _ in 0..5 {
            let port = free_port();
            let process = command(port)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut server = Self { process, port };
            if server.answers() {
                return server;
            }
        }
        panic!("{:?} does not start", command(0));
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Whether the server answers before it exits or patience ends.
    fn answers(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            if is_up(self.port).unwrap_or(false) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The programs of the virtual environment of a requirement, which is made on first use. A lock keeps tests, which may be
/// processes, from making it at the same time.
pub(crate) fn programs(requirement: &str) -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = parent.join(requirement.replace(['[', ']', '='], "-"));
    let complete = folder.join("complete");
    std::fs::create_dir_all(parent).unwrap();
    let lock = File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !complete.exists() {
        run(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&folder),
            "install Python 3.9 or later with its venv module (Debian: `apt-get install python3 python3-venv`)",
        );
        run(
            Command::new(folder.join("bin/pip")).args(["install", "--quiet", requirement]),
            "the emulators for tests come from PyPI: check the network, or pip's index settings",
        );
        File::create(&complete).unwrap();
    }
    folder.join("bin")
}

/// A script that stands beside this file.
pub(super) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/emulator")
        .join(name)
}

fn run(command: &mut Command, advice: &str) {
    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!(
            "{command:?} failed; {advice}\n{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => panic!("{command:?} could not be run ({error}); {advice}"),
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port()
}

fn is_up(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut start = [0; 7];
    stream.read_exact(&mut start)?;
    Ok(&start == b"HTTP/1.")
}
