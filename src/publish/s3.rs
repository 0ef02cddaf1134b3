//! The report and its findings as objects of a bucket, never written over: `PutObject` with `If-None-Match: *`.
//!
//! Names begin with what tables are partitioned by, `account=…/date=…`, and end in a digest of the content. The same report has
//! the same name, so to store it again changes nothing: S3 answers 412, which is as good as 200. Reports and findings stand
//! under a prefix each, since a table over JSON Lines must find nothing else below its own. The SHA-256 goes along, so that S3
//! refuses what was damaged on its way.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::types::ServerSideEncryption;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::byte_stream::ByteStream;
use sha2::{Digest, Sha256};

use super::calls::PUT_OBJECT;
use super::destination::Bucket;
use super::{Outcome, count, failed, hex, made};
use crate::collect::{Failure, FailureKind, Session};
use crate::report::{self, Format, Report, Style};

/// Attempts where another writer is at the same name.
const ATTEMPTS: u32 = 3;
const BUCKET_REGION: &str = "x-amz-bucket-region";

struct Object {
    name: String,
    content: Vec<u8>,
    content_type: &'static str,
}

enum Stored {
    Now,
    Before,
}

/// Stores the report, as it stands in its JSON file, and its findings, a file for each account.
pub(super) async fn store(
    session: &Session,
    report: &Report,
    json: &[u8],
    bucket: &Bucket,
    outcome: &mut Outcome,
) {
    let mut objects = Vec::new();
    if bucket.report {
        let account = match report.accounts.as_slice() {
            [account] => account.id.as_str(),
            _ => "several",
        };
        objects.push(object(
            report,
            bucket,
            "reports",
            account,
            "json",
            json.to_owned(),
        ));
    }
    if bucket.lines {
        match lines(report) {
            Ok(all) => objects.extend(all.into_iter().map(|(account, lines)| {
                object(report, bucket, "findings", &account, "jsonl", lines)
            })),
            Err(error) => outcome.fail(format!("the findings cannot be written: {error}")),
        }
    }
    let mut region = session.base_region().to_owned();
    let (mut stored, mut before) = (0, 0);
    for object in &objects {
        match Box::pin(put(session, &mut region, report, bucket, object)).await {
            Ok(Stored::Now) => stored += 1,
            Ok(Stored::Before) => before += 1,
            Err(failure) => {
                let why = match failure.kind {
                    FailureKind::Refused => {
                        let option = format!("s3://{}/{}", bucket.name, bucket.prefix);
                        format!(
                            "s3:PutObject failed ({}): {}; attach what `patscan iam-policy --with {option}` adds, with its \
                             `?kms-key=` where the bucket is encrypted with one, and look at the policy of the bucket",
                            failure.code, failure.cause
                        )
                    }
                    _ => failed(&PUT_OBJECT, &failure),
                };
                outcome.fail(format!("{}: {why}", object.name));
            }
        }
    }
    if stored > 0 {
        outcome
            .done
            .push(format!("stored {}", count(stored, "object")));
    }
    if before > 0 {
        outcome.done.push(format!(
            "{} stored before, nothing to do",
            count(before, "object")
        ));
    }
}

fn object(
    report: &Report,
    bucket: &Bucket,
    part: &str,
    account: &str,
    extension: &str,
    content: Vec<u8>,
) -> Object {
    let digest = hex(Sha256::digest(&content).iter().take(8));
    let (day, time) = (
        report.generated_at.format("%Y-%m-%d"),
        report.generated_at.format("%H%M%SZ"),
    );
    Object {
        name: format!(
            "{}{part}/account={account}/date={day}/{time}-{digest}.{extension}",
            bucket.prefix
        ),
        content,
        content_type: match extension {
            "json" => "application/json",
            _ => "application/x-ndjson",
        },
    }
}

/// The findings of each account that has any, as JSON Lines.
fn lines(report: &Report) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut all = Vec::new();
    let mut accounts: Vec<_> = report
        .findings
        .iter()
        .map(|finding| &finding.account)
        .collect();
    accounts.sort();
    accounts.dedup();
    for account in &accounts {
        let mut text = Vec::new();
        if accounts.len() == 1 {
            report::write(report, Format::Jsonl, Style::default(), &mut text)?;
        } else {
            let mut part = report.clone();
            part.findings.retain(|finding| finding.account == **account);
            report::write(&part, Format::Jsonl, Style::default(), &mut text)?;
        }
        all.push((account.to_string(), text));
    }
    Ok(all)
}

/// Puts one object. A bucket is asked for in the region that is configured; one that is elsewhere says where.
async fn put(
    session: &Session,
    region: &mut String,
    report: &Report,
    bucket: &Bucket,
    object: &Object,
) -> Result<Stored, Failure> {
    let checksum = aws_smithy_types::base64::encode(Sha256::digest(&object.content));
    let mut attempt = 1;
    let mut moved = false;
    loop {
        let encryption = bucket
            .kms_key
            .as_ref()
            .map(|_| ServerSideEncryption::AwsKms);
        let bucket_key = bucket.kms_key.as_ref().map(|_| true);
        let request = client(session, region)
            .put_object()
            .bucket(&bucket.name)
            .key(&object.name)
            .if_none_match("*")
            .checksum_sha256(&checksum)
            .content_type(object.content_type)
            .metadata("patscan-complete", report.complete().to_string())
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(bucket.kms_key.clone())
            .set_bucket_key_enabled(bucket_key)
            .set_expected_bucket_owner(bucket.owner.as_ref().map(ToString::to_string))
            .body(ByteStream::from(object.content.clone()));
        let Err(error) = made(&PUT_OBJECT, region, request.send()).await else {
            return Ok(Stored::Now);
        };
        if let SdkError::ServiceError(context) = &error {
            let answer = context.raw();
            let elsewhere = answer.headers().get(BUCKET_REGION);
            let elsewhere = elsewhere.filter(|other| *other != region.as_str());
            match (answer.status().as_u16(), elsewhere) {
                (412, _) => return Ok(Stored::Before),
                (301 | 307 | 400, Some(other)) if !moved => {
                    other.clone_into(region);
                    moved = true;
                    continue;
                }
                // Somebody else writes to the name at this moment.
                (409, _) if attempt < ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                    continue;
                }
                _ => {}
            }
        }
        return Err(Failure::of(&error));
    }
}

/// A client that finds buckets by path where the endpoint is not that of AWS: names such as `bucket.localhost` have no address.
fn client(session: &Session, region: &str) -> Client {
    let config = Builder::from(&session.in_region(region))
        .force_path_style(session.redirects_s3())
        .build();
    Client::from_conf(config)
}
