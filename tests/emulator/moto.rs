//! The moto emulator (`moto_server`), from `PyPI` into a virtual environment below `target/`.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const REQUIREMENT: &str = "moto[server]==5.2.5";
const PATIENCE: Duration = Duration::from_mins(1);

/// A running emulator with a state of its own.
pub(crate) struct Moto {
    server: Child,
    port: u16,
    bin: PathBuf,
}

impl Moto {
    /// Starts an emulator without any resources.
    pub(crate) fn start() -> Self {
        let bin = virtual_environment().join("bin");
        // Between finding a free port and using it, another process can take it: then the server exits and another is tried.
        for _ in 0..5 {
            let port = free_port();
            let mut server = Command::new(bin.join("moto_server"))
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            if answers(&mut server, port) {
                return Self { server, port, bin };
            }
            server.kill().ok();
            server.wait().ok();
        }
        panic!(
            "moto_server does not start; remove {} and try again",
            bin.display()
        );
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Runs a Python script of `tests/emulator` against the emulator; boto3 is at hand, the endpoint is in the environment.
    /// Returns what it prints.
    pub(crate) fn seed(&self, script: &str) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/emulator")
            .join(script);
        let output = Command::new(self.bin.join("python"))
            .arg(&script)
            .env_clear()
            .envs([
                ("AWS_ENDPOINT_URL", self.url().as_str()),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
                ("AWS_CONFIG_FILE", "/dev/null"),
                ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{} failed:\n{}",
            script.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

/// The folder of the virtual environment, made on first use. A lock keeps tests, which may be processes, from making it
/// at the same time.
fn virtual_environment() -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = parent.join(REQUIREMENT.replace(['[', ']', '='], "-"));
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
            Command::new(folder.join("bin/pip")).args(["install", "--quiet", REQUIREMENT]),
            "the emulator for tests comes from PyPI: check the network, or pip's index settings",
        );
        File::create(&complete).unwrap();
    }
    folder
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

/// Whether the server answers before it exits or patience ends.
fn answers(server: &mut Child, port: u16) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if server.try_wait().unwrap().is_some() {
            return false;
        }
        if is_up(port).unwrap_or(false) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

fn is_up(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"GET /moto-api/ HTTP/1.0\r\n\r\n")?;
    let mut start = [0; 7];
    stream.read_exact(&mut start)?;
    Ok(&start == b"HTTP/1.")
}
