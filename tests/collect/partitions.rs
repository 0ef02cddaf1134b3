//! Where the calls go: FIPS and dual-stack endpoints, and the partitions beside the commercial one.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::credentials::Home;
use crate::emulator::{Answer, Canned, Request};
use crate::patscan::Run;

/// A proxy that only takes notes: the hosts that it is asked to connect to. Every connection is refused.
struct Notes {
    url: String,
    hosts: Arc<Mutex<BTreeSet<String>>>,
}

impl Notes {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hosts = Arc::new(Mutex::new(BTreeSet::new()));
        let notes = Arc::clone(&hosts);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut line = String::new();
                if BufReader::new(&stream).read_line(&mut line).is_ok() {
                    let host = line.split(' ').nth(1).unwrap_or_default().to_owned();
                    notes.lock().unwrap().insert(host);
                }
                let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
            }
        });
        Self { url, hosts }
    }

    fn hosts(&self) -> Vec<String> {
        self.hosts.lock().unwrap().iter().cloned().collect()
    }
}

const KEYS: &str = "aws_access_key_id = AKIAME\naws_secret_access_key = secret\n";

/// The host that a scan calls first, with these variables and this profile: that of STS.
fn first_host(profile: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let proxy = Notes::start();
    let home = Home::new(&format!("[profile p]\n{KEYS}{profile}"));
    let patscan = crate::patscan::Patscan::new(["--profile", "p", "-vv"])
        .args(arguments)
        .env("AWS_CONFIG_FILE", home.path().join(".aws/config"))
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("HTTPS_PROXY", &proxy.url);
    let run = variables
        .iter()
        .fold(patscan, |patscan, (key, value)| patscan.env(key, value))
        .run();
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.stderr.contains("error: cannot reach AWS"),
        "{}",
        run.stderr
    );
    proxy.hosts()
}

#[test]
fn calls_to_aws_go_through_a_tunnel_of_the_proxy() {
    assert_eq!(
        first_host("region = eu-west-1\n", &[], &[]),
        ["sts.eu-west-1.amazonaws.com:443"]
    );
}

#[test]
fn hosts_that_need_no_proxy_are_not_asked_for_through_it() {
    let proxy = Notes::start();
    let home = Home::new(&format!("[profile p]\n{KEYS}region = eu-west-1\n"));
    let run = crate::patscan::Patscan::new(["--profile", "p"])
        .env("AWS_CONFIG_FILE", home.path().join(".aws/config"))
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("AWS_ENDPOINT_URL", "https://sts.aws.invalid")
        .env("HTTPS_PROXY", &proxy.url)
        .env("NO_PROXY", "localhost,.aws.invalid")
        .run();
    assert!(
        run.failure()
            .starts_with("cannot reach `https://sts.aws.invalid`")
    );
    assert!(proxy.hosts().is_empty());
}

#[test]
fn fips_and_dual_stack_endpoints_are_called_where_they_are_asked_for() {
    const FIPS: &str = "sts-fips.us-east-1.amazonaws.com:443";
    const DUAL: &str = "sts.us-east-1.api.aws:443";
    const BOTH: &str = "sts-fips.us-east-1.api.aws:443";
    let region = "region = us-east-1\n";
    for (profile, variables, host) in [
        ("", &[("AWS_USE_FIPS_ENDPOINT", "true")][..], FIPS),
        ("", &[("AWS_USE_DUALSTACK_ENDPOINT", "True")], DUAL),
        ("use_fips_endpoint = true\n", &[], FIPS),
        ("use_dualstack_endpoint = true\n", &[], DUAL),
        (
            "use_fips_endpoint = true\nuse_dualstack_endpoint = true\n",
            &[],
            BOTH,
        ),
        // An empty variable does not take back what the profile says; one with a value does.
        (
            "use_fips_endpoint = true\n",
            &[("AWS_USE_FIPS_ENDPOINT", "")],
            FIPS,
        ),
        (
            "use_fips_endpoint = true\n",
            &[("AWS_USE_FIPS_ENDPOINT", "false")],
            "sts.us-east-1.amazonaws.com:443",
        ),
    ] {
        let profile = format!("{region}{profile}");
        assert_eq!(first_host(&profile, &[], variables), [host], "{profile}");
    }
}

#[test]
fn the_roles_of_a_profile_are_assumed_at_fips_endpoints_too() {
    let proxy = Notes::start();
    let home = Home::new(&format!(
        "[profile r]\nregion = us-east-1\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = me\nuse_fips_endpoint = true\n\
         [profile me]\n{KEYS}"
    ));
    let run = crate::patscan::Patscan::new(["--profile", "r"])
        .env("AWS_CONFIG_FILE", home.path().join(".aws/config"))
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("HTTPS_PROXY", &proxy.url)
        .run();
    run.failure();
    assert_eq!(proxy.hosts(), ["sts-fips.us-east-1.amazonaws.com:443"]);
}

