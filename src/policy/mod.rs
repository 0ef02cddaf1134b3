//! The IAM policy language: documents, patterns, conditions, and three-valued truth.
//!
//! Implements the "Grammar of the IAM JSON policy language" and the element reference of the IAM user guide. A document is
//! parsed once into [`Document`]; matching a statement against a [`Request`] gives a [`Formula`]: always, never, or the
//! conditions under which it matches. Nothing here knows of accounts, queues or layers; combining policies into a decision
//! belongs to [`crate::access`].

mod assumption;
mod clause;
mod condition;
mod context;
mod document;
mod formula;
mod glob;
mod json;
mod letter_case;
mod matching;
mod number;
mod principal;
mod reading;
mod resource;
mod solver;
mod template;

pub use assumption::{Assumption, Assumptions};
pub use clause::Clause;
pub use condition::{Base, Operator, Quantifier};
pub use context::{ContextKeys, Domain, Lookup, is_multivalued};
pub use document::{
    ActionSet, Document, Effect, PolicyKind, PrincipalElement, Problem, ResourceSet, Statement,
    Version,
};
pub use formula::{Atom, Formula, Literal, OpenReason};
pub use glob::{Glob, Letters};
pub use matching::{PrincipalMatch, Request};
pub use principal::{PrincipalEntry, Requester, RequesterKind};
pub use resource::{FieldReach, Reach, ResourcePattern};

pub(crate) use json::Json;
pub(crate) use reading::ELEMENTS;
