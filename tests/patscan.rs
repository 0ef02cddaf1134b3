//! The real binary, run as a user would run it, with nothing of this machine's environment.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// One run of the binary being prepared.
pub(crate) struct Patscan {
    command: Command,
    stdout: Stdio,
    stderr: Stdio,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
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
        Self {
            command,
            stdout: Stdio::piped(),
            stderr: Stdio::piped(),
        }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// A variable that is not to be set.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.command.env_remove(key);
        self
    }

    /// Somewhere else to run.
    pub(crate) fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Credentials that every emulator takes.
    pub(crate) fn with_credentials(self) -> Self {
        self.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "us-east-1")
    }

    /// Something to read on standard input.
    pub(crate) fn stdin(mut self, input: &(impl AsRef<[u8]> + ?Sized)) -> Self {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let input = input.as_ref().to_owned();
        // A run that fails early reads nothing.
        std::thread::spawn(move || writer.write_all(&input).ok());
        self.command.stdin(reader);
        self
    }

    /// Somewhere else for standard output to go; the run then shows none.
    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = stdout.into();
        self
    }

    /// Somewhere else for standard error to go; the run then shows none.
    pub(crate) fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.stderr = stderr.into();
        self
    }

    /// Begins the run, for who has something to do with it before it ends.
    pub(crate) fn start(mut self) -> Child {
        self.command.stdout(self.stdout).stderr(self.stderr);
        self.command.spawn().unwrap()
    }

    /// Runs on a terminal of its own, on which these lines are typed, one for each MFA code that is asked for. What the terminal
    /// showed is the run's standard error; standard output goes to a file.
    pub(crate) fn run_on_a_terminal(self, typed: &[&str]) -> Run {
        let stdout = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new("python3");
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pseudo_terminal.py"))
            .arg(stdout.path())
            .arg(typed.len().to_string())
            .args(typed)
            .arg(self.command.get_program())
            .args(self.command.get_args())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(
                self.command
                    .get_envs()
                    .filter_map(|(key, value)| Some((key, value?))),
            )
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: std::fs::read_to_string(stdout.path()).unwrap(),
            stderr: String::from_utf8(output.stdout).unwrap(),
        }
    }

    pub(crate) fn run(mut self) -> Run {
        self.command.stdout(self.stdout).stderr(self.stderr);
        self.command.output().unwrap().into()
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A pipe whose reader has gone away.
pub(crate) fn broken_pipe() -> Stdio {
    let (_, writer) = std::io::pipe().unwrap();
    writer.into()
}

impl Run {
    /// What the one line on standard error says, of a run that failed as every failure should: exit code 2, nothing on
    /// standard output, no trace of a panic.
    pub(crate) fn failure(&self) -> &str {
        assert_eq!(self.code, 2, "{self:?}");
        assert_eq!(self.stdout, "");
        let line = self.stderr.strip_suffix('\n').unwrap();
        assert!(!line.contains('\n'), "{line}");
        for trace in ["panicked", "backtrace", "Some(", "Err("] {
            assert!(!line.contains(trace), "{line}");
        }
        line.strip_prefix("error: ")
            .unwrap_or_else(|| panic!("{line}"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }
}

/// The folder of the fixture accounts.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/accounts")
}

/// The snapshot of a fixture account.
pub(crate) fn fixture(scenario: &str) -> PathBuf {
    fixtures().join(scenario).join("snapshot.json")
}

/// Audits a fixture, with its configuration if it has one, and gives the JSON report.
pub(crate) fn audit(scenario: &str) -> Value {
    let run = Patscan::new(["analyze", "-f", "json"]).arg(fixture(scenario));
    let config = fixtures().join(scenario).join("patscan.toml");
    let run = if config.is_file() {
        run.arg("--config").arg(config)
    } else {
        run
    };
    run.run().json()
}
