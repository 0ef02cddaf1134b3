//! A loopback server that answers AWS calls by plan and records them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::ACCOUNT;

/// A call as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// From the credential scope of the signature.
    pub(crate) service: String,
    /// From the credential scope of the signature.
    pub(crate) region: String,
    /// Who signed.
    pub(crate) access_key: String,
    pub(crate) operation: String,
    /// Without the query string.
    pub(crate) path: String,
    /// The query string and the body.
    pub(crate) input: String,
    /// The lines of the head after the first.
    pub(crate) headers: Vec<String>,
}

impl Request {
    /// `service:Operation`.
    pub(crate) fn call(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }

    /// A header; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.trim())
    }

    /// Whether path or input mention the text, such as a name or a page token.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.path.contains(text) || self.input.contains(text)
    }
}

/// What the server says.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    truncated: bool,
}

impl Answer {
    /// A successful answer.
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
            truncated: false,
        }
    }

    /// An error in the protocol of the service that was called.
    pub(crate) fn error(request: &Request, status: u16, code: &str) -> Self {
        let mut headers = Vec::new();
        let body = match request.service.as_str() {
            "sqs" => {
                headers.push(("x-amzn-query-error", format!("{code};Sender")));
                format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"no"}}"#)
            }
            "apigateway" | "eks" | "iot" | "lambda" | "pipes" | "scheduler" | "securityhub" => {
                headers.push(("x-amzn-ErrorType", code.to_owned()));
                r#"{"Message":"no"}"#.to_owned()
            }
            "ecs" | "events" | "glue" | "kms" | "organizations" | "states" => {
                format!(r#"{{"__type":"{code}","message":"no"}}"#)
            }
            "s3" => format!("<Error><Code>{code}</Code><Message>no</Message></Error>"),
            "ec2" => format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors><RequestID>r</RequestID></Response>"
            ),
            _ => format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>"
            ),
        };
        Self {
            status,
            headers,
            body,
            truncated: false,
        }
    }

    /// Access denied, as the service that was called says it.
    pub(crate) fn denied(request: &Request) -> Self {
        let (status, code) = match request.service.as_str() {
            "ec2" => (403, "UnauthorizedOperation"),
            "apigateway" | "eks" | "lambda" | "pipes" | "scheduler" | "securityhub" => {
                (403, "AccessDeniedException")
            }
            "ecs" | "events" | "glue" | "kms" | "organizations" | "states" => {
                (400, "AccessDeniedException")
            }
            "iot" => (401, "UnauthorizedException"),
            "sns" => (403, "AuthorizationError"),
            _ => (403, "AccessDenied"),
        };
        Self::error(request, status, code)
    }

    /// An error in words of its own.
    pub(crate) fn failing(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            ..Self::ok(body)
        }
    }

    /// The same answer with a header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The same answer, whose connection breaks half way.
    pub(crate) fn truncated(self) -> Self {
        Self {
            truncated: true,
            ..self
        }
    }

    /// What an account without users, queues, workloads and organization answers; `eu-west-1` and `us-east-1` are enabled.
    fn of_empty_account(request: &Request) -> Self {
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

    /// The answer of `GetCallerIdentity` for a user of the account.
    pub(crate) fn caller(account: &str) -> Self {
        Self::ok(format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/auditor</Arn><UserId>AIDA</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        ))
    }

    /// What another emulator answers to a request of a JSON protocol. `api` is the prefix of its `X-Amz-Target`.
    pub(crate) fn of(url: &str, api: &str, request: &Request) -> Self {
        let host = url.strip_prefix("http://").unwrap();
        let body = request.input.trim_start();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "POST / HTTP/1.0\r\nHost: {host}\r\nX-Amz-Target: {api}.{}\r\nContent-Type: application/x-amz-json-1.1\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={}/20300101/{}/{}/aws4_request, SignedHeaders=host, Signature=0\r\n\
             Content-Length: {}\r\n\r\n{body}",
            request.operation,
            request.access_key,
            request.region,
            request.service,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            ..Self::ok(body)
        }
    }

    /// A page of `ListAccessKeys`: the status of each key and the day on which it was made.
    pub(crate) fn access_keys(keys: &[(&str, &str)], marker: Option<&str>) -> Self {
        let members: Vec<String> = keys
            .iter()
            .map(|(status, day)| {
                format!(
                    "<member><UserName>u</UserName><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId>\
                     <Status>{status}</Status><CreateDate>{day}T10:00:00Z</CreateDate></member>"
                )
            })
            .collect();
        let members = members.concat();
        let more = marker.map_or("<IsTruncated>false</IsTruncated>".to_owned(), |marker| {
            format!("<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>")
        });
        Self::ok(format!(
            "<ListAccessKeysResponse><ListAccessKeysResult>\
             <AccessKeyMetadata>{members}</AccessKeyMetadata>{more}</ListAccessKeysResult></ListAccessKeysResponse>"
        ))
    }

    /// A page of `GetAccountAuthorizationDetails` with the lists given as XML.
    pub(crate) fn authorization_details(lists: &str, marker: Option<&str>) -> Self {
        let more = marker.map_or("<IsTruncated>false</IsTruncated>".to_owned(), |marker| {
            format!("<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>")
        });
        Self::ok(format!(
            "<GetAccountAuthorizationDetailsResponse><GetAccountAuthorizationDetailsResult>{more}{lists}</GetAccountAuthorizationDetailsResult></GetAccountAuthorizationDetailsResponse>"
        ))
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

/// The operation of a service with a REST protocol.
fn operation_of_path(service: &str, path: &str, query: &str) -> Option<&'static str> {
    let asks_for = |what: &str| {
        query
            .split('&')
            .any(|pair| pair == what || pair.strip_suffix('=') == Some(what))
    };
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    Some(match (service, parts.as_slice()) {
        ("apigateway", ["restapis"]) => "GetRestApis",
        ("apigateway", ["restapis", _, "resources"]) => "GetResources",
        ("apigateway", ["v2", "apis"]) => "GetApis",
        ("apigateway", ["v2", "apis", _, "integrations"]) => "GetIntegrations",
        ("eks", ["clusters"]) => "ListClusters",
        ("eks", ["clusters", _, "pod-identity-associations"]) => "ListPodIdentityAssociations",
        ("eks", ["clusters", _, "pod-identity-associations", _]) => {
            "DescribePodIdentityAssociation"
        }
        ("iot", ["rules"]) => "ListTopicRules",
        ("iot", ["rules", _]) => "GetTopicRule",
        ("lambda", _) if path.contains("/event-source-mappings") => "ListEventSourceMappings",
        ("lambda", _) if path.contains("/event-invoke-config") => "ListFunctionEventInvokeConfigs",
        ("lambda", _) if path.ends_with("/policy") => "GetPolicy",
        ("lambda", _) => "ListFunctions",
        ("pipes", ["v1", "pipes"]) => "ListPipes",
        ("pipes", _) => "DescribePipe",
        ("s3", [""]) => "ListBuckets",
        ("s3", _) if asks_for("location") => "GetBucketLocation",
        ("s3", _) if asks_for("notification") => "GetBucketNotificationConfiguration",
        ("s3", _) if asks_for("encryption") => "GetBucketEncryption",
        ("s3", _) if asks_for("policy") => "GetBucketPolicy",
        ("s3", [_, _, ..]) => "PutObject",
        ("securityhub", ["findings"]) => "GetFindings",
        ("securityhub", ["findings", "import"]) => "BatchImportFindings",
        ("scheduler", ["schedules"]) => "ListSchedules",
        ("scheduler", _) => "GetSchedule",
        _ => return None,
    })
}

