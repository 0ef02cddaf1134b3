//! A Terraform module: a role that may be assumed from an audit account, with the policy inline. An inline policy is deleted with
//! its role and may be longer than a managed one.

use anyhow::Result;

use super::{IN_OPEN_PARTITION, OPEN_PARTITION, Policy, ROLE_DESCRIPTION, ROLE_NAME};
use crate::remedy::as_terraform;

pub(super) fn module(policy: &Policy) -> Result<Vec<u8>> {
    let document = as_terraform(&serde_json::to_string(policy)?);
    let is_open = document.contains(IN_OPEN_PARTITION);
    let partition = if is_open {
        "data \"aws_partition\" \"current\" {}\n\n"
    } else {
        ""
    };
    let document = in_partition(&document);
    Ok(format!(
        r#"# A role that `patscan --assume-role` reads an account with: made by `patscan iam-policy -f terraform`.

terraform {{
  required_providers {{
    aws = {{
      source  = "hashicorp/aws"
      version = ">= 4.0"
    }}
  }}
}}

variable "trusted_principals" {{
  description = "Who may assume the role: ARNs of roles or users, or the id of an account, which then decides who of its own may."
  type        = list(string)

  validation {{
    condition     = length(var.trusted_principals) > 0 && !contains(var.trusted_principals, "*")
    error_message = "Name at least one principal, and not everybody."
  }}
}}

variable "external_id" {{
  description = "What has to be given with --external-id to assume the role; null asks for none."
  type        = string
  default     = null
}}

variable "role_name" {{
  description = "What the role is called."
  type        = string
  default     = "{ROLE_NAME}"
}}

{partition}resource "aws_iam_role" "patscan" {{
  name        = var.role_name
  description = "{ROLE_DESCRIPTION}"

  assume_role_policy = jsonencode({{
    Version = "2012-10-17"
    Statement = [
      merge(
        {{
          Sid       = "PatscanIsAssumed"
          Effect    = "Allow"
          Principal = {{ AWS = var.trusted_principals }}
          Action    = "sts:AssumeRole"
        }},
        var.external_id == null ? null : {{
          Condition = {{ StringEquals = {{ "sts:ExternalId" = var.external_id }} }}
        }}
      )
    ]
  }})
}}

resource "aws_iam_role_policy" "patscan" {{
  name = "patscan"
  role = aws_iam_role.patscan.id
  policy = {document}
}}

output "role_arn" {{
  description = "What `patscan --assume-role` takes."
  value       = aws_iam_role.patscan.arn
}}
"#
    )
    .into_bytes())
}

/// Has ARNs begin with the partition of whoever applies it. In HCL as it is written here no text goes over several lines, so
/// what a line begins with is the beginning of a text.
fn in_partition(document: &str) -> String {
    let open = format!("\"{IN_OPEN_PARTITION}");
    let here = open.replace(OPEN_PARTITION, "${data.aws_partition.current.partition}");
    let lines = document.lines().map(|line| {
        let text = line.trim_start();
        match text.strip_prefix(&open) {
            Some(rest) => format!("{:1$}{here}{rest}", "", line.len() - text.len()),
            None => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}
