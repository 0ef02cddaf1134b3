//! The command line as typed. What it means is resolved once, in [`crate::config`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::collect::Skippable;

/// Who can really put messages into this queue, who can take them out, and can anything feed itself?
///
/// Without a subcommand, audits the live AWS account that the credentials belong to. patscan only reads: it never changes
/// anything in AWS and never reads messages. What it found is sent to where --publish says, and nowhere without it.
#[derive(Debug, Parser)]
#[command(
    name = "patscan",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    max_term_width = 100,
    after_help = "Try `patscan demo` first: it needs no credentials.\n\
                  Exit codes: 0 nothing to act on and everything read; 1 findings at or above --fail-on; 2 usage or fatal \
                  error; 3 the scan is incomplete."
)]
pub struct Cli {
    /// What to do; auditing a live account when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Configuration file [default: the nearest patscan.toml, from the working directory upwards]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The arguments of a scan.
    #[command(flatten)]
    pub scan: ScanArgs,
}

/// Where a report can go.
const DESTINATIONS: &str = "\
Destinations:
  securityhub[://REGION][?account=ID]
          AWS Security Hub: all findings of the account of the credentials, each in its region or
          all in one; what is gone is archived where this run looked for it
  s3://BUCKET/PREFIX[?kms-key=KEY&owner=ACCOUNT&format=json|jsonl]
          objects that are never written over, by account and date
  arn:aws:sns:REGION:ACCOUNT:TOPIC
          a message for each finding that is new, changed or gone
  eventbridge:BUS, or the ARN of an event bus
          an event for each of these
  https://HOST/PATH
          these as JSON, signed with HMAC-SHA256
  slack+https://HOST/PATH
          a message about these, for people
  env:NAME, file:PATH
          a destination that a variable or a file holds: for addresses that are secret

Webhooks are signed with the key in --webhook-secret-file, or in PATSCAN_WEBHOOK_SECRET.
Exit codes: 0 everything was published; 2 something was not, and standard error says what.";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Audit a live account (the same as no subcommand)
    Scan(Box<ScanArgs>),
    /// Audit saved snapshots; never calls AWS, unless to --publish there
    Analyze(AnalyzeArgs),
    /// Audit the example account that ships inside the binary
    Demo(DemoArgs),
    /// Name everyone who can send to, receive from, delete from, purge or administer a queue, each with its proof
    WhoCan(Box<WhoCanArgs>),
    /// Tell everything behind one finding: how it works, where it stands, what to change and whether that helps
    Explain(Box<ExplainArgs>),
    /// Draw who sends to and receives from which queue: as a picture, or as JSON
    Graph(Box<GraphArgs>),
    /// Say what changed between two snapshots, or two JSON reports: access, findings, and what made the difference
    Diff(DiffArgs),
    /// Decide authorization requests given as JSON Lines, one decision per line
    Simulate(SimulateArgs),
    /// List the rules, or show the page of one
    Rules(RulesArgs),
    /// Send a report to Security Hub, S3, SNS, EventBridge, a webhook or Slack
    #[command(after_help = DESTINATIONS)]
    Publish(Box<PublishArgs>),
    /// Tell what a scan would be able to read: credentials, clock, network, regions and every permission
    Doctor(DoctorArgs),
    /// Print the least-privilege policy that patscan itself needs
    IamPolicy(IamPolicyArgs),
    /// Print the JSON Schema of a format: report, snapshot, graph, config or waivers
    Schema(SchemaArgs),
}

/// Arguments of `patscan` and `patscan scan`.
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// Where the account comes from.
    #[command(flatten)]
    pub source: SourceArgs,
    /// What comes out.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is published.
    #[command(flatten)]
    pub publishing: PublishingArgs,
}

/// Arguments of `patscan analyze`.
#[derive(Debug, Args)]
pub struct AnalyzeArgs {
    /// Snapshot files, made with `patscan --save-snapshot FILE`
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What comes out.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is published.
    #[command(flatten)]
    pub publishing: PublishingArgs,
}

