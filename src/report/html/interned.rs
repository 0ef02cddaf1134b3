//! Texts that many findings repeat, each kept once and named by its place.

use std::collections::HashMap;
use std::hash::Hash;

use serde::Serialize;

use super::super::sanitise;

/// Texts in the order in which they were first met.
#[derive(Debug, Default)]
pub(super) struct Interned<'a> {
    places: HashMap<&'a str, usize>,
    texts: Vec<&'a str>,
}

impl<'a> Interned<'a> {
    /// Where the text is; it is added when it is new.
    pub(super) fn place(&mut self, text: &'a str) -> usize {
        *self.places.entry(text).or_insert_with(|| {
            self.texts.push(text);
            self.texts.len() - 1
        })
    }

    /// The texts, fit to be shown.
    pub(super) fn shown(&self) -> Vec<String> {
        let texts = self.texts.iter();
        texts.map(|text| sanitise(text).into_owned()).collect()
    }
}

/// Full names in the order in which they were first met, each with what people call it.
///
/// Names of a large account differ in little: of an ARN, what stands before its resource is kept once, and what people call it is
/// told by how that is made from the resource.
#[derive(Debug, Default)]
pub(super) struct InternedNames<'a> {
    places: HashMap<(NameOf, &'a str), usize>,
    beginnings: Kept<String>,
    forms: Kept<Form>,
    beginning: Vec<usize>,
    form: Vec<usize>,
    ends: Vec<String>,
}

/// What decides how a full name is shortened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum NameOf {
    Thing,
    Policy,
}

/// How a short name is made from the end of a full one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub(super) struct Form {
    part: Part,
    before: String,
    after: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Whole,
    Slash,
    Colon,
    /// The short name has nothing of it.
    Nothing,
}

/// Values, each kept once.
#[derive(Debug)]
struct Kept<T> {
    places: HashMap<T, usize>,
    values: Vec<T>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            values: Vec::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Kept<T> {
    fn place(&mut self, value: T) -> usize {
        if let Some(place) = self.places.get(&value) {
            return *place;
        }
        self.values.push(value.clone());
        self.places.insert(value, self.values.len() - 1);
        self.values.len() - 1
    }
}

impl Form {
    fn of(short: &str, end: &str) -> Self {
        let after = |separator| end.rsplit(separator).next().unwrap_or_default();
        let parts = [
            (Part::Whole, end),
            (Part::Slash, after('/')),
            (Part::Colon, after(':')),
        ];
        for (part, text) in parts {
            if !text.is_empty()
                && let Some((before, after)) = short.split_once(text)
            {
                return Self {
                    part,
                    before: before.to_owned(),
                    after: after.to_owned(),
                };
            }
        }
        Self {
            part: Part::Nothing,
            before: short.to_owned(),
            after: String::new(),
        }
    }
}

/// What stands before the resource of an ARN, and the rest; of what is no ARN everything is the rest.
fn split(name: &str) -> (&str, &str) {
    let mut colons = name.match_indices(':');
    match colons.nth(4) {
        Some((at, _)) if name.starts_with("arn:") => {
            name.split_at_checked(at + 1).unwrap_or(("", name))
        }
        _ => ("", name),
    }
}

impl<'a> InternedNames<'a> {
    /// Where the name is; it is added when it is new, with what `shorten` makes of it.
    pub(super) fn place(
        &mut self,
        of: NameOf,
        name: &'a str,
        shorten: impl FnOnce() -> String,
    ) -> usize {
        if let Some(place) = self.places.get(&(of, name)) {
            return *place;
        }
        let full = sanitise(name);
        let (beginning, end) = split(&full);
        let form = Form::of(&sanitise(&shorten()), end);
        self.beginning
            .push(self.beginnings.place(beginning.to_owned()));
        self.form.push(self.forms.place(form));
        self.ends.push(end.to_owned());
        self.places.insert((of, name), self.ends.len() - 1);
        self.ends.len() - 1
    }

    pub(super) fn shown(&self) -> ShownNames<'_> {
        ShownNames {
            beginnings: &self.beginnings.values,
            forms: &self.forms.values,
            beginning: &self.beginning,
            form: &self.form,
            end: &self.ends,
        }
    }
}

/// The names, each in three parts: its beginning and its form, by their places, and its end.
#[derive(Serialize)]
pub(super) struct ShownNames<'n> {
    beginnings: &'n [String],
    forms: &'n [Form],
    beginning: &'n [usize],
    form: &'n [usize],
    end: &'n [String],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_made_from_the_end_of_the_full_one() {
        for (full, short, part, before, after) in [
            (
                "arn:aws:sqs:eu-west-1:111122223333:orders",
                "eu-west-1/orders (111122223333)",
                Part::Whole,
                "eu-west-1/",
                " (111122223333)",
            ),
            (
                "arn:aws:iam::111122223333:role/team/app",
                "app",
                Part::Slash,
                "",
                "",
            ),
            (
                "arn:aws:lambda:eu-west-1:111122223333:function:f",
                "eu-west-1/f",
                Part::Colon,
                "eu-west-1/",
                "",
            ),
            ("*", "anyone", Part::Nothing, "anyone", ""),
            ("", "", Part::Nothing, "", ""),
        ] {
            let form = Form::of(short, split(full).1);
            assert_eq!(
                (form.part, &*form.before, &*form.after),
                (part, before, after),
                "{full}"
            );
        }
        assert_eq!(split("arn:aws:x"), ("", "arn:aws:x"));
        assert_eq!(split("a:b:c:d:e:f"), ("", "a:b:c:d:e:f"));
    }
}
