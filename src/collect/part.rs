//! Parts of an account: what is read as a whole or not, mostly a service of a region, and is not asked for twice by a scan that
//! goes on where an earlier one was interrupted.

use chrono::Utc;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::flow::Flow;
use super::journal::Kept;
use super::reader::Reader;
use super::{Options, Scan, Skippable};
use crate::account::{Coverage, PartRead};

impl Scan<'_> {
    /// A part: as an earlier scan read it, or read now. `given` is what it depends on besides the region and the account, in an
    /// order that is always the same; a part that was read for something else is not used.
    pub(super) async fn part<T: Serialize + DeserializeOwned>(
        &self,
        name: &'static str,
        region: Option<&str>,
        given: &impl Serialize,
        read: impl AsyncFnOnce(&Scan<'_>) -> T,
    ) -> T {
        let kept = self
            .journal
            .and_then(|journal| journal.take::<T>(name, region, given));
        let mut coverage = Coverage::default();
        let (value, read_at) = if let Some(kept) = kept {
            coverage.notes = kept.notes;
            (kept.value, kept.read_at)
        } else {
            let read_at = Utc::now();
            // What cannot be read is counted by the part: one that lacks something is asked again.
            let reader = Reader::new(self.reader.run());
            let scan = Scan {
                reader: &reader,
                partition: self.partition.clone(),
                account: self.account.clone(),
                ..*self
            };
            // Boxed: the state of all calls of a part is large, and several parts are read at once.
            let value = Box::pin(read(&scan)).await;
            coverage = reader.into_coverage();
            if let Some(journal) = self.journal
                && coverage.gaps.is_empty()
            {
                let kept = Kept {
                    value: &value,
                    notes: coverage.notes.clone(),
                    read_at,
                };
                journal.keep(name, region, given, kept);
            }
            (value, read_at)
        };
        coverage.parts.push(PartRead {
            part: name.to_owned(),
            region: region.map(str::to_owned),
            read_at,
        });
        self.reader.add(coverage);
        value
    }

    /// What of a service of a region moves messages or works on them, unless the service is left out.
    pub(super) async fn flow(
        &self,
        service: Skippable,
        region: &str,
        options: &Options,
        read: impl AsyncFnOnce(&Scan<'_>, &str) -> Flow,
    ) -> Flow {
        if options.skip.contains(&service) {
            return Flow::default();
        }
        self.part(service.as_str(), Some(region), &(), async |scan| {
            read(scan, region).await
        })
        .await
    }
}
