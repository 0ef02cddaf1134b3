//! What a server says to a call, and how it arrives.

use std::borrow::Cow;
use std::io::{Error, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::Request;

/// The time from one byte of a dripping answer to the next.
const BYTE: Duration = Duration::from_millis(20);
/// How much of an endless body a client may take before that counts as taking all of it.
pub(super) const ENDLESS: usize = 1 << 30;

/// What the server says.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(Cow<'static, str>, String)>,
    pub(super) body: String,
    pub(super) ending: Ending,
}

/// How much of an answer arrives, and how fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All of it, at once.
    Whole,
    /// Half of the body that was announced; then the connection is closed.
    Short,
    /// Half of the body; then the connection is reset.
    ResetWithin,
    /// Nothing: the connection is reset.
    ResetBefore,
    /// Nothing, and the connection stays open.
    Silent,
    /// Not even a connection comes about. Where there is one already, it is reset.
    Unreachable,
    /// Everything, byte by byte.
    Dripping,
    /// The body, and then more of it without end.
    Endless,
}

impl Answer {
    /// A successful answer.
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
            ending: Ending::Whole,
        }
    }

    /// An error in the protocol of the service that was called.
    pub(crate) fn error(request: &Request, status: u16, code: &str) -> Self {
        let mut headers: Vec<(Cow<'static, str>, String)> = Vec::new();
        let body = match request.service.as_str() {
            "sqs" => {
                headers.push(("x-amzn-query-error".into(), format!("{code};Sender")));
                format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"no"}}"#)
            }
            "apigateway" | "eks" | "iot" | "lambda" | "pipes" | "scheduler" | "securityhub" => {
                headers.push(("x-amzn-ErrorType".into(), code.to_owned()));
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
            ending: Ending::Whole,
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
        self.headers.push((name.into(), value.to_owned()));
        self
    }

    /// The length of the body.
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }

    /// Leaves out what comes after so many bytes of the body.
    pub(crate) fn cut(&mut self, length: usize) {
        self.body.truncate(self.body.floor_char_boundary(length));
    }

    /// Says one thing in place of another, wherever it stands.
    pub(crate) fn replace(&mut self, from: &str, to: &str) {
        self.body = self.body.replace(from, to);
    }

    /// The same answer, whose connection breaks half way.
    pub(crate) fn truncated(self) -> Self {
        self.ending(Ending::Short)
    }

    /// The same answer, which does not arrive as it should.
    pub(crate) fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }

    /// The answer of `GetCallerIdentity` for a user of the account.
    pub(crate) fn caller(account: &str) -> Self {
        Self::ok(format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/auditor</Arn><UserId>AIDA</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        ))
    }

    /// What another emulator answers to a request of a JSON protocol. `api` is the prefix of its `X-Amz-Target`.
    pub(crate) fn of(url: &str, api: &str, request: &Request) -> Self {
        let body = request.input.trim_start();
        let head = [
            "POST / HTTP/1.1".to_owned(),
            format!("Host: {}", host(url)),
            format!("X-Amz-Target: {api}.{}", request.operation),
            "Content-Type: application/x-amz-json-1.1".to_owned(),
            format!(
                "Authorization: AWS4-HMAC-SHA256 Credential={}/20300101/{}/{}/aws4_request, SignedHeaders=host, Signature=0",
                request.access_key, request.region, request.service
            ),
            format!("Content-Length: {}", body.len()),
        ];
        Self::forwarded(url, &head, body.as_bytes()).unwrap()
    }

    /// What another server answers to a request, whose headers are kept: `Host` too, which signatures cover.
    pub(super) fn forwarded(url: &str, head: &[String], body: &[u8]) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(host(url))?;
        // The older version of the protocol has neither connections that stay open nor bodies in chunks.
        let mut text = head[0].replace("HTTP/1.1", "HTTP/1.0");
        for line in &head[1..] {
            let name = line.split(':').next().unwrap_or_default();
            if !name.eq_ignore_ascii_case("connection") {
                text.extend(["\r\n", line]);
            }
        }
        text.push_str("\r\n\r\n");
        stream.write_all(&[text.as_bytes(), body].concat())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or_else(|| Error::other("the server behind gave no answer"))?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let own = ["connection", "content-length", "keep-alive"];
        let headers = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(name, _)| !own.iter().any(|own| name.eq_ignore_ascii_case(own)))
            .map(|(name, value)| (name.to_owned().into(), value.trim().to_owned()))
            .collect();
        Ok(Self {
            status: status.ok_or_else(|| Error::other("the server behind gave no status"))?,
            headers,
            ..Self::ok(body)
        })
    }

    /// Sends the answer as the only one of its connection.
    pub(super) fn send(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let length = if self.ending == Ending::Endless {
            String::new()
        } else {
            format!("content-length: {}\r\n", self.body.len())
        };
        let mut head = format!(
            "HTTP/1.1 {} X\r\nconnection: close\r\n{length}",
            self.status
        );
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        let half = self.body.floor_char_boundary(self.body.len() / 2);
        match self.ending {
            Ending::Whole => stream.write_all((head + &self.body).as_bytes()),
            Ending::Short => stream.write_all((head + &self.body[..half]).as_bytes()),
            Ending::ResetWithin => {
                stream.write_all((head + &self.body[..half]).as_bytes())?;
                // What is not sent yet is thrown away by a reset.
                std::thread::sleep(BYTE);
                reset_on_close(stream)
            }
            Ending::ResetBefore | Ending::Unreachable => reset_on_close(stream),
            Ending::Silent => stream.read_to_end(&mut Vec::new()).map(|_| ()),
            Ending::Dripping => {
                stream.write_all(head.as_bytes())?;
                for byte in self.body.as_bytes() {
                    std::thread::sleep(BYTE);
                    stream.write_all(&[*byte])?;
                }
                Ok(())
            }
            Ending::Endless => {
                stream.write_all((head + &self.body).as_bytes())?;
                let more = vec![b' '; 1 << 16];
                for _ in 0..ENDLESS / more.len() {
                    stream.write_all(&more)?;
                }
                panic!("the client goes on reading what has no end");
            }
        }
    }

    /// A page of `ListAccessKeys`: the status of each key and the day on which it was made, which also make its id.
    pub(crate) fn access_keys(keys: &[(&str, &str)], marker: Option<&str>) -> Self {
        let members: Vec<String> = keys
            .iter()
            .map(|(status, day)| {
                format!(
                    "<member><UserName>u</UserName><AccessKeyId>AKIA{status}{day}</AccessKeyId>\
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

fn host(url: &str) -> &str {
    url.strip_prefix("http://").unwrap()
}

/// Makes the end of a connection a reset: nothing may linger.
fn reset_on_close(stream: &TcpStream) -> std::io::Result<()> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))
}