#[test]
fn the_first_call_goes_to_the_partition_of_the_regions_asked_for() {
    for (region, host) in [
        ("cn-northwest-1", "sts.cn-north-1.amazonaws.com.cn:443"),
        ("us-gov-east-1", "sts.us-gov-west-1.amazonaws.com:443"),
        ("us-iso-west-1", "sts.us-iso-east-1.c2s.ic.gov:443"),
        ("us-isob-east-1", "sts.us-isob-east-1.sc2s.sgov.gov:443"),
        ("us-isof-south-1", "sts.us-isof-south-1.csp.hci.ic.gov:443"),
        ("eu-isoe-west-1", "sts.eu-isoe-west-1.cloud.adc-e.uk:443"),
        ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu:443"),
        ("ap-southeast-7", "sts.us-east-1.amazonaws.com:443"),
    ] {
        assert_eq!(first_host("", &["--region", region], &[]), [host]);
    }
}

/// An account of a partition with a queue that everybody may send to, and a role that sends and receives.
fn account_of(partition: &'static str, region: &'static str, suffix: &'static str) -> Canned {
    const ACCOUNT: &str = "123456789012";
    Canned::start(move |request: &Request| {
        let arn = |service: &str, region: &str, resource: &str| {
            format!("arn:{partition}:{service}:{region}:{ACCOUNT}:{resource}")
        };
        let queue = arn("sqs", region, "orders");
        Some(match request.call().as_str() {
            "sts:GetCallerIdentity" => Answer::ok(format!(
                "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{}</Arn><UserId>AIDA</UserId>\
                 <Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
                arn("iam", "", "user/me")
            )),
            "ec2:DescribeRegions" => Answer::ok(format!(
                "<DescribeRegionsResponse><regionInfo><item><regionName>{region}</regionName>\
                 <optInStatus>opt-in-not-required</optInStatus></item></regionInfo></DescribeRegionsResponse>"
            )),
            "iam:GetAccountAuthorizationDetails" => {
                let trust = format!(
                    r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"Service":"ec2.{suffix}"}},"Action":"sts:AssumeRole"}}]}}"#
                );
                let policy = format!(
                    r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["sqs:SendMessage","sqs:ReceiveMessage","sqs:DeleteMessage"],"Resource":"{queue}"}}]}}"#
                );
                Answer::authorization_details(
                    &format!(
                        "<RoleDetailList><member><RoleName>worker</RoleName><RoleId>AROA</RoleId><Path>/</Path><Arn>{}</Arn>\
                         <AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument><RolePolicyList><member><PolicyName>p</PolicyName>\
                         <PolicyDocument>{}</PolicyDocument></member></RolePolicyList></member></RoleDetailList>",
                        arn("iam", "", "role/worker"),
                        super::encoded(&trust),
                        super::encoded(&policy)
                    ),
                    None,
                )
            }
            "sqs:ListQueues" => Answer::ok(
                serde_json::json!({"QueueUrls": [format!("https://sqs.{region}.{suffix}/{ACCOUNT}/orders")]}).to_string(),
            ),
            "sqs:GetQueueAttributes" => {
                let open = serde_json::json!({"Version": "2012-10-17", "Statement": [
                    {"Sid": "open", "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue}]});
                Answer::ok(
                    serde_json::json!({"Attributes": {"QueueArn": queue, "Policy": open.to_string()}}).to_string(),
                )
            }
            _ => return None,
        })
    })
}

fn findings(run: &Run) -> Vec<(String, String)> {
    let report = run.json();
    let mut findings: Vec<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            (text(&finding["rule"]), text(&finding["subject"]["arn"]))
        })
        .collect();
    findings.sort();
    findings
}

#[test]
fn accounts_of_other_partitions_give_the_same_findings_under_their_own_names() {
    for (partition, region, suffix) in [
        ("aws", "eu-west-1", "amazonaws.com"),
        ("aws-cn", "cn-north-1", "amazonaws.com.cn"),
        ("aws-us-gov", "us-gov-west-1", "amazonaws.com"),
        ("aws-iso", "us-iso-east-1", "c2s.ic.gov"),
    ] {
        let aws = account_of(partition, region, suffix);
        let run = crate::patscan::Patscan::new(["-f", "json", "--endpoint-url", aws.url()])
            .with_credentials()
            .env("AWS_REGION", region)
            .run();
        assert_eq!(run.code, 1, "{partition}: {}", run.stderr);
        let report = run.json();
        assert_eq!(report["accounts"][0]["partition"], partition);
        assert_eq!(report["coverage"]["complete"], true, "{partition}");
        let arn = |service: &str, region: &str, resource: &str| {
            format!("arn:{partition}:{service}:{region}:123456789012:{resource}")
        };
        assert_eq!(
            findings(&run),
            [
                ("public-queue".to_owned(), arn("sqs", region, "orders")),
                (
                    "queue-feedback-loop".to_owned(),
                    arn("iam", "", "role/worker")
                ),
            ],
            "{partition}"
        );
        assert!(
            !run.stdout.contains("arn:aws:") || partition == "aws",
            "{partition}"
        );
        assert!(aws.received().iter().all(|call| call.region == region));
    }
}
