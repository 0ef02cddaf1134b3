//! Findings in AWS Security Hub: `GetFindings` and `BatchImportFindings` of the Security Hub API, by the rules of the page
//! "Using `BatchImportFindings` to create and update findings".
//!
//! Security Hub itself is asked what it holds, so nothing has to be remembered between runs. What is found is imported anew and
//! keeps its first `CreatedAt`; what it holds and the report does not is archived, but only where this run would have found it
//! again: the account, the regions and the rule looked at, nothing unread that may hide it (each finding carries where the run
//! had looked that found it). What a later report has brought is left alone, so an old one that is published late undoes nothing.
//! Note, workflow, verification and user-defined fields belong to the customer and are never sent.

mod finding;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use aws_sdk_securityhub::Client;
use aws_sdk_securityhub::types::{
    AwsSecurityFinding, AwsSecurityFindingFilters, RecordState, StringFilter,
    StringFilterComparison,
};
use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep_until};

use self::finding::{to_archive, to_import};
use super::batch::{Broken, Fate, deliver, runs};
use super::calls::{BATCH_IMPORT_FINDINGS, GET_FINDINGS};
use super::{Outcome, broken, count, failed, made};
use crate::arn::AccountId;
use crate::collect::{Failure, Session};
use crate::report::asff::{self, Asff, AsffFinding};
use crate::report::{Report, sanitise};
use crate::triage::{OldEntity, OldFinding, Scanned, Scope, Skipped};

/// Findings of one call.
const MOST: usize = 100;
/// Bytes of one finding.
const LONGEST: usize = 240 * 1000;
/// Bytes of one call, with some left for what frames them.
const ROOM: usize = 6_000_000 - 10_000;
/// Between imports: ten calls a second.
const IMPORT_PACE: Duration = Duration::from_millis(100);
/// Between pages: three calls a second.
const READ_PACE: Duration = Duration::from_millis(334);
/// What `GeneratorId` of every finding begins with.
const GENERATOR: &str = concat!(env!("CARGO_PKG_NAME"), "/");
/// The code of an account without Security Hub in a region.
const NOT_ENABLED: &str = "InvalidAccessException";
/// Codes of findings that may be taken another time.
const PASSING: &[&str] = &[
    "InternalError",
    "InternalException",
    "InternalFailure",
    "InternalServerError",
    "LimitExceededException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Whose findings go where.
pub(super) struct Target<'a> {
    /// The region that takes all; each finding goes to its own where none is named.
    pub(super) region: Option<&'a str>,
    /// The only account whose findings are meant.
    pub(super) account: Option<&'a AccountId>,
}

/// Brings Security Hub to what the report says of the account that the credentials are of.
pub(super) async fn import(
    session: &Session,
    report: &Report,
    target: &Target<'_>,
    outcome: &mut Outcome,
) {
    let account = match caller(session).await {
        Ok(account) => account,
        Err(why) => return outcome.fail(why),
    };
    let known: BTreeSet<&str> = report.accounts.iter().map(|one| one.id.as_str()).collect();
    let meant = target.account.map(AccountId::as_str);
    if !known.contains(account.as_str()) || meant.is_some_and(|meant| meant != account) {
        let of = meant.map_or_else(
            || known.iter().copied().collect::<Vec<_>>().join(", "),
            str::to_owned,
        );
        return outcome.fail(format!(
            "Security Hub takes findings of an account only from that account; the report is of {of}, and these credentials are \
             of {account}: use a --profile or --assume-role of {of}"
        ));
    }
    let export = Asff::of(report, target.region);
    let mut by_hub: BTreeMap<String, Vec<AsffFinding>> = BTreeMap::new();
    for finding in report
        .findings
        .iter()
        .filter(|one| one.account.as_str() == account)
    {
        let exported = export.found(finding);
        let hub = exported.product_arn.split(':').nth(3).unwrap_or_default();
        by_hub.entry(hub.to_owned()).or_default().push(exported);
    }
    // What is gone may be the last that a region had.
    if let Some(region) = target.region {
        by_hub.entry(region.to_owned()).or_default();
    } else {
        let scanned = report
            .accounts
            .iter()
            .filter(|one| one.id.as_str() == account);
        for region in scanned.flat_map(|one| &one.regions) {
            by_hub.entry(region.clone()).or_default();
        }
    }
    let partition = report
        .accounts
        .iter()
        .find(|one| one.id.as_str() == account);
    let partition = partition.map_or("aws", |one| one.partition.as_str());
    let scope = report.scope();
    let found: HashSet<&str> = report.findings.iter().map(|one| one.id.as_str()).collect();
    let mut tally = Tally::default();
    for (region, findings) in by_hub {
        let hub = Hub {
            client: Client::new(&session.in_region(&region)),
            product_arn: format!(
                "arn:{partition}:securityhub:{region}:{account}:product/{account}/default"
            ),
            region,
            account: &account,
            scope: &scope,
            found: &found,
            now: report.generated_at,
        };
        Box::pin(hub.bring_up_to_date(findings, &mut tally, outcome)).await;
    }
    tally.tell(outcome);
    let others = known
        .iter()
        .filter(|id| **id != account)
        .copied()
        .collect::<Vec<_>>();
    if target.account.is_none() && !others.is_empty() {
        outcome.fail(format!(
            "nothing of {} was imported: Security Hub takes findings of an account only from that account; publish again with \
             credentials of each, or write `securityhub?account={account}` if only this one is meant",
            others.join(", ")
        ));
    }
}

