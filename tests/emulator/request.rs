//! A call as a server sees it: read from a connection, or put together from what an HTTP client would send.

use std::io::{BufRead, Error};

/// A call as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    /// From the credential scope of the signature.
    pub(crate) service: String,
    /// From the credential scope of the signature.
    pub(crate) region: String,
    /// Who signed.
    pub(crate) access_key: String,
    /// `Unknown` when it is none that a test has to do with.
    pub(crate) operation: String,
    pub(crate) method: String,
    /// Without the query string.
    pub(crate) path: String,
    /// The query string and the body.
    pub(crate) input: String,
    /// The lines of the head after the first, where it came over a connection.
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

/// A request as it came over a connection.
pub(super) struct Received {
    pub(super) request: Request,
    /// The request line and the headers.
    pub(super) head: Vec<String>,
    pub(super) body: Vec<u8>,
}

impl Received {
    /// Reads one request; none when the client has gone.
    pub(super) fn read(mut from: impl BufRead) -> std::io::Result<Option<Self>> {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let Some(line) = head.first() else {
            return Ok(None);
        };
        let (method, rest) = line
            .split_once(' ')
            .ok_or_else(|| Error::other("no request line"))?;
        let target = rest.split(' ').next().unwrap_or_default();
        let header = |name: &str| {
            head.iter()
                .filter_map(|line| line.split_once(':'))
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map_or("", |(_, value)| value.trim())
        };
        let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
        from.read_exact(&mut body)?;
        let request = Request {
            headers: head.iter().skip(1).cloned().collect(),
            ..Request::of(method, target, header, &body)
        };
        Ok(Some(Self {
            request,
            head,
            body,
        }))
    }
}

impl Request {
    /// Reads the method and the target of a request line, the headers (empty where there is none) and the body.
    pub(super) fn of<'h>(
        method: &str,
        target: &str,
        header: impl Fn(&str) -> &'h str,
        body: &[u8],
    ) -> Self {
        let body = String::from_utf8_lossy(body);
        // An absolute URL is what a proxy is asked for.
        let target = target
            .split_once("://")
            .and_then(|(_, rest)| rest.find('/').map(|slash| &rest[slash..]))
            .unwrap_or(target);
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
        } else if let Some(operation) = operation_of_path(service, method, path, query) {
            operation
        } else {
            body.split('&')
                .find_map(|pair| pair.strip_prefix("Action="))
                .unwrap_or("Unknown")
        };
        Self {
            access_key: scope[0].to_owned(),
            region: scope.get(2).copied().unwrap_or_default().to_owned(),
            service: service.to_owned(),
            operation: operation.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            input: format!("{query} {body}"),
            headers: Vec::new(),
        }
    }
}

/// The operation of a service with a REST protocol.
fn operation_of_path(service: &str, method: &str, path: &str, query: &str) -> Option<&'static str> {
    let asks_for = |what: &str| {
        query
            .split('&')
            .any(|pair| pair == what || pair.strip_suffix('=') == Some(what))
    };
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    Some(match (method, service, parts.as_slice()) {
        ("GET", "apigateway", ["restapis"]) => "GetRestApis",
        ("GET", "apigateway", ["restapis", _, "resources"]) => "GetResources",
        ("GET", "apigateway", ["v2", "apis"]) => "GetApis",
        ("GET", "apigateway", ["v2", "apis", _, "integrations"]) => "GetIntegrations",
        ("GET", "eks", ["clusters"]) => "ListClusters",
        ("GET", "eks", ["clusters", _, "pod-identity-associations"]) => {
            "ListPodIdentityAssociations"
        }
        ("GET", "eks", ["clusters", _, "pod-identity-associations", _]) => {
            "DescribePodIdentityAssociation"
        }
        ("GET", "iot", ["rules"]) => "ListTopicRules",
        ("GET", "iot", ["rules", _]) => "GetTopicRule",
        ("GET", "lambda", [_, "event-source-mappings"]) => "ListEventSourceMappings",
        ("GET", "lambda", [_, "functions", _, "event-invoke-config", "list"]) => {
            "ListFunctionEventInvokeConfigs"
        }
        ("GET", "lambda", [_, "functions", _, "policy"]) => "GetPolicy",
        ("GET", "lambda", [_, "functions"]) => "ListFunctions",
        ("GET", "pipes", ["v1", "pipes"]) => "ListPipes",
        ("GET", "pipes", ["v1", "pipes", _]) => "DescribePipe",
        ("GET", "s3", [""]) => "ListBuckets",
        ("GET", "s3", _) if asks_for("location") => "GetBucketLocation",
        ("GET", "s3", _) if asks_for("notification") => "GetBucketNotificationConfiguration",
        ("GET", "s3", _) if asks_for("encryption") => "GetBucketEncryption",
        ("GET", "s3", _) if asks_for("policy") => "GetBucketPolicy",
        ("PUT", "s3", [_, _, ..]) => "PutObject",
        ("POST", "securityhub", ["findings"]) => "GetFindings",
        ("POST", "securityhub", ["findings", "import"]) => "BatchImportFindings",
        ("GET", "scheduler", ["schedules"]) => "ListSchedules",
        ("GET", "scheduler", ["schedules", _]) => "GetSchedule",
        _ => return None,
    })
}