/// Arguments of `patscan demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// What comes out.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `patscan who-can`.
#[derive(Debug, Args)]
pub struct WhoCanArgs {
    /// What they can do: send, receive, delete, purge or administer; redrive, with a dead-letter queue
    pub capability: String,
    /// The queue: its name, `region/name`, URL or ARN
    pub queue: String,
    /// Where the account comes from.
    #[command(flatten)]
    pub source: SourceArgs,
    /// The format (table, json), with a path to write to a file
    #[arg(
        short,
        long,
        help_heading = "Output",
        value_name = "FORMAT[=PATH]",
        default_value = "table"
    )]
    pub format: String,
    /// Do not exit 3 when something could not be read
    #[arg(long, help_heading = "Output")]
    pub allow_incomplete: bool,
    /// How much is said on standard error.
    #[command(flatten, next_help_heading = "Output")]
    pub verbosity: VerbosityArgs,
}

/// Arguments of `patscan explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The finding: its id, or the beginning of it
    pub finding: String,
    /// A finding of the example account that `patscan demo` audits
    #[arg(
        long,
        help_heading = "Source",
        conflicts_with_all = ["profile", "regions", "exclude_regions", "skip", "endpoint_url", "assume_role", "external_id", "max_rate", "gentle", "save_snapshot", "resume", "max_age", "snapshots"]
    )]
    pub demo: bool,
    /// Where the account comes from.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Earlier JSON report, which tells since when the finding is there
    #[arg(long, help_heading = "Output", value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// File of accepted findings (TOML), which tells whether the finding is accepted
    #[arg(long, help_heading = "Output", value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    /// The format (table, json), with a path to write to a file
    #[arg(
        short,
        long,
        help_heading = "Output",
        value_name = "FORMAT[=PATH]",
        default_value = "table"
    )]
    pub format: String,
    /// Do not exit 3 when something could not be read
    #[arg(long, help_heading = "Output")]
    pub allow_incomplete: bool,
    /// How much is said on standard error.
    #[command(flatten, next_help_heading = "Output")]
    pub verbosity: VerbosityArgs,
}

/// Arguments of `patscan graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// What is drawn.
    #[command(flatten)]
    pub part: PartArgs,
    /// Where the account comes from.
    #[command(flatten)]
    pub source: SourceArgs,
    /// The format (json, dot, mermaid, svg, html), with a path to write to a file
    #[arg(
        short,
        long,
        help_heading = "Output",
        value_name = "FORMAT[=PATH]",
        default_value = "json"
    )]
    pub format: String,
    /// Do not exit 3 when something could not be read
    #[arg(long, help_heading = "Output")]
    pub allow_incomplete: bool,
    /// How much is said on standard error.
    #[command(flatten, next_help_heading = "Output")]
    pub verbosity: VerbosityArgs,
}

/// Arguments of `patscan diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The earlier snapshot, or JSON report
    pub old: PathBuf,
    /// The later one, of the same sort
    pub new: PathBuf,
    /// The format (table, json), with a path to write to a file
    #[arg(
        short,
        long,
        help_heading = "Output",
        value_name = "FORMAT[=PATH]",
        default_value = "table"
    )]
    pub format: String,
    /// Least severity of a new or changed finding that makes the exit code 1 [default: medium]
    #[arg(long, help_heading = "Output", value_name = "SEVERITY")]
    pub fail_on: Option<String>,
    /// Do not exit 3 when something could not be read
    #[arg(long, help_heading = "Output")]
    pub allow_incomplete: bool,
    /// How much is said on standard error.
    #[command(flatten, next_help_heading = "Output")]
    pub verbosity: VerbosityArgs,
}

/// The part of the graph that is drawn.
#[derive(Debug, Args)]
#[command(next_help_heading = "Part of the graph [default: all of it]")]
pub struct PartArgs {
    /// What surrounds a queue, topic, bucket or event bus: its name, `region/name` or ARN, of a queue also its URL
    #[arg(long, value_name = "QUEUE", group = "chosen")]
    pub queue: Option<String>,
    /// What surrounds a principal, or what runs as one: its name or ARN
    #[arg(long, value_name = "PRINCIPAL", group = "chosen")]
    pub principal: Option<String>,
    /// What a finding is about: its subject, principals and resources; its id or the beginning of it
    #[arg(long, value_name = "ID", group = "chosen")]
    pub finding: Option<String>,
    /// How many steps to go from there; a role and what runs as it count as one [default: 1, of a finding 0]
    #[arg(long, value_name = "N", requires = "chosen")]
    pub depth: Option<u32>,
}

