//! `patscan simulate`: decides authorization requests given as JSON Lines, any service and any action.
//!
//! One request per line in, one decision per line out, in order, while reading. A line that cannot be read is answered by an
//! error in its place.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Outcome;
use crate::access::{
    Candidates, Decision, Layer, Layers, Matched, Policy, Verdict, authorized_as, decide,
    has_resource,
};
use crate::account::PolicyText;
use crate::arn::Arn;
use crate::cli::SimulateArgs;
use crate::policy::{
    Assumption, ContextKeys, Domain, Effect, Lookup, PolicyKind, Request, Requester, RequesterKind,
    is_multivalued,
};
use crate::report;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestLine {
    #[serde(default)]
    id: Value,
    principal: String,
    action: String,
    resource: String,
    #[serde(default)]
    resource_account: Option<String>,
    #[serde(default)]
    context: HashMap<String, ContextValues>,
    #[serde(default)]
    unknown: Vec<String>,
    #[serde(default)]
    identity_policies: Vec<PolicyText>,
    #[serde(default)]
    permissions_boundaries: Option<Vec<PolicyText>>,
    #[serde(default)]
    session_policies: Option<Vec<PolicyText>>,
    #[serde(default)]
    resource_policy: Option<PolicyText>,
    #[serde(default)]
    scps: Vec<Vec<PolicyText>>,
    #[serde(default)]
    rcps: Vec<Vec<PolicyText>>,
    #[serde(default)]
    endpoint_policies: Option<Vec<PolicyText>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ContextValues {
    One(String),
    Many(Vec<String>),
}

#[derive(Serialize)]
struct DecisionLine {
    id: Value,
    decision: &'static str,
    explicit: bool,
    layer: Option<&'static str>,
    matched: Vec<MatchedStatement>,
    conditions: Vec<String>,
    assumptions: Vec<&'static str>,
}

#[derive(Serialize)]
struct MatchedStatement {
    layer: &'static str,
    policy: usize,
    statement: String,
    effect: &'static str,
}

#[derive(Serialize)]
struct ErrorLine {
    id: Value,
    error: String,
}

struct Keys {
    values: HashMap<String, Vec<String>>,
    unknown: Vec<String>,
    /// Given twice in different letter case: present, but which value counts is unpredictable (E6).
    ambiguous: Vec<String>,
}

impl Keys {
    fn new(context: HashMap<String, ContextValues>, unknown: &[String]) -> Self {
        let mut keys = Self {
            values: HashMap::with_capacity(context.len()),
            unknown: unknown.iter().map(|key| key.to_lowercase()).collect(),
            ambiguous: Vec::new(),
        };
        for (key, values) in context {
            let values = match values {
                ContextValues::One(value) => vec![value],
                ContextValues::Many(values) => values,
            };
            let key = key.to_lowercase();
            if keys.values.insert(key.clone(), values).is_some() {
                keys.ambiguous.push(key);
            }
        }
        keys
    }
}

impl ContextKeys for Keys {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        if self.unknown.iter().any(|unknown| unknown == key) {
            return Lookup::Open(Domain::ANYTHING);
        }
        if self.ambiguous.iter().any(|ambiguous| ambiguous == key) {
            return Lookup::Open(Domain::PRESENT);
        }
        match self.values.get(key).map(Vec::as_slice) {
            None => Lookup::Absent,
            Some([value]) if !is_multivalued(key) => Lookup::One(Cow::Borrowed(value)),
            Some(values) => Lookup::Many(
                values
                    .iter()
                    .map(|value| Cow::Borrowed(value.as_str()))
                    .collect(),
            ),
        }
    }
}

pub(super) fn run(args: &SimulateArgs) -> Result<Outcome> {
    let stdout = BufWriter::new(io::stdout().lock());
    let decided = if args.file.as_os_str() == "-" {
        decide_lines(BufReader::new(io::stdin().lock()), stdout)
    } else {
        decide_lines(BufReader::new(open(&args.file)?), stdout)
    };
    match decided {
        Ok(0) => Ok(Outcome::Clean),
        Ok(broken) => {
            let lines = if broken == 1 { "line" } else { "lines" };
            super::explain(&format!(
                "exit 2: {broken} {lines} could not be read (their answers say why)"
            ));
            Ok(Outcome::Failed)
        }
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Outcome::Clean),
        Err(error) => Err(anyhow!(
            "cannot decide every line: {error}; check the input and the disk"
        )),
    }
}

fn open(path: &Path) -> Result<File> {
    let opened = File::open(path).and_then(|file| {
        if file.metadata()?.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a folder",
            ));
        }
        Ok(file)
    });
    opened.map_err(|error| {
        anyhow!(
            "cannot read `{}`: {error}; give a file of JSON Lines, or `-` for standard input",
            path.display()
        )
    })
}

