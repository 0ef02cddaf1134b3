//! The moto emulator (`moto_server`): an inventory with state, which enforces nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::{Server, programs, script};

const REQUIREMENT: &str = "moto[server]==5.2.5";

/// A running emulator with a state of its own.
pub(crate) struct Moto {
    server: Server,
    bin: PathBuf,
}

impl Moto {
    /// Starts an emulator without any resources.
    pub(crate) fn start() -> Self {
        let bin = programs(REQUIREMENT);
        let server = Server::start(|port| {
            let mut command = Command::new(bin.join("moto_server"));
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            command
        });
        Self { server, bin }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Runs a Python script of `tests/emulator` against the emulator; boto3 is at hand, the endpoint is in the environment.
    /// Returns what it prints.
    pub(crate) fn seed(&self, name: &str) -> String {
        self.run(name, &[])
    }

    /// The same for a script that reads a file.
    pub(crate) fn seed_from(&self, name: &str, file: &Path) -> String {
        self.run(name, &[file])
    }

    fn run(&self, name: &str, files: &[&Path]) -> String {
        let output = Command::new(self.bin.join("python"))
            .arg(script(name))
            .args(files)
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
            "{name} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}
