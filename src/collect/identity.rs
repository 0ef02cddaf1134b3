//! What `GetAccountAuthorizationDetails` returns, as our types.

use aws_sdk_iam::types::{
    AttachedPermissionsBoundary, AttachedPolicy, GroupDetail, ManagedPolicyDetail, PolicyDetail,
    RoleDetail, UserDetail,
};
use percent_encoding::percent_decode_str;

use crate::account::{Group, InlinePolicy, PolicyText, Role, Tag, User};
use crate::arn::Arn;

/// An item without the names that it cannot do without.
pub(super) struct Malformed {
    /// The item's name, when it has one.
    pub(super) name: Option<String>,
}

/// The text of a policy document. IAM percent-encodes documents by RFC 3986, in which `+` stands for itself; some endpoints
/// do not encode at all.
pub(super) fn decoded(text: &str) -> PolicyText {
    if text.trim_start().starts_with('{') {
        return PolicyText::new(text);
    }
    // What does not decode to UTF-8 is no policy document; it is kept as it came and refused where documents are read.
    let decoded = percent_decode_str(text).decode_utf8();
    PolicyText::new(decoded.as_deref().unwrap_or(text))
}

pub(super) fn user(detail: &UserDetail) -> Result<User, Malformed> {
    let name = detail.user_name();
    let mut groups = detail.group_list().to_vec();
    groups.sort();
    Ok(User {
        arn: arn(detail.arn(), name)?,
        id: detail.user_id().unwrap_or_default().to_owned(),
        tags: tags(detail.tags()),
        groups,
        inline: inline(detail.user_policy_list()),
        attached: attached(detail.attached_managed_policies(), name)?,
        boundary: boundary(detail.permissions_boundary(), name)?,
        access_keys: None,
    })
}

pub(super) fn group(detail: &GroupDetail) -> Result<Group, Malformed> {
    let name = detail.group_name();
    Ok(Group {
        arn: arn(detail.arn(), name)?,
        inline: inline(detail.group_policy_list()),
        attached: attached(detail.attached_managed_policies(), name)?,
    })
}

pub(super) fn role(detail: &RoleDetail) -> Result<Role, Malformed> {
    let name = detail.role_name();
    let mut instance_profiles = detail
        .instance_profile_list()
        .iter()
        .map(|profile| arn(Some(profile.arn()), name))
        .collect::<Result<Vec<_>, _>>()?;
    instance_profiles.sort();
    Ok(Role {
        arn: arn(detail.arn(), name)?,
        id: detail.role_id().unwrap_or_default().to_owned(),
        trust: decoded(detail.assume_role_policy_document().unwrap_or_default()),
        tags: tags(detail.tags()),
        inline: inline(detail.role_policy_list()),
        attached: attached(detail.attached_managed_policies(), name)?,
        boundary: boundary(detail.permissions_boundary(), name)?,
        instance_profiles,
    })
}

/// The policy's ARN, and the document of its default version when the answer holds it.
pub(super) fn managed_policy(
    detail: &ManagedPolicyDetail,
) -> Result<(Arn, Option<PolicyText>), Malformed> {
    let arn = arn(detail.arn(), detail.policy_name())?;
    let versions = detail.policy_version_list();
    let default = versions
        .iter()
        .find(|version| version.is_default_version())
        .or_else(|| {
            let wanted = detail.default_version_id()?;
            versions
                .iter()
                .find(|version| version.version_id() == Some(wanted))
        });
    let document = default.and_then(|version| version.document());
    Ok((arn, document.map(decoded)))
}

fn arn(text: Option<&str>, name: Option<&str>) -> Result<Arn, Malformed> {
    text.and_then(|text| Arn::parse(text).ok())
        .ok_or_else(|| Malformed {
            name: name.or(text).map(str::to_owned),
        })
}

fn attached(policies: &[AttachedPolicy], name: Option<&str>) -> Result<Vec<Arn>, Malformed> {
    let mut arns = policies
        .iter()
        .map(|policy| arn(policy.policy_arn(), name))
        .collect::<Result<Vec<_>, _>>()?;
    arns.sort();
    Ok(arns)
}

fn boundary(
    boundary: Option<&AttachedPermissionsBoundary>,
    name: Option<&str>,
) -> Result<Option<Arn>, Malformed> {
    boundary
        .map(|boundary| arn(boundary.permissions_boundary_arn(), name))
        .transpose()
}

fn inline(policies: &[PolicyDetail]) -> Vec<InlinePolicy> {
    let mut inline: Vec<_> = policies
        .iter()
        .map(|policy| InlinePolicy {
            name: policy.policy_name().unwrap_or_default().to_owned(),
            document: decoded(policy.policy_document().unwrap_or_default()),
        })
        .collect();
    inline.sort_by(|left, right| left.name.cmp(&right.name));
    inline
}

fn tags(tags: &[aws_sdk_iam::types::Tag]) -> Vec<Tag> {
    let mut tags: Vec<_> = tags
        .iter()
        .map(|tag| Tag {
            key: tag.key().to_owned(),
            value: tag.value().to_owned(),
        })
        .collect();
    tags.sort();
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_decoded_exactly_once() {
        let once = "%7B%22Resource%22%3A%22arn%3Aaws%3Asqs%3A%2A%3A%2A%3A50%2525%22%7D";
        assert_eq!(
            decoded(once).as_str(),
            r#"{"Resource":"arn:aws:sqs:*:*:50%25"}"#
        );
    }

    #[test]
    fn a_document_that_is_not_encoded_is_left_alone() {
        let plain = " {\"Resource\":\"a%2Ab\"}";
        assert_eq!(decoded(plain).as_str(), plain);
    }

    #[test]
    fn a_plus_sign_stands_for_itself() {
        assert_eq!(decoded("%7B%22a+b%22%7D").as_str(), r#"{"a+b"}"#);
    }

    #[test]
    fn what_is_no_utf_8_is_kept_as_it_came() {
        assert_eq!(decoded("%7B%ff%7D").as_str(), "%7B%ff%7D");
    }
}
