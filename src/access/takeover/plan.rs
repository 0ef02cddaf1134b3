//! The ways with their actions by number, so that what a document allows is a set.

use super::way::{PASS_ROLE, WAYS, Way};
use crate::policy::{Document, Effect, Statement};

/// Actions by their place, one bit each.
pub(super) type Actions = u128;

/// An action as AWS writes it, and in lower case.
pub(super) struct Action {
    pub(super) name: &'static str,
    pub(super) lower: String,
    /// The services that hold what it is asked about, as ARNs name them; none for what is asked about nothing that has an ARN,
    /// which patterns of any service may cover (R11).
    pub(super) about: Vec<Option<&'static str>>,
}

impl Action {
    /// Whether a statement could be about anything that the action is asked about.
    pub(super) fn is_meant_by(&self, statement: &Statement) -> bool {
        self.about
            .iter()
            .any(|service| service.is_none_or(|service| statement.could_mean(service)))
    }
}

/// A way with the places of its actions.
pub(super) struct Plan {
    pub(super) way: &'static Way,
    /// For each of its needs.
    pub(super) needs: Vec<usize>,
    /// All of them, and passing the role.
    pub(super) all: Actions,
}

/// The actions of all ways, and the ways with their places among them.
pub(super) fn plans() -> (Vec<Action>, Vec<Plan>) {
    let mut actions: Vec<Action> = Vec::new();
    let mut place = |name: &'static str, about: Option<&'static str>| {
        let known = actions.iter().position(|action| action.name == name);
        let place = known.unwrap_or(actions.len());
        match actions.get_mut(place) {
            Some(action) if action.about.contains(&about) => {}
            Some(action) => action.about.push(about),
            None => actions.push(Action {
                name,
                lower: name.to_ascii_lowercase(),
                about: vec![about],
            }),
        }
        place
    };
    let pass_role = place(PASS_ROLE, Some("iam"));
    let plans = WAYS
        .iter()
        .map(|way| {
            let needs = way.needs.iter();
            let needs: Vec<usize> = needs
                .map(|need| place(need.action, way.service_of(need)))
                .collect();
            let passes = way.passes_to().map(|_| pass_role);
            let all = needs.iter().copied().chain(passes);
            Plan {
                way,
                all: all.fold(0, |all, place| all | bit(place)),
                needs,
            }
        })
        .collect();
    (actions, plans)
}

fn bit(place: usize) -> Actions {
    u32::try_from(place)
        .ok()
        .and_then(|place| Actions::from(1_u8).checked_shl(place))
        .unwrap_or(0)
}

/// For each service the actions that are asked about something of it.
pub(super) fn by_service(actions: &[Action]) -> Vec<(Option<&'static str>, Actions)> {
    let mut all: Vec<(Option<&'static str>, Actions)> = Vec::new();
    for (place, action) in actions.iter().enumerate() {
        for service in &action.about {
            match all.iter_mut().find(|(known, _)| known == service) {
                Some((_, actions)) => *actions |= bit(place),
                None => all.push((*service, bit(place))),
            }
        }
    }
    all
}

/// The actions of ways that a document allows on something that they are asked about.
pub(super) fn allowed_by(
    document: &Document,
    actions: &[Action],
    by_service: &[(Option<&'static str>, Actions)],
) -> Actions {
    let mut allowed = 0;
    for statement in document.readings.iter().flatten() {
        if statement.effect != Effect::Allow {
            continue;
        }
        // Which services a statement could be about is soon told, and most are about one.
        let meant = by_service
            .iter()
            .filter(|(service, _)| service.is_none_or(|service| statement.could_mean(service)))
            .fold(0, |meant, (_, actions)| meant | actions);
        for (place, action) in actions.iter().enumerate() {
            if meant & !allowed & bit(place) != 0 && statement.actions.contains(&action.lower) {
                allowed |= bit(place);
            }
        }
    }
    allowed
}