/// Arguments of `patscan simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// A file of JSON Lines, or `-` for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
}

/// Arguments of `patscan schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// What the schema is of: report, snapshot, graph, config (patscan.toml) or waivers
    pub of: String,
}

/// Arguments of `patscan publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// The report, as `-f json=FILE` wrote it, or `-` for standard input
    pub report: PathBuf,
    /// Where to send it (see below); repeatable
    #[arg(long = "to", value_name = "DEST", required = true)]
    pub to: Vec<String>,
    /// Least severity of a finding that SNS, EventBridge, webhooks and Slack are told of; Security Hub and S3 get all
    /// [default: medium]
    #[arg(long, value_name = "SEVERITY")]
    pub min_severity: Option<String>,
    /// File that lists what was sent, so that nothing is told twice; made when it is not there
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// File with the key that webhooks are signed with
    #[arg(long, value_name = "FILE")]
    pub webhook_secret_file: Option<PathBuf>,
    /// Do not exit 3 when the report is incomplete
    #[arg(long, help_heading = "Output")]
    pub allow_incomplete: bool,
    /// With which credentials.
    #[command(flatten)]
    pub credentials: CredentialArgs,
    /// How much is said on standard error.
    #[command(flatten, next_help_heading = "Output")]
    pub verbosity: VerbosityArgs,
}

/// Credentials for what is no scan.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Credentials")]
pub struct CredentialArgs {
    /// Profile of the AWS config files; it outranks credentials in the environment
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Endpoint to use for every service, instead of AWS
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Role to assume before publishing
    #[arg(long, value_name = "ARN")]
    pub assume_role: Option<String>,
    /// External id for --assume-role
    #[arg(long, value_name = "ID")]
    pub external_id: Option<String>,
}

/// Where the report of a scan is published.
#[derive(Debug, Args)]
#[command(next_help_heading = "Publishing")]
pub struct PublishingArgs {
    /// Where to send the report when it is written (`patscan publish --help` lists what there is); repeatable
    #[arg(long, value_name = "DEST")]
    pub publish: Vec<String>,
    /// Least severity of a finding that SNS, EventBridge, webhooks and Slack are told of [default: medium]
    #[arg(long, value_name = "SEVERITY", requires = "publish")]
    pub publish_min_severity: Option<String>,
    /// File that lists what was sent, so that nothing is told twice; made when it is not there
    #[arg(long, value_name = "FILE", requires = "publish")]
    pub publish_state: Option<PathBuf>,
    /// File with the key that webhooks are signed with
    #[arg(long, value_name = "FILE", requires = "publish")]
    pub webhook_secret_file: Option<PathBuf>,
}

/// Arguments of `patscan doctor`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Source")]
pub struct DoctorArgs {
    /// Profile of the AWS config files; it outranks credentials in the environment
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Region that would be scanned; repeatable [default: every enabled region]
    #[arg(long = "region", value_name = "REGION")]
    pub regions: Vec<String>,
    /// Region that would be left out; repeatable
    #[arg(long = "exclude-region", value_name = "REGION")]
    pub exclude_regions: Vec<String>,
    /// Service that would be left out, as in a scan; repeatable
    #[arg(long, value_name = "SERVICE")]
    pub skip: Vec<String>,
    /// Endpoint to use for every service, instead of AWS
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Role that would be assumed
    #[arg(long, value_name = "ARN")]
    pub assume_role: Option<String>,
    /// External id for --assume-role
    #[arg(long, value_name = "ID")]
    pub external_id: Option<String>,
    /// The format (table, json), with a path to write to a file
    #[arg(
        short,
        long,
        help_heading = "Output",
        value_name = "FORMAT[=PATH]",
        default_value = "table"
    )]
    pub format: String,
    /// How much is said on standard error.
    #[command(flatten, next_help_heading = "Output")]
    pub verbosity: VerbosityArgs,
}

/// Arguments of `patscan iam-policy`.
#[derive(Debug, Args)]
pub struct IamPolicyArgs {
    /// Add what publishing needs: publish-securityhub, publish-s3, publish-sns or publish-eventbridge, or a destination
    /// as `patscan publish` takes it, for that one only; repeatable
    #[arg(long, value_name = "WHAT")]
    pub with: Vec<String>,
    /// The format, with a path to write to a file: json, the policy alone; terraform, a module with a role that holds it;
    /// cloudformation, a template of that role, fit for a stack set
    #[arg(
        short,
        long,
        help_heading = "Output",
        value_name = "FORMAT[=PATH]",
        default_value = "json"
    )]
    pub format: String,
}

