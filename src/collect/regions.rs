//! Which regions are scanned: those that the account has enabled, or those that were named.

use std::collections::BTreeMap;

use super::Options;
use super::error::CollectError;
use crate::nearest::nearest_first;

/// Every region of the partition, and whether the account has enabled it.
pub(super) type KnownRegions = BTreeMap<String, bool>;

/// The regions to scan, sorted. `known` is none when AWS did not tell; then named regions are taken at their word, and
/// without any only the base region is scanned.
pub(super) fn choose(
    options: &Options,
    known: Option<&KnownRegions>,
    base: &str,
) -> Result<Vec<String>, CollectError> {
    for region in options.regions.iter().chain(&options.exclude_regions) {
        check_known(region, known)?;
    }
    let mut regions: Vec<String> = match known {
        _ if !options.regions.is_empty() => options.regions.clone(),
        Some(known) => known
            .iter()
            .filter(|(_, enabled)| **enabled)
            .map(|(region, _)| region.clone())
            .collect(),
        None => vec![base.to_owned()],
    };
    regions.retain(|region| !options.exclude_regions.contains(region));
    regions.sort();
    regions.dedup();
    if let Some(known) = known
        && let Some(region) = regions
            .iter()
            .find(|region| known.get(*region) == Some(&false))
    {
        return Err(CollectError::RegionNotEnabled {
            region: region.clone(),
        });
    }
    if regions.is_empty() {
        return Err(CollectError::NoRegionLeft);
    }
    Ok(regions)
}

/// That a named region exists; without the list, that it looks like one.
pub(super) fn check_known(region: &str, known: Option<&KnownRegions>) -> Result<(), CollectError> {
    let is_known = known.map_or_else(|| is_shaped(region), |known| known.contains_key(region));
    if is_known {
        return Ok(());
    }
    let nearest = known
        .map(|known| nearest_first(region, known.keys().map(String::as_str)))
        .and_then(|names| names.into_iter().next());
    Err(CollectError::UnknownRegion {
        region: region.to_owned(),
        nearest: nearest.unwrap_or_else(|| "eu-west-1".to_owned()),
    })
}

/// Whether the text has the shape of a region: `[a-z]{2,4}(-[a-z]+)+-[0-9]+`, with the four letters of `eusc-de-east-1`.
fn is_shaped(region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    let [area, middle @ .., number] = parts.as_slice() else {
        return false;
    };
    let letters =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    (2..=4).contains(&area.len())
        && letters(area)
        && !middle.is_empty()
        && middle.iter().all(|part| letters(part))
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> KnownRegions {
        [
            ("eu-west-1", true),
            ("us-east-1", true),
            ("eu-south-1", false),
        ]
        .into_iter()
        .map(|(name, enabled)| (name.to_owned(), enabled))
        .collect()
    }

    fn options(named: &[&str], excluded: &[&str]) -> Options {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Options {
            regions: owned(named),
            exclude_regions: owned(excluded),
            ..Options::default()
        }
    }

    fn chosen(named: &[&str], excluded: &[&str]) -> Result<Vec<String>, CollectError> {
        choose(&options(named, excluded), Some(&known()), "us-east-1")
    }

    #[test]
    fn every_enabled_region_is_scanned_unless_some_are_named() {
        assert_eq!(chosen(&[], &[]).unwrap(), ["eu-west-1", "us-east-1"]);
        assert_eq!(chosen(&["us-east-1"], &[]).unwrap(), ["us-east-1"]);
        assert_eq!(chosen(&[], &["us-east-1"]).unwrap(), ["eu-west-1"]);
    }

    #[test]
    fn an_unknown_region_is_answered_with_the_nearest() {
        for (named, excluded) in [(&["eu-wset-1"][..], &[][..]), (&[][..], &["eu-wset-1"][..])] {
            let error = chosen(named, excluded).unwrap_err();
            assert!(
                matches!(&error, CollectError::UnknownRegion { nearest, .. } if nearest == "eu-west-1")
            );
        }
    }

    #[test]
    fn a_named_region_must_be_enabled() {
        assert!(matches!(
            chosen(&["eu-south-1"], &[]),
            Err(CollectError::RegionNotEnabled { region }) if region == "eu-south-1"
        ));
    }

    #[test]
    fn excluding_every_region_is_an_error() {
        assert!(matches!(
            chosen(&["us-east-1"], &["us-east-1"]),
            Err(CollectError::NoRegionLeft)
        ));
    }

    #[test]
    fn without_the_list_named_regions_only_need_the_right_shape() {
        let blind = |named: &[&str]| choose(&options(named, &[]), None, "eu-north-1");
        assert_eq!(blind(&[]).unwrap(), ["eu-north-1"]);
        assert_eq!(blind(&["us-gov-west-1"]).unwrap(), ["us-gov-west-1"]);
        assert_eq!(blind(&["eusc-de-east-1"]).unwrap(), ["eusc-de-east-1"]);
        for text in [
            "",
            "eu",
            "eu-1",
            "EU-west-1",
            "eu-west-",
            "eu-west-1a",
            "eu--1",
            "../x",
        ] {
            assert!(blind(&[text]).is_err(), "{text}");
        }
    }
}
