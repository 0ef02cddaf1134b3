//! Texts that many findings repeat, each kept once and named by its place.

use std::collections::HashMap;

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
#[derive(Debug, Default)]
pub(super) struct InternedNames<'a> {
    places: HashMap<(NameOf, &'a str), usize>,
    full: Vec<String>,
    short: Vec<String>,
}

/// What decides how a full name is shortened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum NameOf {
    Thing,
    Policy,
}

impl<'a> InternedNames<'a> {
    /// Where the name is; it is added when it is new, with what `shorten` makes of it.
    pub(super) fn place(
        &mut self,
        of: NameOf,
        name: &'a str,
        shorten: impl FnOnce() -> String,
    ) -> usize {
        *self.places.entry((of, name)).or_insert_with(|| {
            self.full.push(sanitise(name).into_owned());
            let short = sanitise(&shorten()).into_owned();
            // What is the same is not written twice.
            let is_same = self.full.last() == Some(&short);
            self.short.push(if is_same { String::new() } else { short });
            self.full.len() - 1
        })
    }

    pub(super) fn full(&self) -> &[String] {
        &self.full
    }

    pub(super) fn short(&self) -> &[String] {
        &self.short
    }
}
