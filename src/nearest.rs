//! The name that was probably meant.

/// The candidates, nearest to `wanted` first; equally near ones in alphabetical order.
pub(crate) fn nearest_first<'a>(
    wanted: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let mut ranked: Vec<_> = candidates
        .into_iter()
        .map(|name| (distance(wanted, name), name.to_owned()))
        .collect();
    ranked.sort();
    ranked.into_iter().map(|(_, name)| name).collect()
}

/// Levenshtein distance without regard to letter case.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        let mut next = vec![before];
        for (above, to) in row.iter().skip(1).zip(&right) {
            before = (diagonal + usize::from(from != *to))
                .min(before + 1)
                .min(above + 1);
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_edits() {
        assert_eq!(distance("prod", "Prod"), 0);
        assert_eq!(distance("prod", "prd"), 1);
        assert_eq!(distance("eu-west-1", "eu-west-12"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }

    #[test]
    fn the_nearest_name_comes_first() {
        assert_eq!(
            nearest_first("pord", ["default", "staging", "prod"]),
            ["prod", "default", "staging"]
        );
    }
}
