//! What the company runs: services in environments, each owned by a team, with the queues between them.

use patscan::arn::Arn;

use super::random::Random;
use super::{REGIONS, Size, arn};

const ENVIRONMENTS: [&str; 3] = ["dev", "stage", "prod"];
const TEAMS: [&str; 24] = [
    "atlas", "beacon", "cargo", "delta", "ember", "falcon", "galaxy", "harbor", "indigo", "juno",
    "kestrel", "lumen", "meteor", "nimbus", "orbit", "pioneer", "quartz", "ranger", "sierra",
    "tundra", "umbra", "vector", "willow", "zephyr",
];
const NOUNS: [&str; 48] = [
    "orders", "payments", "billing", "catalog", "search", "pricing", "stock", "shipping",
    "returns", "refunds", "accounts", "profiles", "sessions", "mails", "notices", "reviews",
    "ratings", "offers", "coupons", "carts", "checkout", "invoices", "ledger", "taxes", "fraud",
    "risk", "identity", "media", "images", "videos", "reports", "metrics", "events", "audit",
    "exports", "imports", "partners", "vendors", "stores", "loyalty", "gifts", "wishes", "tickets",
    "chat", "calls", "routes", "fleet", "depots",
];
const ROLES_OF_SERVICES: [&str; 7] = ["", "-core", "-gateway", "-sync", "-feed", "-jobs", "-index"];
const QUEUE_PARTS: [&str; 10] = [
    "events", "requests", "updates", "jobs", "commands", "imports", "results", "retries", "mails",
    "changes",
];
/// About so many roles, and so many queues, one service has in one environment.
const PER_COMPONENT: usize = 12;

/// A service in one environment.
pub(super) struct Component {
    /// `<env>-<service>`.
    pub(super) name: String,
    pub(super) environment: &'static str,
    pub(super) service: String,
    pub(super) team: &'static str,
    pub(super) region: &'static str,
    /// Its queues that are no dead-letter queues, by index.
    pub(super) queues: Vec<usize>,
}

/// A queue before anything is said about who may use it.
pub(super) struct PlannedQueue {
    pub(super) arn: Arn,
    /// Its component; none of queues that belong to a team or a person.
    pub(super) component: Option<usize>,
    pub(super) team: &'static str,
    pub(super) dead_letters: Option<usize>,
    pub(super) is_dead_letters: bool,
    pub(super) fifo: bool,
    /// The customer managed key that encrypts it, by index.
    pub(super) key: Option<usize>,
}

/// Everything that the rest refers to.
pub(super) struct Landscape {
    pub(super) seed: u64,
    pub(super) components: Vec<Component>,
    pub(super) queues: Vec<PlannedQueue>,
    pub(super) keys: Vec<Arn>,
}

impl Landscape {
    pub(super) fn new(size: &Size) -> Self {
        let components = (size.roles.max(size.queues) / PER_COMPONENT).clamp(3, 1000);
        let mut landscape = Self {
            seed: size.seed,
            components: (0..components)
                .map(|number| component(size.seed, number))
                .collect(),
            queues: Vec::with_capacity(size.queues),
            keys: Vec::new(),
        };
        landscape.keys = landscape.plan_keys();
        for number in 0..size.queues {
            landscape.plan_queue(number, size.users);
        }
        landscape
    }

    pub(super) fn random(&self, what: &str, number: usize) -> Random {
        Random::of(self.seed, what, number)
    }