/// Decides every line of `input`, empty ones included; returns how many could not be read. Whenever no further input is at
/// hand, what is decided is written out, so that a caller can wait for an answer before it asks again.
///
/// # Errors
/// When reading or writing fails.
pub fn decide_lines(mut input: BufReader<impl Read>, mut output: impl Write) -> io::Result<u64> {
    let mut broken = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        match decide_line(&line) {
            Ok(decision) => report::write_json_line(&decision, &mut output)?,
            Err(error) => {
                broken += 1;
                report::write_json_line(&error, &mut output)?;
            }
        }
        if input.buffer().is_empty() {
            output.flush()?;
        }
    }
    output.flush()?;
    Ok(broken)
}

fn decide_line(line: &[u8]) -> std::result::Result<DecisionLine, ErrorLine> {
    let request: RequestLine = serde_json::from_slice(line).map_err(|error| ErrorLine {
        id: id_of(line),
        error: format!("the request cannot be read: {error}"),
    })?;
    let id = request.id.clone();
    answer(request).map_err(|error| ErrorLine { id, error })
}

/// The id of a line that is JSON but no request.
fn id_of(line: &[u8]) -> Value {
    #[derive(Deserialize)]
    struct OnlyId {
        #[serde(default)]
        id: Value,
    }
    serde_json::from_slice::<OnlyId>(line).map_or(Value::Null, |line| line.id)
}

fn answer(mut line: RequestLine) -> std::result::Result<DecisionLine, String> {
    let keys = Keys::new(std::mem::take(&mut line.context), &line.unknown);
    let has_boundary = line
        .permissions_boundaries
        .as_ref()
        .is_some_and(|policies| !policies.is_empty());
    let requester = requester(&line.principal, &keys, has_boundary)?;
    let action = authorized_as(&line.action);
    if action
        .split_once(':')
        .is_none_or(|(service, name)| service.is_empty() || name.is_empty())
    {
        return Err(format!(
            "`{}` is not an action: write it as `service:Name`",
            line.action
        ));
    }
    let resource_account = line.resource_account.clone().unwrap_or_else(|| {
        line.resource
            .split(':')
            .nth(4)
            .unwrap_or_default()
            .to_owned()
    });
    let resource_kind = if action.starts_with("sts:assumerole") || is_session_step(&action) {
        PolicyKind::Trust
    } else {
        PolicyKind::Resource
    };

    let policies = Policies::parse(&line, resource_kind);
    let about = PoliciesAbout::of(&policies, &action);
    let request = Request {
        requester: &requester,
        action: &action,
        resource: if has_resource(&action) {
            &line.resource
        } else {
            "*"
        },
        keys: &keys,
    };
    let mut matched = Vec::new();
    let decision = decide(
        &request,
        &resource_account,
        &about.layers(),
        &mut |statement| matched.push(matched_statement(&statement)),
    );
    Ok(decision_line(line.id, decision, matched))
}

fn decision_line(id: Value, decision: Decision, matched: Vec<MatchedStatement>) -> DecisionLine {
    let granting = matched
        .iter()
        .find(|statement| {
            statement.effect == Effect::Allow.as_str()
                && [Layer::Identity.as_str(), Layer::Resource.as_str()].contains(&statement.layer)
        })
        .map(|statement| statement.layer);
    let (word, explicit, layer, conditions) = match decision.verdict {
        Verdict::Allowed => ("allowed", false, granting, Vec::new()),
        Verdict::Conditional(formula) => ("conditional", false, granting, formula.conditions()),
        Verdict::Denied(denial) => (
            "denied",
            denial.explicit,
            Some(denial.layer.as_str()),
            Vec::new(),
        ),
    };
    DecisionLine {
        id,
        decision: word,
        explicit,
        layer,
        matched,
        conditions,
        assumptions: decision.assumptions.iter().map(Assumption::id).collect(),
    }
}

/// The policies of a request, layer by layer.
struct Policies {
    identity: Vec<Policy>,
    boundaries: Option<Vec<Policy>>,
    sessions: Option<Vec<Policy>>,
    resource: Vec<Policy>,
    scps: Vec<Vec<Policy>>,
    rcps: Vec<Vec<Policy>>,
    endpoints: Option<Vec<Policy>>,
}

impl Policies {
    fn parse(line: &RequestLine, resource_kind: PolicyKind) -> Self {
        // An empty list is a layer that does not apply.
        let layer = |policies: &Option<Vec<PolicyText>>, kind: PolicyKind| {
            policies
                .as_deref()
                .filter(|policies| !policies.is_empty())
                .map(|policies| numbered(policies, kind, 0))
        };
        Self {
            identity: numbered(&line.identity_policies, PolicyKind::Identity, 0),
            boundaries: layer(&line.permissions_boundaries, PolicyKind::Identity),
            sessions: layer(&line.session_policies, PolicyKind::Session),
            resource: line
                .resource_policy
                .iter()
                // An empty text is what SQS stores for no policy (T221).
                .filter(|text| !text.as_str().trim().is_empty())
                .map(|text| Policy::parse("0", "0", text.as_str(), resource_kind))
                .collect(),
            scps: levels(&line.scps, PolicyKind::ServiceControl),
            rcps: levels(&line.rcps, PolicyKind::ResourceControl),
            endpoints: layer(&line.endpoint_policies, PolicyKind::Endpoint),
        }
    }
}

