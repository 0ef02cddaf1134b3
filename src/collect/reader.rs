//! How every call is made: timed, counted, paged to the end, and turned into a gap when it fails.

use std::collections::HashSet;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::calls::{Call, IfDenied};
use super::failure::{Failure, Kind};
use super::pacing::Calls;
use super::stop::{Reason, Stop};
use super::{Progress, Unit};
use crate::account::{Coverage, Gap, Note};

/// Stands for the token of a page that a list says to have and does not name.
const UNNAMED: &str = "\0";

/// The token of the next page, for lists that also say by a flag whether there is one. A token counts whatever the flag says;
/// a flag without a token is the end of what can be read, and not of the list.
pub(super) fn next_page(is_truncated: bool, token: Option<&str>) -> Option<&str> {
    token
        .filter(|token| !token.is_empty())
        .or(is_truncated.then_some(UNNAMED))
}

/// What every reader of one scan shares.
pub(super) struct Run<'a> {
    progress: &'a dyn Progress,
    stop: Stop,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    tally: Tally,
    calls: Calls,
    expired: usize,
}

/// So many answers that the credentials have run out, and nothing further is asked: one alone may come of a clock.
const EXPIRED: usize = 3;

impl<'a> Run<'a> {
    pub(super) fn new(progress: &'a dyn Progress, stop: Stop) -> Self {
        Self {
            progress,
            stop,
            counts: Mutex::default(),
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn progress(&self) -> &'a dyn Progress {
        self.progress
    }

    /// How the calls went so far.
    pub(super) fn tally(&self) -> Tally {
        self.change(|counts| counts.tally.clone())
    }

    /// How many calls were made, by service.
    pub(super) fn calls(&self) -> Calls {
        self.change(|counts| counts.calls.clone())
    }

    /// The answer to a request, or that the scan was stopped before it came.
    async fn unless_stopped<T>(
        &self,
        request: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            reason = self.stop.stopped() => Err(reason.failure()),
            answer = request => answer,
        }
    }

    fn count(&self, call: &'static Call, region: Option<&str>, failure: Option<&Failure>) {
        let has_expired = self.change(|counts| {
            *counts.calls.entry(call.service).or_default() += 1;
            counts.expired += usize::from(failure.is_some_and(|it| it.kind == Kind::Expired));
            // The caller's identity needs no permission, so it proves none.
            if call.if_denied != IfDenied::Fatal {
                counts.tally.add(call, region, failure);
            }
            counts.expired >= EXPIRED
        });
        if has_expired {
            self.stop.because(Reason::Expired);
        }
    }
}

/// Makes calls and remembers what could not be read.
pub(super) struct Reader<'a> {
    run: &'a Run<'a>,
    coverage: Mutex<Coverage>,
}

/// Why a list was not read to its end.
pub(super) struct Unfinished {
    /// What failed.
    pub(super) failure: Failure,
    /// Whether pages were read before.
    partly: bool,
}

/// How the calls went so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Calls that were answered, or failed for a reason other than the two below.
    pub(super) other: usize,
    /// Calls refused for lack of a permission.
    pub(super) refused: usize,
    /// Calls that never got an answer; the last of them with its call and region.
    pub(super) unreachable: usize,
    pub(super) last_unreachable: Option<(&'static str, Option<String>, String)>,
}