/// The account that the credentials are of.
async fn caller(session: &Session) -> Result<String, String> {
    let request = aws_sdk_sts::Client::new(session.global()).get_caller_identity();
    let answer = request.send().await.map_err(|error| {
        let failure = Failure::of(&error);
        format!(
            "AWS did not say whose credentials these are ({}): {}; log in again",
            failure.code, failure.cause
        )
    })?;
    let account = answer.account().map(str::to_owned);
    account.ok_or_else(|| "AWS did not say whose credentials these are; log in again".to_owned())
}

/// What was done, over all regions.
#[derive(Default)]
struct Tally {
    imported: usize,
    archived: usize,
    as_they_are: usize,
    later: usize,
    not_covered: usize,
    regions: usize,
}

impl Tally {
    fn tell(&self, outcome: &mut Outcome) {
        let mut tell = |number: usize, line: &dyn Fn(String) -> String| {
            if number > 0 {
                outcome.done.push(line(count(number, "finding")));
            }
        };
        let regions = count(self.regions, "region");
        tell(self.imported, &|findings| {
            format!("imported {findings} in {regions}")
        });
        tell(self.archived, &|findings| {
            format!("archived {findings} no longer found")
        });
        tell(self.as_they_are, &|findings| {
            format!("nothing to do: {findings} already there")
        });
        tell(self.later, &|findings| {
            format!("left alone, since a later report was there first: {findings}")
        });
        tell(self.not_covered, &|findings| {
            format!("not archived, since this run did not look where it was found: {findings}")
        });
        if outcome.done.is_empty() && outcome.failed.is_empty() {
            outcome
                .done
                .push("nothing found, and nothing to archive".to_owned());
        }
    }
}

/// Security Hub in one region, as this account sees it.
struct Hub<'a> {
    client: Client,
    region: String,
    product_arn: String,
    account: &'a str,
    scope: &'a Scope,
    /// The ids of all findings of the report.
    found: &'a HashSet<&'a str>,
    now: DateTime<Utc>,
}

