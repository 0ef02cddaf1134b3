//! The answer of `patscan doctor`: what a scan would be able to read. `patscan.doctor/v1`.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::json::{self, time};
use super::{AnswerFormat, Style, table};
use crate::account::GapEffect;
use crate::collect::IfDenied;
use crate::collect::doctor::{Answering, AskedRegion, Clock, Examination, Permission, Standing};

#[derive(Serialize)]
struct View<'a> {
    schema: &'static str,
    examined_at: String,
    /// Whether a scan would be complete, as far as can be told.
    complete: bool,
    /// Why nothing else could be found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    caller: Option<CallerView<'a>>,
    credentials: CredentialsView<'a>,
    clock: ClockView,
    network: NetworkView<'a>,
    regions: Vec<RegionView<'a>>,
    /// The region that permissions of regional services were asked for in.
    asked_in: Option<&'a str>,
    permissions: Vec<PermissionView<'a>>,
}

#[derive(Serialize)]
struct CallerView<'a> {
    arn: &'a str,
    account: &'a str,
    partition: &'a str,
}

#[derive(Serialize)]
struct CredentialsView<'a> {
    access_key: &'a str,
    origin: &'a [String],
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct ClockView {
    /// `right`, `off`, `wrong` (AWS refuses what it signs) or `unknown`.
    verdict: &'static str,
    seconds_ahead: Option<i64>,
}

#[derive(Serialize)]
struct NetworkView<'a> {
    endpoint: Option<&'a str>,
    fips: bool,
    dual_stack: bool,
    settings: Vec<SettingView<'a>>,
}

#[derive(Serialize)]
struct SettingView<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct RegionView<'a> {
    name: &'a str,
    scanned: bool,
    /// `answers`, `refuses`, `fails` or `not-asked`.
    answer: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    milliseconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct PermissionView<'a> {
    service: &'a str,
    operation: &'a str,
    /// The IAM action; null where AWS allows it to every caller.
    action: Option<&'a str>,
    region: Option<&'a str>,
    /// `allowed`, `denied`, `unknown` or `untried`.
    standing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    /// What a scan becomes without it: a gap that is `may-hide` or `may-overstate`, a `note`, or `fatal`.
    effect: &'static str,
    tells: &'a str,
    without: &'a str,
}

impl Examination {
    /// Writes what was found out, buffered and flushed.
    ///
    /// # Errors
    /// Those of the writer, unchanged.
    pub fn write(&self, format: AnswerFormat, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        match format {
            AnswerFormat::Table => table::write_examination(self, style, &mut out)?,
            AnswerFormat::Json => json::write_value(&self.view(), &mut out)?,
        }
        out.flush()
    }

    fn view(&self) -> View<'_> {
        View {
            schema: "patscan.doctor/v1",
            examined_at: time(self.examined_at),
            complete: self.is_complete(),
            error: self.stopped.as_ref().map(ToString::to_string),
            caller: self.caller.as_ref().map(|caller| CallerView {
                arn: caller.arn.as_str(),
                account: caller.account.as_str(),
                partition: caller.arn.partition(),
            }),
            credentials: CredentialsView {
                access_key: &self.credentials.access_key,
                origin: &self.credentials.origin,
                expires_at: self.credentials.expires_at.map(time),
            },
            clock: ClockView {
                verdict: verdict(self.clock),
                seconds_ahead: self.clock.map(|clock| clock.ahead),
            },
            network: NetworkView {
                endpoint: self.network.endpoint.as_deref(),
                fips: self.network.fips,
                dual_stack: self.network.dual_stack,
                settings: self
                    .network
                    .settings
                    .iter()
                    .map(|setting| SettingView {
                        name: &setting.name,
                        value: &setting.value,
                    })
                    .collect(),
            },
            regions: self.regions.iter().map(RegionView::of).collect(),
            asked_in: self.asked_in.as_deref(),
            permissions: self.permissions.iter().map(PermissionView::of).collect(),
        }
    }
}

fn verdict(clock: Option<Clock>) -> &'static str {
    match clock {
        None => "unknown",
        Some(clock) if clock.breaks_signatures() => "wrong",
        Some(clock) if clock.is_off() => "off",
        Some(_) => "right",
    }
}

impl<'a> RegionView<'a> {
    fn of(region: &'a AskedRegion) -> Self {
        let (answer, milliseconds, error) = match &region.answering {
            None => ("not-asked", None, None),
            Some(Answering::Answers { milliseconds }) => ("answers", Some(*milliseconds), None),
            Some(Answering::Refuses { milliseconds, code }) => {
                ("refuses", Some(*milliseconds), Some(code.as_str()))
            }
            Some(Answering::Fails { code }) => ("fails", None, Some(code.as_str())),
        };
        Self {
            name: &region.name,
            scanned: region.answering.is_some(),
            answer,
            milliseconds,
            error,
        }
    }
}

impl<'a> PermissionView<'a> {
    fn of(permission: &'a Permission) -> Self {
        let (standing, error, resource, why) = match &permission.standing {
            Standing::Allowed => ("allowed", None, None, None),
            Standing::Denied { code, on } => ("denied", Some(code.as_str()), on.as_deref(), None),
            Standing::Unknown { why } => ("unknown", None, None, Some(why.as_str())),
            Standing::Untried { why } => ("untried", None, None, Some(why.as_str())),
        };
        let call = permission.call;
        Self {
            service: call.service,
            operation: call.operation,
            action: call.iam_action,
            region: permission.region.as_deref(),
            standing,
            error,
            resource,
            why,
            effect: match permission.effect {
                IfDenied::Fatal => "fatal",
                IfDenied::Gap(GapEffect::MayHide) => "may-hide",
                IfDenied::Gap(GapEffect::MayOverstate) => "may-overstate",
                IfDenied::Note => "note",
            },
            tells: call.tells,
            without: call.without,
        }
    }
}
