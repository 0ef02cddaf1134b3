//! The real binary, run as a user would run it, with nothing of this machine's environment.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// One run of the binary being prepared.
pub(crate) struct Patscan {
    command: Command,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Patscan {
    /// A run with an empty environment but for what stops the SDK from looking beyond this machine.
    pub(crate) fn new<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_patscan"));
        command
            .env_clear()
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/nonexistent/config")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
            .args(arguments)
            .stdin(Stdio::null());
        Self { command }
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Credentials that every emulator takes.
    pub(crate) fn with_credentials(self) -> Self {
        self.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "us-east-1")
    }

    pub(crate) fn run(mut self) -> Run {
        let output = self.command.output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }
}

/// The folder of the fixture accounts.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/accounts")
}

/// Audits a fixture and gives the JSON report.
pub(crate) fn audit(scenario: &str) -> Value {
    let snapshot = fixtures().join(scenario).join("snapshot.json");
    Patscan::new([
        OsStr::new("analyze"),
        snapshot.as_os_str(),
        OsStr::new("-f"),
        OsStr::new("json"),
    ])
    .run()
    .json()
}
