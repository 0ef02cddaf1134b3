//! ASFF (2018-10-08), the findings of AWS Security Hub: an array as `BatchImportFindings` takes it, 100 at a time.
//!
//! Whoever reads the findings decides about note, workflow and verification; they are never written. So an accepted finding says
//! so in its product fields only. What is gone is archived, which a baseline tells only of what this run would have found again.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::interchange::{Pages, cut, moment, partition, region, scanned_at, telling, things};
use super::json::{time, write_value};
use super::{Report, sanitise};
use crate::finding::{Certainty, Kind, Severity};
use crate::triage::{OldFinding, Triaged};

const SCHEMA_VERSION: &str = "2018-10-08";
const TYPES: [&str; 1] = ["Software and Configuration Checks/AWS Security Best Practices"];

/// The product field with the rule of a finding.
pub(crate) const RULE: &str = "patscan/rule";
/// The product field with the region of a finding, `global` for IAM.
pub(crate) const REGION: &str = "patscan/region";
/// The product field with the regions that were scanned.
pub(crate) const REGIONS: &str = "patscan/scanned-regions";
/// The product field with the services that were left out.
pub(crate) const SKIPPED: &str = "patscan/skipped";
/// The product field with the number of resources that are not named.
pub(crate) const MORE_RESOURCES: &str = "patscan/more-resources";

const MOST_RESOURCES: usize = 32;
const MOST_REQUIREMENTS: usize = 32;
const LONGEST_ID: usize = 512;
const LONGEST_TITLE: usize = 256;
const LONGEST_DESCRIPTION: usize = 1024;
const LONGEST_ADVICE: usize = 512;
const LONGEST_FIELD: usize = 2048;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let export = Asff::of(report, None);
    let gone = report.since.iter().flat_map(|since| &since.gone);
    let found = report.findings.iter().map(|finding| export.found(finding));
    let all: Vec<_> = found.chain(gone.map(|one| export.gone(one))).collect();
    write_value(&all, out)?;
    Ok(())
}

