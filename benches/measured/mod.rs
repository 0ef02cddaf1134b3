//! What is measured, on what: shared by the benches, which differ in how they measure.

#[path = "../../examples/generate-account/account/mod.rs"]
mod account;

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::DateTime;
use patscan::access::Access;
use patscan::account::{Account, PolicyText, from_slice};
use patscan::audit;
use patscan::graph::Graph;
use patscan::policy::{Document, PolicyKind};
use patscan::report::{self, Format, Style};
use patscan::rules::Settings;
use serde::Serialize;

use self::account::{Size, generate};

/// That of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: &str = "PATSCAN_BENCH_SIZES";

/// The sizes to measure: those that the environment names, or two that take a minute; the smallest where nothing is
/// measured and benches only have to run (`cargo test --benches`).
pub(crate) fn sizes() -> Vec<Shape> {
    match std::env::var(SIZES) {
        Ok(sizes) => sizes
            .split(',')
            .map(|size| {
                Shape::read(size.trim()).unwrap_or_else(|| {
                    panic!(
                        "{SIZES} is `{sizes}`; give numbers like `100,1000,10000` or `2000x1000`"
                    )
                })
            })
            .collect(),
        Err(_) if std::env::args().any(|argument| argument == "--bench") => {
            vec![Shape::square(100), Shape::square(1000)]
        }
        Err(_) => vec![Shape::square(100)],
    }
}

/// How large an account is.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    roles: usize,
    queues: usize,
}

impl Shape {
    fn square(size: usize) -> Self {
        Self {
            roles: size,
            queues: size,
        }
    }

    /// `1000`, or roles and queues apart: `2000x1000`.
    fn read(text: &str) -> Option<Self> {
        match text.split_once('x') {
            None => text.parse().ok().map(Self::square),
            Some((roles, queues)) => Some(Self {
                roles: roles.parse().ok()?,
                queues: queues.parse().ok()?,
            }),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.roles == self.queues {
            f.pad(&self.roles.to_string())
        } else {
            f.pad(&format!("{}x{}", self.roles, self.queues))
        }
    }
}

/// A generated account in every form in which a stage takes it.
pub(crate) struct Input {
    pub(crate) accounts: Vec<Account>,
    pub(crate) snapshot: Vec<u8>,
    documents: Vec<(PolicyText, PolicyKind)>,
    loops_to_find: usize,
}

#[derive(Serialize)]
struct Snapshot<'a> {
    schema: &'static str,
    account: &'a Account,
}

impl Input {
    /// So many roles and queues, a user for five roles and a function for two queues.
    pub(crate) fn of(shape: Shape) -> Self {
        let generated = generate(&Size {
            roles: shape.roles,
            users: shape.roles / 5,
            queues: shape.queues,
            functions: shape.queues / 2,
            channels: 0,
            seed: 1,
            hostile: false,
        });
        let account = generated.account;
        let snapshot = serde_json::to_vec_pretty(&Snapshot {
            schema: "patscan.snapshot/v1",
            account: &account,
        });
        Self {
            snapshot: snapshot.unwrap(),
            documents: documents(&account),
            accounts: vec![account],
            loops_to_find: generated.narrow_loops.len(),
        }
    }

    pub(crate) fn bytes_of_documents(&self) -> usize {
        let texts = self.documents.iter();
        texts.map(|(text, _)| text.as_str().len()).sum()
    }

    pub(crate) fn pairs(&self) -> usize {
        let accounts = self.accounts.iter();
        accounts
            .map(|account| (account.roles.len() + account.users.len()) * account.queues.len())
            .sum()
    }

    /// Parses every document where it stands; gives the number of statements.
    pub(crate) fn parse(&self) -> usize {
        let parsed = self
            .documents
            .iter()
            .map(|(text, kind)| Document::parse(text.as_str(), *kind));
        parsed.map(|document| document.statements().len()).sum()
    }

    /// Everything parsed that decides, and nothing decided.
    pub(crate) fn prepared(&self) -> Access<'_> {
        Access::prepare(&self.accounts)
    }

    /// Computes who may do what.
    pub(crate) fn access(&self) -> Access<'_> {
        Access::compute(&self.accounts)
    }

    /// Finds the loops; gives the number of roles that have one.
    pub(crate) fn loops(&self, access: &Access<'_>) -> usize {
        let graph = Graph::new(access);
        let roles: BTreeSet<usize> = graph.loops().map(|found| found.principal).collect();
        assert!(
            roles.len() >= self.loops_to_find,
            "an answer without the loops that were put in is no answer"
        );
        roles.len()
    }

    /// All that `patscan analyze -f json` does but for the files; gives the length of the report and how long it took. The
    /// program writes the report as it is made, and ends with it, so that neither holding it in memory nor giving back memory
    /// counts.
    pub(crate) fn analyze(&self) -> (usize, Duration) {
        let begun = Instant::now();
        let account = from_slice(&self.snapshot, Path::new("generated")).unwrap();
        let accounts = [account];
        let access = Access::compute(&accounts);
        let report = audit::report(&access, &Settings::default(), DateTime::UNIX_EPOCH);
        let style = Style {
            color: false,
            width: 80,
        };
        let mut json = Length(0);
        report::write(&report, Format::Json, style, &mut json).unwrap();
        (json.0, begun.elapsed())
    }
}

/// Counts what is written, and keeps none of it.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every document of the account, those of managed policies once.
fn documents(account: &Account) -> Vec<(PolicyText, PolicyKind)> {
    let inline = (account.roles.iter().flat_map(|role| &role.inline))
        .chain(account.users.iter().flat_map(|user| &user.inline))
        .chain(account.groups.iter().flat_map(|group| &group.inline))
        .map(|policy| &policy.document);
    let managed = (account.policies.iter()).filter_map(|policy| policy.document.as_ref());
    let trust = account.roles.iter().map(|role| &role.trust);
    let queues =
        (account.queues.iter()).filter_map(|queue| queue.attributes.as_ref()?.policy.as_ref());
    let keys = account.keys.iter().filter_map(|key| key.policy.as_ref());
    inline
        .chain(managed)
        .map(|text| (text, PolicyKind::Identity))
        .chain(trust.map(|text| (text, PolicyKind::Trust)))
        .chain(queues.chain(keys).map(|text| (text, PolicyKind::Resource)))
        .map(|(text, kind)| (text.clone(), kind))
        .collect()
}