impl Hub<'_> {
    async fn bring_up_to_date(
        &self,
        findings: Vec<AsffFinding>,
        tally: &mut Tally,
        outcome: &mut Outcome,
    ) {
        let held = match Box::pin(self.held()).await {
            Ok(held) => held,
            // A region without Security Hub holds nothing, and with nothing to import that is all.
            Err(failure)
                if findings.is_empty()
                    && (failure.code == NOT_ENABLED || failure.is_not_offered()) =>
            {
                return;
            }
            Err(failure) => {
                outcome.fail(self.unreadable(&failure, findings.len()));
                return;
            }
        };
        let mut imports: Vec<(AwsSecurityFinding, usize)> = Vec::new();
        let mut current = HashSet::new();
        for finding in findings {
            current.insert(finding.id.clone());
            let mut finding = finding;
            if let Some(held) = held.get(&finding.id) {
                match held_at(held).map(|at| at.cmp(&self.now)) {
                    Some(std::cmp::Ordering::Greater) => {
                        tally.later += 1;
                        continue;
                    }
                    Some(std::cmp::Ordering::Equal) => {
                        tally.as_they_are += 1;
                        continue;
                    }
                    _ => {}
                }
                if let Some(created) = held.created_at() {
                    created.clone_into(&mut finding.created_at);
                }
            }
            let size = serde_json::to_vec(&finding).map_or(LONGEST + 1, |text| text.len());
            if size > LONGEST {
                outcome.fail(format!(
                    "{}: it is longer than the {LONGEST} bytes that Security Hub takes",
                    finding.id
                ));
                continue;
            }
            imports.push((to_import(finding), size));
        }
        let mut stale: Vec<&AwsSecurityFinding> = held
            .values()
            .filter(|held| held.record_state() != Some(&RecordState::Archived))
            .filter(|held| held.id().is_some_and(|id| !current.contains(id)))
            .collect();
        stale.sort_by_key(|held| held.id());
        let mut archives: HashSet<String> = HashSet::new();
        for held in stale {
            if held_at(held).is_none_or(|at| at > self.now) {
                tally.later += 1;
            } else if self.would_be_found_again(held) {
                let id = held.id().unwrap_or_default();
                // One that is found and belongs to another region now is put away here, and not called mended.
                let archive = to_archive(held, self.now, !self.found.contains(id));
                archives.insert(id.to_owned());
                imports.push((archive, LONGEST));
            } else {
                tally.not_covered += 1;
            }
        }
        if imports.is_empty() {
            return;
        }
        tally.regions += 1;
        let pace = Pace::of(IMPORT_PACE);
        let runs = runs(imports, MOST, ROOM, |(_, size)| *size);
        let delivered = deliver(runs, async |run: &[(AwsSecurityFinding, usize)]| {
            pace.wait().await;
            self.import(run).await
        })
        .await;
        outcome.keep(&delivered, |(finding, _)| {
            let id = sanitise(finding.id().unwrap_or_default());
            format!("{id} in {}", self.region)
        });
        for (finding, _) in delivered.taken {
            if archives.contains(finding.id().unwrap_or_default()) {
                tally.archived += 1;
            } else {
                tally.imported += 1;
            }
        }
    }

    fn unreadable(&self, failure: &Failure, findings: usize) -> String {
        let lost = match findings {
            0 => String::new(),
            number => format!("; {} not imported", count(number, "finding")),
        };
        if failure.code == NOT_ENABLED {
            return format!(
                "Security Hub is not enabled in {} for account {}{lost}; enable it, or name a region that takes all findings: \
                 `securityhub://REGION`",
                self.region, self.account
            );
        }
        format!(
            "{} in {}{lost}",
            failed(&GET_FINDINGS, failure),
            self.region
        )
    }

    /// Every finding of this program that Security Hub holds here, archived ones too: what comes back was first seen then.
    async fn held(&self) -> Result<HashMap<String, AwsSecurityFinding>, Failure> {
        let text = |value: &str, comparison| {
            StringFilter::builder()
                .value(value)
                .comparison(comparison)
                .build()
        };
        let filters = AwsSecurityFindingFilters::builder()
            .product_arn(text(&self.product_arn, StringFilterComparison::Equals))
            .aws_account_id(text(self.account, StringFilterComparison::Equals))
            .generator_id(text(GENERATOR, StringFilterComparison::Prefix))
            .build();
        let mut held = HashMap::new();
        let pace = Pace::of(READ_PACE);
        let mut seen = HashSet::new();
        let mut token: Option<String> = None;
        loop {
            pace.wait().await;
            let request = self
                .client
                .get_findings()
                .filters(filters.clone())
                .max_results(100)
                .set_next_token(token.clone());
            let answer = made(&GET_FINDINGS, &self.region, request.send()).await;
            let answer = answer.map_err(|error| Failure::of(&error))?;
            // What others imported under the same product, or a hub that does not filter, is nothing of ours.
            let ours = answer
                .findings
                .unwrap_or_default()
                .into_iter()
                .filter(|one| {
                    one.product_arn() == Some(&*self.product_arn)
                        && one.aws_account_id() == Some(self.account)
                        && one
                            .generator_id()
                            .is_some_and(|id| id.starts_with(GENERATOR))
                });
            held.extend(ours.filter_map(|one| Some((one.id()?.to_owned(), one))));
            token = answer.next_token.filter(|token| !token.is_empty());
            match &token {
                None => return Ok(held),
                // The same page for ever.
                Some(token) if !seen.insert(token.clone()) => {
                    return Err(Failure::word("RepeatedPageToken"));
                }
                Some(_) => {}
            }
        }
    }

    /// Whether this run looked wherever the finding was found. Where Security Hub does not say where that was, it did not.
    fn would_be_found_again(&self, held: &AwsSecurityFinding) -> bool {
        let fields = held.product_fields();
        let field = |name: &str| Some(fields?.get(name)?.as_str());
        let (Some(region), Some(regions)) = (field(asff::REGION), field(asff::REGIONS)) else {
            return false;
        };
        let generator = held.generator_id().unwrap_or_default();
        let rule = field(asff::RULE).unwrap_or_else(|| generator.trim_start_matches(GENERATOR));
        let more = field(asff::MORE_RESOURCES).map(|number| number.parse().unwrap_or(u64::MAX));
        let queues = held
            .resources()
            .iter()
            .filter(|one| one.r#type() == Some("AwsSqsQueue"));
        let subject = OldEntity {
            kind: String::new(),
            arn: String::new(),
        };
        let id = held.id().unwrap_or_default().to_owned();
        let mut old = OldFinding::named(id, rule.to_owned(), self.account.to_owned(), subject)
            .about_queues(
                queues.filter_map(|one| one.id().map(str::to_owned)),
                more.unwrap_or(0),
            );
        region.clone_into(&mut old.region);
        let scanned = Scanned {
            regions: regions.split(' ').map(str::to_owned).collect(),
            at: String::new(),
        };
        let skipped = field(asff::SKIPPED).unwrap_or_default().split(' ');
        let then = Scope {
            accounts: BTreeMap::from([(self.account.to_owned(), scanned)]),
            skipped: skipped
                .map(|service| Skipped {
                    account: self.account.to_owned(),
                    service: service.to_owned(),
                })
                .collect(),
            ..Scope::default()
        };
        self.scope.covers(&old, &then)
    }

    async fn import(&self, run: &[(AwsSecurityFinding, usize)]) -> Result<Vec<Fate>, Broken> {
        let findings = run.iter().map(|(finding, _)| finding.clone());
        let request = self
            .client
            .batch_import_findings()
            .set_findings(Some(findings.collect()));
        let answer = made(&BATCH_IMPORT_FINDINGS, &self.region, request.send()).await;
        let answer = answer.map_err(|error| broken(&BATCH_IMPORT_FINDINGS, &error))?;
        let errors: HashMap<&str, (&str, &str)> = answer
            .failed_findings()
            .iter()
            .filter_map(|one| {
                let code = one.error_code().unwrap_or("unknown");
                Some((one.id()?, (code, one.error_message().unwrap_or_default())))
            })
            .collect();
        // The number of those that it took has to agree with those that it says nothing of.
        let taken = usize::try_from(answer.success_count().unwrap_or_default());
        let adds_up = taken.is_ok_and(|taken| taken + errors.len() == run.len());
        let fate = |finding: &AwsSecurityFinding| match finding.id().and_then(|id| errors.get(id)) {
            None if adds_up => Fate::Taken,
            None => Fate::Refused("the numbers in the answer do not add up".to_owned()),
            Some((code, message)) => {
                let why = sanitise(&format!("{code}: {message}")).into_owned();
                if PASSING.contains(code) {
                    Fate::Again(why)
                } else {
                    Fate::Refused(why)
                }
            }
        };
        Ok(run.iter().map(|(finding, _)| fate(finding)).collect())
    }
}

/// When a finding that Security Hub holds was last brought up to date.
fn held_at(held: &AwsSecurityFinding) -> Option<DateTime<Utc>> {
    let updated = DateTime::parse_from_rfc3339(held.updated_at()?);
    Some(updated.ok()?.to_utc())
}

/// Calls no faster than a service allows.
struct Pace {
    interval: Duration,
    next: Cell<Instant>,
}

impl Pace {
    fn of(interval: Duration) -> Self {
        Self {
            interval,
            next: Cell::new(Instant::now()),
        }
    }

    async fn wait(&self) {
        sleep_until(self.next.get()).await;
        self.next.set(Instant::now() + self.interval);
    }
}