/// The statements about one action among the policies of a request.
struct PoliciesAbout<'a> {
    identity: Candidates<'a>,
    boundaries: Option<Candidates<'a>>,
    sessions: Option<Candidates<'a>>,
    resource: Candidates<'a>,
    scps: Vec<Candidates<'a>>,
    rcps: Vec<Candidates<'a>>,
    endpoints: Option<Candidates<'a>>,
}

impl<'a> PoliciesAbout<'a> {
    fn of(policies: &'a Policies, action: &str) -> Self {
        let layer = |policies: &'a Option<Vec<Policy>>| {
            policies
                .as_ref()
                .map(|policies| Candidates::of(policies, action))
        };
        let levels = |levels: &'a [Vec<Policy>]| {
            levels
                .iter()
                .map(|level| Candidates::of(level, action))
                .collect()
        };
        Self {
            identity: Candidates::of(&policies.identity, action),
            boundaries: layer(&policies.boundaries),
            sessions: layer(&policies.sessions),
            resource: Candidates::of(&policies.resource, action),
            scps: levels(&policies.scps),
            rcps: levels(&policies.rcps),
            endpoints: layer(&policies.endpoints),
        }
    }

    fn layers(&'a self) -> Layers<'a> {
        Layers {
            identity: &self.identity,
            boundary: self.boundaries.as_ref(),
            session: self.sessions.as_ref(),
            resource: &self.resource,
            scps: &self.scps,
            rcps: &self.rcps,
            endpoint: self.endpoints.as_ref(),
        }
    }
}

/// The policies of control levels, numbered through all levels.
fn levels(levels: &[Vec<PolicyText>], kind: PolicyKind) -> Vec<Vec<Policy>> {
    let mut first = 0;
    levels
        .iter()
        .map(|level| {
            let policies = numbered(level, kind, first);
            first += level.len();
            policies
        })
        .collect()
}

fn is_session_step(action: &str) -> bool {
    matches!(action, "sts:tagsession" | "sts:setsourceidentity")
}

/// The policies of one layer, named by their place in the request.
fn numbered(policies: &[PolicyText], kind: PolicyKind, first: usize) -> Vec<Policy> {
    policies
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let place: Arc<str> = Arc::from((first + index).to_string());
            Policy::parse(Arc::clone(&place), place, text.as_str(), kind)
        })
        .collect()
}

fn matched_statement(matched: &Matched<'_>) -> MatchedStatement {
    MatchedStatement {
        layer: matched.layer.as_str(),
        policy: matched.policy.name.parse().unwrap_or_default(),
        statement: matched.statement.label.to_string(),
        effect: matched.statement.effect.as_str(),
    }
}

/// Reads the `principal` of a request: an ARN, a service name, or `*`.
fn requester(
    text: &str,
    keys: &Keys,
    has_boundary: bool,
) -> std::result::Result<Requester, String> {
    let plain = |kind: RequesterKind| Requester {
        kind,
        partition: Arc::from(""),
        account: None,
        unique_id: None,
        has_boundary,
    };
    if text == "*" {
        return Ok(plain(RequesterKind::Anonymous));
    }
    let Ok(arn) = Arn::parse(text) else {
        let is_host = text.contains('.')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-/".contains(&byte));
        if text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn") {
            return Ok(plain(if text.starts_with("cognito-identity.") {
                RequesterKind::Federated(text.to_owned())
            } else {
                RequesterKind::Service(text.to_owned())
            }));
        }
        if is_host {
            return Ok(plain(RequesterKind::Federated(text.to_owned())));
        }
        return Err(format!(
            "`{text}` is no principal: give an ARN of a user, role, session or root, a service name, or `*`"
        ));
    };
    let kind = match (
        arn.service(),
        arn.resource().split('/').collect::<Vec<_>>().as_slice(),
    ) {
        ("iam", ["root"]) => RequesterKind::Root,
        ("iam", ["user", .., _]) => RequesterKind::User(arn.clone()),
        ("iam", ["role", .., name]) => RequesterKind::Role {
            name: (*name).to_owned(),
            session: None,
            service_linked: arn.resource().starts_with("role/aws-service-role/"),
        },
        ("sts", ["assumed-role", name, session]) => RequesterKind::Role {
            name: (*name).to_owned(),
            session: Some((*session).to_owned()),
            // Only the role's ARN has the path that tells a service-linked role.
            service_linked: matches!(
                keys.lookup("aws:principalarn"),
                Lookup::One(role) if role.contains(":role/aws-service-role/")
            ),
        },
        ("sts", ["federated-user", _]) => RequesterKind::FederatedUser { arn: arn.clone() },
        ("iam", ["oidc-provider" | "saml-provider", ..]) => {
            return Ok(plain(RequesterKind::Federated(text.to_owned())));
        }
        _ => {
            return Err(format!(
                "`{text}` is no principal: give the ARN of a user, role, session or root"
            ));
        }
    };
    let unique_id = match keys.lookup("aws:userid") {
        Lookup::One(id) => id.split(':').next().map(str::to_owned),
        _ => None,
    };
    Ok(Requester {
        kind,
        partition: Arc::from(arn.partition()),
        account: Some(Arc::from(arn.account())),
        unique_id,
        has_boundary,
    })
}