impl Tally {
    fn add(&mut self, call: &'static Call, region: Option<&str>, failure: Option<&Failure>) {
        match failure {
            Some(failure) if failure.kind == Kind::Refused => self.refused += 1,
            Some(failure) if failure.kind == Kind::Unreachable => {
                self.unreachable += 1;
                self.last_unreachable = Some((
                    call.service,
                    region.map(str::to_owned),
                    failure.cause.clone(),
                ));
            }
            _ => self.other += 1,
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(run: &'a Run<'a>) -> Self {
        Self {
            run,
            coverage: Mutex::default(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Coverage)) {
        change(&mut self.coverage.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Makes one call. `region` is none for global services.
    pub(super) fn call<O, E>(
        &self,
        call: &'static Call,
        region: Option<&str>,
        request: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> impl Future<Output = Result<O, Failure>>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        // Boxed before anything holds it: the state of a request is large.
        let request = Box::pin(request);
        async move {
            let begun = Instant::now();
            let request = async { request.await.map_err(|error| Failure::of(&error)) };
            let answer = self.run.unless_stopped(request).await;
            let failure = answer.as_ref().err();
            tracing::debug!(
                service = call.service,
                operation = call.operation,
                region = region.unwrap_or("global"),
                ms = begun.elapsed().as_millis(),
                error = failure.map(|failure| failure.code.as_str()),
                "call"
            );
            if failure.is_none_or(|failure| failure.kind != Kind::Stopped) {
                self.run.count(call, region, failure);
            }
            answer
        }
    }

    /// Makes a list call until its last page. When a page fails, what was read before is kept and a gap says that more is
    /// missing; a page token that comes a second time ends the list in the same way.
    pub(super) async fn pages<O, E, F>(
        &self,
        call: &'static Call,
        region: Option<&str>,
        request: impl Fn(Option<String>) -> F,
        token: impl Fn(&O) -> Option<&str>,
        keep: impl FnMut(O),
    ) where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Err(Unfinished { failure, partly }) =
            self.every_page(call, region, request, token, keep).await
        {
            self.missing(call, region, None, &failure, partly);
        }
    }

    /// As [`Reader::pages`], for a list that belongs to one resource, which may have been deleted since it was listed itself.
    pub(super) async fn pages_of<O, E, F>(
        &self,
        call: &'static Call,
        region: Option<&str>,
        resource: &str,
        request: impl Fn(Option<String>) -> F,
        token: impl Fn(&O) -> Option<&str>,
        keep: impl FnMut(O),
    ) where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Err(Unfinished { failure, partly }) =
            self.every_page(call, region, request, token, keep).await
            && !self.noted_as_deleted(call, region, resource, &failure)
        {
            self.missing(call, region, Some(resource), &failure, partly);
        }
    }

    /// As [`Reader::pages`], for the first question to a service that not every region offers: where it is not, nothing is
    /// missing. Only in regions where another service has answered. Once a service has named something of its own, no answer is
    /// no excuse, and the services that a scan is about are offered everywhere.
    pub(super) async fn pages_where_offered<O, E, F>(
        &self,
        call: &'static Call,
        region: &str,
        request: impl Fn(Option<String>) -> F,
        token: impl Fn(&O) -> Option<&str>,
        keep: impl FnMut(O),
    ) where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        match self
            .every_page(call, Some(region), request, token, keep)
            .await
        {
            Ok(()) => {}
            Err(Unfinished {
                failure,
                partly: false,
            }) if failure.is_not_offered() => {
                let detail = format!(
                    "{} are not offered in {region}: the endpoint of the service has no address or does not know them ({})",
                    call.tells, failure.code
                );
                self.note(Some(region), call.service, None, &detail);
            }
            Err(Unfinished { failure, partly }) => {
                self.missing(call, Some(region), None, &failure, partly);
            }
        }
    }

    /// As [`Reader::pages`], for callers to whom a part of the list is worth nothing, or who have a gap of their own.
    pub(super) async fn every_page<O, E, F>(
        &self,
        call: &'static Call,
        region: Option<&str>,
        request: impl Fn(Option<String>) -> F,
        token: impl Fn(&O) -> Option<&str>,
        mut keep: impl FnMut(O),
    ) -> Result<(), Unfinished>
    where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut seen = HashSet::new();
        let mut next = None;
        loop {
            let page = match self.call(call, region, request(next.take())).await {
                Ok(page) => page,
                Err(failure) => {
                    return Err(Unfinished {
                        failure,
                        partly: !seen.is_empty(),
                    });
                }
            };
            let following = token(&page)
                .filter(|token| !token.is_empty())
                .map(str::to_owned);
            keep(page);
            let Some(following) = following else {
                return Ok(());
            };
            let lost = if following == UNNAMED {
                Some("MissingPageToken")
            } else {
                (!seen.insert(following.clone())).then_some("RepeatedPageToken")
            };
            if let Some(code) = lost {
                return Err(Unfinished {
                    failure: Failure::word(code),
                    partly: true,
                });
            }
            next = Some(following);
        }
    }

    /// Records that a call failed: as a gap, or as a note where nothing that decides is missing.
    pub(super) fn failed(
        &self,
        call: &Call,
        region: Option<&str>,
        resource: Option<&str>,
        failure: &Failure,
    ) {
        self.missing(call, region, resource, failure, false);
    }

    /// Records that a call about a listed resource failed, and tells whether the resource still exists. That it was deleted in
    /// between hides nothing.
    pub(super) fn still_exists(
        &self,
        call: &Call,
        region: Option<&str>,
        resource: &str,
        failure: &Failure,
    ) -> bool {
        if self.noted_as_deleted(call, region, resource, failure) {
            return false;
        }
        self.failed(call, region, Some(resource), failure);
        true
    }

    fn noted_as_deleted(
        &self,
        call: &Call,
        region: Option<&str>,
        resource: &str,
        failure: &Failure,
    ) -> bool {
        let deleted = failure.is_missing_resource();
        if deleted {
            self.deleted(call, region, resource);
        }
        deleted
    }

    /// Records that a listed resource was deleted before it could be read.
    pub(super) fn deleted(&self, call: &Call, region: Option<&str>, resource: &str) {
        let detail = "it was deleted while the scan ran";
        self.note(region, call.service, Some(resource), detail);
    }

    fn missing(
        &self,
        call: &Call,
        region: Option<&str>,
        resource: Option<&str>,
        failure: &Failure,
        partly: bool,
    ) {
        let place = resource.or(region).unwrap_or("the account");
        let some = if partly { "some " } else { "" };
        let advice = match (failure.kind, call.iam_action) {
            (Kind::Refused, Some(action)) => format!("allow {action}"),
            _ => failure.advice().to_owned(),
        };
        let detail = format!(
            "{some}{} of {place} are unknown: {}; {advice}",
            call.tells, call.without
        );
        match call.if_denied {
            IfDenied::Gap(effect) => self.gap(Gap {
                region: region.map(str::to_owned),
                service: call.service.to_owned(),
                operation: call.operation.to_owned(),
                resource: resource.map(str::to_owned),
                error: failure.code.clone(),
                effect,
                detail,
            }),
            IfDenied::Note | IfDenied::Fatal => {
                self.note(region, call.service, resource, &detail);
            }
        }
    }

    /// What this reader shares with others.
    pub(super) fn run(&self) -> &'a Run<'a> {
        self.run
    }

    /// Records what another reader of the scan could not read.
    pub(super) fn add(&self, other: Coverage) {
        self.change(|coverage| {
            coverage.gaps.extend(other.gaps);
            coverage.notes.extend(other.notes);
            coverage.parts.extend(other.parts);
        });
    }

    /// Records a gap.
    pub(super) fn gap(&self, gap: Gap) {
        self.change(|coverage| coverage.gaps.push(gap));
    }

    /// Records something that hides nothing.
    pub(super) fn note(
        &self,
        region: Option<&str>,
        service: &str,
        resource: Option<&str>,
        detail: &str,
    ) {
        let note = Note {
            region: region.map(str::to_owned),
            service: service.to_owned(),
            resource: resource.map(str::to_owned),
            detail: detail.to_owned(),
        };
        self.change(|coverage| coverage.notes.push(note));
    }

    /// Tells that a unit of work begins; the guard tells when it ends.
    pub(super) fn unit<'r>(
        &'r self,
        service: &'static str,
        region: Option<&'r str>,
    ) -> RunningUnit<'r> {
        let unit = Unit { service, region };
        self.run.progress.started(unit);
        RunningUnit {
            progress: self.run.progress,
            unit,
        }
    }

    /// What could not be read.
    pub(super) fn into_coverage(self) -> Coverage {
        self.coverage
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A unit of work under way.
pub(super) struct RunningUnit<'r> {
    progress: &'r dyn Progress,
    unit: Unit<'r>,
}

impl RunningUnit<'_> {
    /// Tells how many items there are in all.
    pub(super) fn known(&self, total: usize) {
        self.progress.known(self.unit, total);
    }

    /// Tells that so many more items are done.
    pub(super) fn advanced(&self, by: usize) {
        self.progress.advanced(self.unit, by);
    }
}

impl Drop for RunningUnit<'_> {
    fn drop(&mut self) {
        self.progress.finished(self.unit);
    }
}