/// Arguments of `patscan rules`.
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// The id of a rule, to show its page
    pub rule: Option<String>,
    /// The format (table, json), with a path to write to a file
    #[arg(short, long, value_name = "FORMAT[=PATH]", default_value = "table")]
    pub format: String,
}

/// Where the account comes from: live, or snapshots.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Source")]
pub struct SourceArgs {
    /// Profile of the AWS config files; it outranks credentials in the environment
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Region to scan; repeatable [default: every enabled region]
    #[arg(long = "region", value_name = "REGION")]
    pub regions: Vec<String>,
    /// Region to leave out; repeatable
    #[arg(long = "exclude-region", value_name = "REGION")]
    pub exclude_regions: Vec<String>,
    /// Services to leave out; the help names those that can be.
    #[arg(long, value_name = "SERVICE", help = skip_help())]
    pub skip: Vec<String>,
    /// Endpoint to use for every service, instead of AWS
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Role to assume before scanning
    #[arg(long, value_name = "ARN")]
    pub assume_role: Option<String>,
    /// External id for --assume-role
    #[arg(long, value_name = "ID")]
    pub external_id: Option<String>,
    /// At most so many requests in a second to one service of one region
    #[arg(long, value_name = "N")]
    pub max_rate: Option<String>,
    /// Ask AWS at a quarter of the usual pace
    #[arg(long)]
    pub gentle: bool,
    /// Snapshot to audit instead of a live account; repeatable
    #[arg(
        long = "snapshot",
        value_name = "FILE",
        conflicts_with_all = ["profile", "regions", "exclude_regions", "skip", "endpoint_url", "assume_role", "max_rate", "gentle", "save_snapshot", "resume", "max_age"]
    )]
    pub snapshots: Vec<PathBuf>,
    /// Keep what was collected in a file (`.json`, or `.json.zst` to compress), readable by you only
    #[arg(long, value_name = "FILE")]
    pub save_snapshot: Option<PathBuf>,
    /// Go on with a scan to the same --save-snapshot FILE that was interrupted: what it read is not asked for again
    #[arg(long, requires = "save_snapshot")]
    pub resume: bool,
    /// Ask again for what was read longer ago (30m, 6h, 2days) [default: 1day]
    #[arg(long, value_name = "AGE", requires = "resume")]
    pub max_age: Option<String>,
}

fn skip_help() -> String {
    format!(
        "Service to leave out ({}); repeatable. Said in the report, not a gap",
        Skippable::listed()
    )
}

/// What comes out, and what the exit code says.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Format (table, json, jsonl, csv, junit, markdown, sarif, ocsf, asff, html), with a path to write to a file; repeatable
    /// [default: table]
    #[arg(short, long = "format", value_name = "FORMAT[=PATH]")]
    pub formats: Vec<String>,
    /// What events of ocsf are: compliance (class 2003) or detection (class 2004) [default: compliance]
    #[arg(long, value_name = "CLASS")]
    pub ocsf_class: Option<String>,
    /// Least severity (critical, high, medium, low, info) that makes the exit code 1
    /// [default: medium]
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<String>,
    /// Exit 0 in spite of findings (an incomplete scan still exits 3)
    #[arg(long)]
    pub exit_zero: bool,
    /// Do not exit 3 when something could not be read
    #[arg(long)]
    pub allow_incomplete: bool,
    /// For whom the report is: team or auditor, who also sees what only AWS can act on [default: team]
    #[arg(long, value_name = "PERSONA")]
    pub persona: Option<String>,
    /// Earlier JSON report: says what is new, changed and gone; only new and changed findings make the exit code 1
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// File of accepted findings (TOML); they do not make the exit code 1
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    /// Account that may have access to queues without being reported; repeatable
    #[arg(long = "trusted-account", value_name = "ID")]
    pub trusted_accounts: Vec<String>,
    /// How much is said on standard error.
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
}

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, Args)]
pub struct VerbosityArgs {
    /// No progress, and nothing on standard error but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// More on standard error: causes of errors, and what AWS was asked how often; twice for every call to AWS
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}
