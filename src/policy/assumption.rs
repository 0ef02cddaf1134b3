//! Rules that no public AWS page confirms. Each has a default, and an outcome that hangs on one says so.

use std::fmt;

macro_rules! assumptions {
    ($($(#[doc = $doc:literal])* $variant:ident = $id:literal : $meaning:literal,)*) => {
        /// A rule taken as true without a public AWS page that confirms it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Assumption {
            $($(#[doc = $doc])* #[doc = $meaning] $variant,)*
        }

        impl Assumption {
            /// Every assumption, in the order of the register.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The id in the register, such as `P-SVC`.
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// The default that is taken, in words.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

assumptions! {
    DuplicateKey = "A-DUP": "of two members with one key, AWS kept either the first or the last",
    DuplicateKeyCase = "A-DUPCASE": "one condition key written twice in different letter case is two constraints",
    ElementCase = "A-ELCASE": "names of policy elements are case-sensitive",
    NoPrincipal = "A-NOPRIN": "a resource policy statement without a principal matches nobody",
    Whitespace = "A-WS": "an action with white space in it, or nothing after the colon, matches nothing",
    EmptyList = "A-EMPTY": "an empty action list matches nothing",
    EmptyValues = "A-EMPTYVAL": "an empty list of condition values is matched by no value",
    StarCoversServices = "P-SVC": "the principal `*` covers AWS services",
    NotPrincipalAccount = "P-NPACC": "naming an account in `NotPrincipal` exempts its principals",
    ActionStarStar = "AC-STARSTAR": "the action `*:*` is every action",
    ActionPrefixWildcard = "AC-PFX": "wildcards in the service prefix of an action are honoured",
    ShortResource = "R-SHORT": "an incomplete ARN outside identity policies matches only with a trailing `*`",
    ServiceWildcard = "R-SVCWILD": "a wildcard in the partition or service of an ARN pattern may be honoured",
    ListQueuesResource = "R-LISTQ": "`sqs:ListQueues` is allowed by `*` only",
    OperatorCase = "C-OPCASE": "condition operators are case-insensitive",
    ShortArnValue = "O-SHORTARN": "an ARN operator never matches a value of fewer than six fields",
    NoSetOperator = "S-NOSET": "a multivalued key without a set operator never matches, and its negation is open",
    VariableIsLiteral = "V-INJ": "the value put in for a policy variable is literal text",
    FederatedDeny = "D-FED": "a Deny for a user hits the user's federated sessions",
    RootDeny = "RT-DENY": "a Deny hits the root user for messages",
    ServiceKeys = "E-SVC": "requests by services carry no `aws:PrincipalArn`; their other principal keys are open",
}

impl fmt::Display for Assumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// A set of assumptions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Assumptions(u32);

impl Assumptions {
    /// Adds one.
    pub fn insert(&mut self, assumption: Assumption) {
        self.0 |= 1 << assumption as u8;
    }

    /// Adds every one of `other`.
    pub fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The members in the order of the register.
    pub fn iter(self) -> impl Iterator<Item = Assumption> {
        Assumption::ALL
            .iter()
            .copied()
            .filter(move |assumption| self.0 & (1 << *assumption as u8) != 0)
    }
}