fn answer(stream: &TcpStream, plan: &Plan, log: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        head.iter()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.trim())
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();

    let target = head[0].split(' ').nth(1).unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let scope: Vec<&str> = header("authorization")
        .split("Credential=")
        .nth(1)
        .and_then(|rest| rest.split(',').next())
        .unwrap_or_default()
        .split('/')
        .collect();
    let service = scope.get(3).copied().unwrap_or_default();
    let operation = if let Some((_, operation)) = header("x-amz-target").split_once('.') {
        operation
    } else if let Some(operation) = operation_of_path(service, path, query) {
        operation
    } else {
        body.split('&')
            .find_map(|pair| pair.strip_prefix("Action="))
            .unwrap_or("Unknown")
    };
    let request = Request {
        access_key: scope[0].to_owned(),
        region: scope.get(2).copied().unwrap_or_default().to_owned(),
        service: service.to_owned(),
        operation: operation.to_owned(),
        path: path.to_owned(),
        input: format!("{query} {body}"),
        headers: head[1..].to_vec(),
    };
    log.lock().unwrap().push(request.clone());

    let answer = plan(&request).unwrap_or_else(|| Answer::of_empty_account(&request));
    let mut text = format!(
        "HTTP/1.1 {} X\r\nconnection: close\r\ncontent-length: {}\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    let sent = if answer.truncated {
        &answer.body[..answer.body.len() / 2]
    } else {
        &answer.body
    };
    text.push_str(sent);
    let mut stream = stream;
    stream.write_all(text.as_bytes())
}
