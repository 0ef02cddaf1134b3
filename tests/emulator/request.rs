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
    pub(crate) operation: String,
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
        let Some(target) = head.first().map(|line| line.split(' ').nth(1)) else {
            return Ok(None);
        };
        let target = target.ok_or_else(|| Error::other("no request line"))?;
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
            ..Request::of(target, header, &body)
        };
        Ok(Some(Self {
            request,
            head,
            body,
        }))
    }
}

impl Request {
    /// Reads the target of a request line, the headers (empty where there is none) and the body.
    pub(super) fn of<'h>(target: &str, header: impl Fn(&str) -> &'h str, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
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
        Self {
            access_key: scope[0].to_owned(),
            region: scope.get(2).copied().unwrap_or_default().to_owned(),
            service: service.to_owned(),
            operation: operation.to_owned(),
            path: path.to_owned(),
            input: format!("{query} {body}"),
            headers: Vec::new(),
        }
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
