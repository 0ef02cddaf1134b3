//! A loopback server that answers AWS calls by plan and records them.

use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::request::Received;
use super::{ACCOUNT, Answer, Request};

impl Answer {
    /// What an account without users, queues, workloads and organization answers; `eu-west-1` and `us-east-1` are enabled.
    pub(crate) fn of_empty_account(request: &Request) -> Self {
        let body = match request.call().as_str() {
            "sts:GetCallerIdentity" => return Self::caller(ACCOUNT),
            "iam:ListAccountAliases" => "<ListAccountAliasesResponse><ListAccountAliasesResult><IsTruncated>false</IsTruncated><AccountAliases><member>example</member></AccountAliases></ListAccountAliasesResult></ListAccountAliasesResponse>".to_owned(),
            "iam:GetAccountAuthorizationDetails" => return Self::authorization_details("", None),
            "iam:ListAccessKeys" => return Self::access_keys(&[], None),
            "ec2:DescribeRegions" => "<DescribeRegionsResponse><regionInfo>\
                <item><regionName>us-east-1</regionName><optInStatus>opt-in-not-required</optInStatus></item>\
                <item><regionName>eu-west-1</regionName><optInStatus>opted-in</optInStatus></item>\
                <item><regionName>me-south-1</regionName><optInStatus>not-opted-in</optInStatus></item>\
                </regionInfo></DescribeRegionsResponse>"
                .to_owned(),
            "ec2:DescribeInstances" => "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>".to_owned(),
            "autoscaling:DescribeAutoScalingGroups" => "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups/></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>".to_owned(),
            "states:ListStateMachines" => r#"{"stateMachines":[]}"#.to_owned(),
            "apigateway:GetApis" | "apigateway:GetRestApis" | "ecs:ListClusters" | "ecs:ListTaskDefinitionFamilies"
            | "eks:ListClusters" | "glue:GetCrawlers" | "iot:ListTopicRules" | "sqs:ListMessageMoveTasks"
            | "sqs:ListQueues" | "sqs:ListQueueTags" => "{}".to_owned(),
            "lambda:ListFunctions" => r#"{"Functions":[]}"#.to_owned(),
            "lambda:ListEventSourceMappings" => r#"{"EventSourceMappings":[]}"#.to_owned(),
            "lambda:ListFunctionEventInvokeConfigs" => r#"{"FunctionEventInvokeConfigs":[]}"#.to_owned(),
            "lambda:GetPolicy" => return Self::error(request, 404, "ResourceNotFoundException"),
            "sns:ListSubscriptions" => "<ListSubscriptionsResponse><ListSubscriptionsResult><Subscriptions/></ListSubscriptionsResult></ListSubscriptionsResponse>".to_owned(),
            "events:ListEventBuses" => {
                let arn = format!("arn:aws:events:{}:{ACCOUNT}:event-bus/default", request.region);
                format!(r#"{{"EventBuses":[{{"Name":"default","Arn":"{arn}"}}]}}"#)
            }
            "events:DescribeEventBus" => r#"{"Name":"default"}"#.to_owned(),
            "events:ListRules" => r#"{"Rules":[]}"#.to_owned(),
            "pipes:ListPipes" => r#"{"Pipes":[]}"#.to_owned(),
            "scheduler:ListSchedules" => r#"{"Schedules":[]}"#.to_owned(),
            "s3:ListBuckets" => "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>".to_owned(),
            "s3:GetBucketNotificationConfiguration" => "<NotificationConfiguration/>".to_owned(),
            "s3:GetBucketEncryption" => "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>".to_owned(),
            "s3:GetBucketPolicy" => return Self::error(request, 404, "NoSuchBucketPolicy"),
            "kms:GetKeyPolicy" => r#"{"Policy":"{}"}"#.to_owned(),
            "kms:ListGrants" => r#"{"Grants":[],"Truncated":false}"#.to_owned(),
            "kms:ListAliases" => r#"{"Aliases":[],"Truncated":false}"#.to_owned(),
            "organizations:DescribeOrganization" => {
                return Self::error(request, 400, "AWSOrganizationsNotInUseException");
            }
            "sqs:GetQueueAttributes" => {
                let (_, name) = request.input.rsplit_once('/').unwrap();
                let name = name.split('"').next().unwrap();
                let region = &request.region;
                format!(r#"{{"Attributes":{{"QueueArn":"arn:aws:sqs:{region}:{ACCOUNT}:{name}"}}}}"#)
            }
            _ => return Self::error(request, 400, "InvalidAction"),
        };
        Self::ok(body)
    }
}

type Plan = dyn Fn(&Request) -> Option<Answer> + Send + Sync;

/// The server.
pub(crate) struct Canned {
    url: String,
    received: Arc<Mutex<Vec<Request>>>,
}

impl Canned {
    /// Starts a server. What the plan leaves open is answered as by an empty account.
    pub(crate) fn start(plan: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let plan: Arc<Plan> = Arc::new(plan);
        let log = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (plan, log) = (Arc::clone(&plan), Arc::clone(&log));
                // A client that goes away in the middle is no concern of the server.
                std::thread::spawn(move || answer(&stream, &*plan, &log).ok());
            }
        });
        Self { url, received }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Every call so far, in order of arrival.
    pub(crate) fn received(&self) -> Vec<Request> {
        self.received.lock().unwrap().clone()
    }

    /// How often an operation (`service:Operation`) was called.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.received()
            .iter()
            .filter(|request| request.call() == call)
            .count()
    }
}

fn answer(stream: &TcpStream, plan: &Plan, log: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    let Some(Received { request, .. }) = Received::read(BufReader::new(stream))? else {
        return Ok(());
    };
    log.lock().unwrap().push(request.clone());
    plan(&request)
        .unwrap_or_else(|| Answer::of_empty_account(&request))
        .send(stream)
}
