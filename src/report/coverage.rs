//! What the accounts behind an answer could not be asked.

use crate::account::{Account, Gap, GapEffect, Note};
use crate::arn::AccountId;

/// What was left unread, with what that does to the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Reads that failed, sorted by account.
    pub gaps: Vec<AccountGap>,
    /// Events that hide nothing.
    pub notes: Vec<AccountNote>,
    /// Services left out on request.
    pub skipped: Vec<SkippedService>,
}

/// A gap and the account that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountGap {
    /// The account.
    pub account: AccountId,
    /// The read that failed.
    pub gap: Gap,
}

/// A note and the account that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountNote {
    /// The account.
    pub account: AccountId,
    /// What happened.
    pub note: Note,
}

/// A service that was left out of the scan of an account on request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedService {
    /// The account.
    pub account: AccountId,
    /// The service namespace, such as `lambda`.
    pub service: String,
}

impl Coverage {
    /// What the accounts say of themselves.
    pub fn of<'a>(accounts: impl IntoIterator<Item = &'a Account>) -> Self {
        let mut all = Self::default();
        for account in accounts {
            let coverage = &account.coverage;
            all.gaps.extend(coverage.gaps.iter().map(|gap| AccountGap {
                account: account.id.clone(),
                gap: gap.clone(),
            }));
            all.notes
                .extend(coverage.notes.iter().map(|note| AccountNote {
                    account: account.id.clone(),
                    note: note.clone(),
                }));
            all.skipped
                .extend(coverage.skipped.iter().map(|service| SkippedService {
                    account: account.id.clone(),
                    service: service.clone(),
                }));
        }
        all
    }

    /// Adds gaps that showed only when what was read was looked at.
    pub fn add_gaps(&mut self, gaps: impl IntoIterator<Item = AccountGap>) {
        self.gaps.extend(gaps);
        self.gaps
            .sort_by(|a, b| (&a.account, &a.gap).cmp(&(&b.account, &b.gap)));
        self.gaps.dedup();
    }

    /// Adds notes that showed only when what was read was looked at.
    pub fn add_notes(&mut self, notes: impl IntoIterator<Item = AccountNote>) {
        self.notes.extend(notes);
        self.notes
            .sort_by(|a, b| (&a.account, &a.note).cmp(&(&b.account, &b.note)));
    }

    /// Whether nothing was left unread that could hide something.
    pub fn complete(&self) -> bool {
        !self
            .gaps
            .iter()
            .any(|missing| missing.gap.effect == GapEffect::MayHide)
    }
}
