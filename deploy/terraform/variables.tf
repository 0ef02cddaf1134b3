variable "name" {
  description = "What everything is called; names of roles, the cluster and the queue begin with it."
  type        = string
  default     = "patscan"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "A name has 2 to 31 small letters, digits and hyphens, and begins with a letter."
  }
}

variable "image" {
  description = "The image of deploy/container, with a digest (repository@sha256:…) or at least a tag that is not `latest`."
  type        = string

  validation {
    condition = (
      can(regex("@sha256:[0-9a-f]{64}$", var.image)) ||
      can(regex("^[^@]*:[A-Za-z0-9_][A-Za-z0-9._-]*$", var.image)) && !endswith(var.image, ":latest")
    )
    error_message = "Name the image with its digest, or with a tag that is not `latest`: what runs in the account is chosen, not found."
  }
}

variable "repository_arn" {
  description = "The ARN of the ECR repository that the image is pulled from; null for a public image elsewhere."
  type        = string
  default     = null
}

variable "schedule" {
  description = "When to scan: an expression of EventBridge Scheduler."
  type        = string
  default     = "cron(17 5 * * ? *)"
}

variable "schedule_timezone" {
  description = "The time zone of the schedule."
  type        = string
  default     = "UTC"
}

variable "vpc_id" {
  description = "The VPC that the task runs in."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets from which AWS is reached: through a NAT gateway, through endpoints, or with public addresses."
  type        = list(string)
}

variable "assign_public_ip" {
  description = "Whether the task has a public address: for public subnets without NAT gateway. Nothing may connect to it either way."
  type        = bool
  default     = false
}

variable "regions" {
  description = "Regions to scan; every enabled region when empty."
  type        = list(string)
  default     = []
}

variable "trusted_accounts" {
  description = "Accounts that may have access to queues without being reported."
  type        = list(string)
  default     = []
}

variable "extra_arguments" {
  description = "More arguments of `patscan scan`, such as [\"--skip\", \"iot\"]."
  type        = list(string)
  default     = []
}

variable "bucket_name" {
  description = "The bucket for the results; patscan-ACCOUNT-REGION when null."
  type        = string
  default     = null
}

variable "create_bucket" {
  description = "Whether the bucket is made here. One that is there already has to be named, and stays as it is."
  type        = bool
  default     = true
}

variable "prefix" {
  description = "What the names of the results begin with; the task may write nowhere else."
  type        = string
  default     = "patscan"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", var.prefix))
    error_message = "A prefix is made of letters, digits, `.`, `_` and `-`, with single slashes between."
  }
}

variable "kms_key_arn" {
  description = "The KMS key that results are encrypted with; keys of S3 when null. Its policy must let this account's own policies count."
  type        = string
  default     = null
}

variable "report_retention" {
  description = "How many days results are kept."
  type        = number
  default     = 400
}

variable "log_retention" {
  description = "How many days the log of the task is kept; one of the numbers that CloudWatch Logs takes."
  type        = number
  default     = 30
}

variable "security_hub" {
  description = "Whether findings go to AWS Security Hub as well, each to that of its region."
  type        = bool
  default     = false
}

variable "failure_topic_arn" {
  description = "An SNS topic that is told when a scan fails or is incomplete; null for none. Its policy must let events.amazonaws.com publish."
  type        = string
  default     = null
}

variable "dead_letter_readers" {
  description = "ARNs of roles that may take out of the queue what the schedule could not start; administrators only when empty."
  type        = list(string)
  default     = []
}

variable "cpu" {
  description = "CPU units of the task."
  type        = number
  default     = 512
}

variable "memory" {
  description = "Memory of the task in MiB, of those that Fargate offers with `cpu`."
  type        = number
  default     = 1024
}

variable "tags" {
  description = "Tags of everything that can have some."
  type        = map(string)
  default     = {}
}