    /// The component of the role or queue with this number.
    #[expect(
        clippy::indexing_slicing,
        reason = "there are components, and the number is below theirs"
    )]
    pub(super) fn component(&self, number: usize) -> &Component {
        &self.components[number % self.components.len()]
    }

    /// A key for every fourth component, in its region.
    fn plan_keys(&self) -> Vec<Arn> {
        (0..self.components.len().div_ceil(4))
            .map(|number| {
                let id = self.random("key", number).uuid();
                arn(
                    "kms",
                    self.component(number * 4).region,
                    &format!("key/{id}"),
                )
            })
            .collect()
    }

    /// Of three queues of a component the second takes the dead letters of the first.
    fn plan_queue(&mut self, number: usize, users: usize) {
        let mut random = self.random("queue", number);
        let place = number % self.components.len();
        let round = number / self.components.len();
        let component = self.component(number);
        let (team, region) = (component.team, component.region);
        let alone = |name: String| PlannedQueue {
            arn: arn("sqs", region, &name),
            component: None,
            team,
            dead_letters: None,
            is_dead_letters: false,
            fifo: false,
            key: None,
        };
        let planned = match number % 97 {
            41 => alone(format!("{team}-scratch-{number}")),
            67 if users > 0 => {
                let owner = user_name(self.seed, random.below(users));
                alone(format!("{owner}-sandbox-{number}"))
            }
            _ => {
                let part = QUEUE_PARTS
                    .get(round / 3 * 2 % QUEUE_PARTS.len() + usize::from(round % 3 == 2))
                    .unwrap_or(&"events");
                let again = match round / 15 {
                    0 => String::new(),
                    times => format!("-{}", times + 1),
                };
                let is_dead_letters = round % 3 == 1;
                // The first of three decides for its dead-letter queue as well: both are FIFO, or neither is.
                let first = number - self.components.len() * usize::from(is_dead_letters);
                let fifo = self.random("fifo", first).chance(70);
                let name = format!(
                    "{}-{part}{again}{}{}",
                    component.name,
                    if is_dead_letters { "-dlq" } else { "" },
                    if fifo { ".fifo" } else { "" },
                );
                PlannedQueue {
                    arn: arn("sqs", region, &name),
                    component: Some(place),
                    team,
                    dead_letters: None,
                    is_dead_letters,
                    fifo,
                    key: (place.is_multiple_of(4) && random.chance(450)).then_some(place / 4),
                }
            }
        };
        if planned.is_dead_letters {
            let source = number - self.components.len();
            if let Some(source) = self.queues.get_mut(source)
                && source.component.is_some()
            {
                source.dead_letters = Some(number);
            }
        } else if planned.component.is_some()
            && let Some(component) = self.components.get_mut(place)
        {
            component.queues.push(number);
        }
        self.queues.push(planned);
    }
}

fn component(seed: u64, number: usize) -> Component {
    let environment = ENVIRONMENTS
        .get(number % ENVIRONMENTS.len())
        .copied()
        .unwrap_or("prod");
    let service = number / ENVIRONMENTS.len();
    let noun = NOUNS
        .get(service % NOUNS.len())
        .copied()
        .unwrap_or("orders");
    let role = ROLES_OF_SERVICES
        .get(service / NOUNS.len() % ROLES_OF_SERVICES.len())
        .copied()
        .unwrap_or_default();
    let again = match service / (NOUNS.len() * ROLES_OF_SERVICES.len()) {
        0 => String::new(),
        times => format!("-v{}", times + 1),
    };
    let service_name = format!("{noun}{role}{again}");
    let mut random = Random::of(seed, "service", service);
    Component {
        name: format!("{environment}-{service_name}"),
        environment,
        team: random.pick(&TEAMS),
        region: if random.chance(850) {
            REGIONS[0]
        } else {
            REGIONS[1]
        },
        service: service_name,
        queues: Vec::new(),
    }
}

/// The teams, in the order of their names.
pub(super) fn teams() -> &'static [&'static str] {
    &TEAMS
}

/// The name of a user.
pub(super) fn user_name(seed: u64, number: usize) -> String {
    const FIRST: [&str; 20] = [
        "anna", "bruno", "chiara", "david", "elif", "farid", "greta", "hugo", "ines", "jonas",
        "karin", "liam", "mira", "noah", "olga", "pablo", "rosa", "sofia", "tomas", "yuki",
    ];
    const LAST: [&str; 20] = [
        "albers", "bauer", "costa", "dubois", "eriksen", "fischer", "garcia", "hansen", "ivanov",
        "jensen", "keller", "lopez", "meier", "novak", "okafor", "peters", "rossi", "schmidt",
        "tanaka", "weber",
    ];
    let mut random = Random::of(seed, "name", number);
    format!("{}.{}{number}", random.pick(&FIRST), random.pick(&LAST))
}