/// Findings of a report as Security Hub takes them.
pub(crate) struct Asff<'a> {
    report: &'a Report,
    pages: Pages,
    /// The region that takes all findings; each goes to its own where none is named.
    hub: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AsffFinding {
    pub(crate) schema_version: &'static str,
    pub(crate) id: String,
    pub(crate) product_arn: String,
    pub(crate) product_name: &'static str,
    pub(crate) generator_id: String,
    pub(crate) aws_account_id: String,
    pub(crate) region: String,
    pub(crate) types: [&'static str; 1],
    pub(crate) first_observed_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_observed_at: Option<String>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    pub(crate) severity: SeverityOf,
    pub(crate) title: String,
    pub(crate) description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remediation: Option<Remediation>,
    pub(crate) product_fields: BTreeMap<&'static str, String>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) compliance: Compliance,
    pub(crate) record_state: &'static str,
    pub(crate) finding_provider_fields: ProviderFields,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SeverityOf {
    pub(crate) label: &'static str,
    pub(crate) original: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Remediation {
    pub(crate) recommendation: Recommendation,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Recommendation {
    pub(crate) text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Resource {
    pub(crate) r#type: &'static str,
    pub(crate) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partition: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Compliance {
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) security_control_id: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) related_requirements: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProviderFields {
    pub(crate) severity: SeverityOf,
    pub(crate) types: [&'static str; 1],
}

/// What is said of a finding whether it is there or gone.
struct Known<'a> {
    id: &'a str,
    rule: &'a str,
    title: &'a str,
    description: &'a str,
    severity: &'a str,
    account: &'a str,
    region: &'a str,
    first_seen: DateTime<Utc>,
    last_seen: Option<DateTime<Utc>>,
    status: &'static str,
    record_state: &'static str,
}

impl<'a> Asff<'a> {
    pub(crate) fn of(report: &'a Report, hub: Option<&'a str>) -> Self {
        Self {
            report,
            pages: Pages::read(),
            hub,
        }
    }

    pub(crate) fn found(&self, triaged: &Triaged) -> AsffFinding {
        let finding = &triaged.finding;
        let account = finding.account.as_str();
        let scanned = scanned_at(self.report, account);
        let first_seen = triaged.first_seen.as_deref().and_then(moment);
        let mut exported = self.finding(&Known {
            id: &finding.id,
            rule: finding.rule,
            title: &finding.title,
            description: &finding.detail,
            severity: finding.severity.as_str(),
            account,
            region: &finding.region,
            first_seen: first_seen.unwrap_or(scanned),
            last_seen: Some(scanned),
            status: match finding.certainty {
                Certainty::Allowed => "FAILED",
                // Whether the conditions hold is not known.
                Certainty::Conditional => "WARNING",
            },
            record_state: "ACTIVE",
        });
        let things = things(finding);
        let more = things.len().saturating_sub(MOST_RESOURCES) as u64 + finding.more_resources;
        let named = things.iter().take(MOST_RESOURCES);
        exported.resources = named
            .map(|(_, entity)| Resource::of(&entity.arn, resource_type(entity.kind), account))
            .collect();
        exported.remediation = Some(Remediation {
            recommendation: Recommendation {
                text: cut(telling([finding.remedy.as_str()]), LONGEST_ADVICE).into_owned(),
            },
        });
        let fields = &mut exported.product_fields;
        let mut field = |name, value: &str| {
            if !value.trim().is_empty() {
                fields.insert(name, cut(value, LONGEST_FIELD).into_owned());
            }
        };
        field("patscan/verdict", finding.certainty.as_str());
        field("patscan/conditions", &finding.conditions.join("; "));
        field("patscan/fingerprint", &triaged.fingerprint.to_string());
        field("patscan/audience", triaged.audience.as_str());
        field("patscan/status", triaged.status.as_str());
        if more > 0 {
            field(MORE_RESOURCES, &more.to_string());
        }
        if let Some(waiver) = &triaged.waiver {
            let waived = format!(
                "{}, {}: {}",
                waiver.standing.as_str(),
                waiver.owner,
                waiver.reason
            );
            field("patscan/waiver", &waived);
        }
        exported
    }

    fn gone(&self, finding: &OldFinding) -> AsffFinding {
        let baseline = self.report.since.as_ref();
        let baseline = baseline.and_then(|since| moment(&since.made_at));
        let scanned = scanned_at(self.report, &finding.account);
        let first_seen = finding.first_seen.as_deref().and_then(moment);
        let mut exported = self.finding(&Known {
            id: &finding.id,
            rule: &finding.rule,
            title: &finding.title,
            description: "No longer found, though it would have been.",
            severity: &finding.severity,
            account: &finding.account,
            region: &finding.region,
            first_seen: first_seen.or(baseline).unwrap_or(scanned),
            last_seen: baseline,
            status: "PASSED",
            record_state: "ARCHIVED",
        });
        let subject = &finding.subject;
        exported.resources = vec![Resource::of(
            &subject.arn,
            old_type(&subject.kind),
            &finding.account,
        )];
        exported
    }

    fn finding(&self, known: &Known<'_>) -> AsffFinding {
        let updated = self.report.generated_at;
        let region = self.region(known);
        let account = known.account;
        let hub = self.hub.unwrap_or(&region);
        let severity = SeverityOf {
            label: label(known.severity),
            original: cut(telling([known.severity]), 64).into_owned(),
        };
        let controls = self.pages.controls(known.rule, "security-hub");
        let others = controls
            .iter()
            .skip(1)
            .map(|id| format!("AWS Security Hub {id}"));
        let requirements = self.pages.requirements(known.rule).into_iter();
        AsffFinding {
            schema_version: SCHEMA_VERSION,
            id: cut(telling([known.id]), LONGEST_ID).into_owned(),
            product_arn: format!(
                "arn:{}:securityhub:{hub}:{account}:product/{account}/default",
                self.partition(account)
            ),
            product_name: env!("CARGO_PKG_NAME"),
            generator_id: format!("{}/{}", env!("CARGO_PKG_NAME"), cut(known.rule, 256)),
            aws_account_id: account.to_owned(),
            region,
            types: TYPES,
            // A clock that is behind must not make a finding end before it begins.
            first_observed_at: time(known.first_seen.min(updated)),
            last_observed_at: known.last_seen.map(|seen| time(seen.min(updated))),
            created_at: time(known.first_seen.min(updated)),
            updated_at: time(updated),
            title: cut(telling([known.title, known.rule]), LONGEST_TITLE).into_owned(),
            description: cut(
                telling([known.description, known.title, known.rule]),
                LONGEST_DESCRIPTION,
            )
            .into_owned(),
            remediation: None,
            product_fields: self.of_the_run(known),
            resources: Vec::new(),
            compliance: Compliance {
                status: known.status,
                security_control_id: controls.first().copied(),
                related_requirements: requirements
                    .map(|(requirement, _)| requirement)
                    .chain(others)
                    .take(MOST_REQUIREMENTS)
                    .collect(),
            },
            record_state: known.record_state,
            finding_provider_fields: ProviderFields {
                severity: severity.clone(),
                types: TYPES,
            },
            severity,
        }
    }

    /// What a later run has to know to tell whether it looked where this one did, and whether this one saw everything.
    fn of_the_run(&self, known: &Known<'_>) -> BTreeMap<&'static str, String> {
        let mut fields = BTreeMap::from([
            (RULE, cut(known.rule, LONGEST_FIELD).into_owned()),
            ("patscan/version", env!("CARGO_PKG_VERSION").to_owned()),
            ("patscan/complete", self.report.complete().to_string()),
        ]);
        let mut accounts = self.report.accounts.iter();
        let account = accounts.find(|account| account.id.as_str() == known.account);
        let regions = account.map(|account| account.regions.join(" "));
        let skipped = self.report.coverage.skipped.iter();
        let skipped: Vec<&str> = skipped
            .filter(|one| one.account.as_str() == known.account)
            .map(|one| one.service.as_str())
            .collect();
        for (name, value) in [
            (REGION, known.region),
            (REGIONS, regions.as_deref().unwrap_or_default()),
            (SKIPPED, &skipped.join(" ")),
        ] {
            // Half a list would say that the run did not look where it did, or that it looked where it did not.
            let value = sanitise(value);
            if !value.trim().is_empty() && value.encode_utf16().count() <= LONGEST_FIELD {
                fields.insert(name, value.into_owned());
            }
        }
        fields
    }

    fn partition(&self, account: &str) -> &str {
        let mut accounts = self.report.accounts.iter();
        accounts
            .find(|known| known.id.as_str() == account)
            .map_or("aws", |known| known.partition.as_str())
    }

    /// The region whose Security Hub a finding belongs to. What is global goes where AWS itself tells of IAM, if that was scanned,
    /// or else to the first region that was.
    fn region(&self, known: &Known<'_>) -> String {
        if known.region != "global" {
            return cut(telling([known.region]), 64).into_owned();
        }
        let home = match self.partition(known.account) {
            "aws-cn" => "cn-north-1",
            "aws-us-gov" => "us-gov-west-1",
            _ => "us-east-1",
        };
        let mut accounts = self.report.accounts.iter();
        let account = accounts.find(|account| account.id.as_str() == known.account);
        let regions = account.map_or(&[][..], |account| &account.regions);
        let scanned = regions.iter().any(|region| region == home);
        let first = regions.first().filter(|_| !scanned);
        first.map_or(home, String::as_str).to_owned()
    }
}

/// The severity that Security Hub calls so; one that this version does not know is information.
fn label(severity: &str) -> &'static str {
    match severity.parse() {
        Ok(Severity::Critical) => "CRITICAL",
        Ok(Severity::High) => "HIGH",
        Ok(Severity::Medium) => "MEDIUM",
        Ok(Severity::Low) => "LOW",
        Ok(Severity::Info) | Err(_) => "INFORMATIONAL",
    }
}

const OTHER: &str = "Other";

fn resource_type(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "AwsIamUser",
        Kind::Group => "AwsIamGroup",
        Kind::Role => "AwsIamRole",
        Kind::Policy => "AwsIamPolicy",
        Kind::Account => "AwsAccount",
        Kind::Queue => "AwsSqsQueue",
        Kind::Function => "AwsLambdaFunction",
        Kind::Instance => "AwsEc2Instance",
        Kind::AutoScalingGroup => "AwsAutoScalingAutoScalingGroup",
        Kind::Task => "AwsEcsTaskDefinition",
        Kind::EcsService => "AwsEcsService",
        Kind::StateMachine => "AwsStepFunctionStateMachine",
        Kind::Topic => "AwsSnsTopic",
        Kind::Bucket => "AwsS3Bucket",
        Kind::Bus => "AwsEventsEventbus",
        Kind::Service
        | Kind::Organization
        | Kind::Anyone
        | Kind::PodIdentity
        | Kind::ServiceAccount
        | Kind::Pipe
        | Kind::Schedule
        | Kind::Crawler
        | Kind::Api
        | Kind::IotRule
        | Kind::Stream
        | Kind::Broker => OTHER,
    }
}

/// The same for a kind of an earlier report, as far as subjects are of it.
fn old_type(kind: &str) -> &'static str {
    let kinds = [
        Kind::User,
        Kind::Group,
        Kind::Role,
        Kind::Policy,
        Kind::Account,
        Kind::Queue,
    ];
    let mut kinds = kinds.into_iter();
    kinds
        .find(|known| known.as_str() == kind)
        .map_or(OTHER, resource_type)
}

impl Resource {
    fn of(arn: &str, r#type: &'static str, account: &str) -> Self {
        let id = if r#type == "AwsAccount" {
            let whose = arn.split(':').nth(4).unwrap_or(account);
            format!("AWS::::Account:{whose}")
        } else {
            arn.to_owned()
        };
        let partitions = ["aws", "aws-cn", "aws-us-gov"];
        Self {
            r#type,
            id: cut(telling([id.as_str()]), LONGEST_ID).into_owned(),
            partition: partitions
                .into_iter()
                .find(|known| partition(arn) == Some(known)),
            region: region(arn).map(|region| cut(region, 64).into_owned()),
        }
    }
}
