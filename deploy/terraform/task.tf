# The scan: one Fargate task, one role for what it does and one for what starts it.

locals {
  # Made by `patscan iam-policy`; a test keeps the file what that prints.
  scan_policy = jsondecode(file("${path.module}/scan-policy.json"))

  # What `patscan iam-policy --with DESTINATION` adds.
  publishing = concat(
    var.security_hub ? [{
      Sid    = "PatscanPublishesToSecurityHub"
      Effect = "Allow"
      Action = ["securityhub:BatchImportFindings", "securityhub:GetFindings"]
      Resource = [
        "arn:${local.partition}:securityhub:*:${local.account}:hub/default",
        "arn:${local.partition}:securityhub:*:${local.account}:product/${local.account}/default",
      ]
    }] : [],
    [{
      Sid      = "PatscanPublishesToS3"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = ["${local.bucket_arn}/${var.prefix}/*"]
    }],
  )
  encrypting = var.kms_key_arn == null ? [] : [{
    Sid       = "PatscanEncryptsForS3"
    Effect    = "Allow"
    Action    = ["kms:GenerateDataKey"]
    Resource  = [var.kms_key_arn]
    Condition = { StringLike = { "kms:ViaService" = "s3.*.amazonaws.com*" } }
  }]

  destination = join("", [
    "s3://${local.bucket_name}/${var.prefix}?owner=${local.account}",
    var.kms_key_arn == null ? "" : "&kms-key=${var.kms_key_arn}",
  ])

  # What was found is in the results, so it does not make the task a failure: what could not be read or stored does.
  command = concat(
    ["scan", "--exit-zero", "--format", "table", "--publish", local.destination],
    var.security_hub ? ["--publish", "securityhub?account=${local.account}"] : [],
    flatten([for region in var.regions : ["--region", region]]),
    flatten([for account in var.trusted_accounts : ["--trusted-account", account]]),
    var.extra_arguments,
  )

  # Tasks of this account only: another's cannot make ECS act with these roles.
  tasks_trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${local.region}:${local.account}:*" }
      }
    }]
  })
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-scan"
  description        = "What patscan reads with, and where it stores results"
  assume_role_policy = local.tasks_trust
  tags               = var.tags
}

resource "aws_iam_role_policy" "task" {
  name = "scan"
  role = aws_iam_role.task.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for statement in local.scan_policy.Statement : statement if statement.Effect == "Allow"],
      local.publishing,
      local.encrypting,
      [for statement in local.scan_policy.Statement : statement if statement.Effect == "Deny"],
    )
  })
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  description        = "Pulls the image of patscan and writes its log"
  assume_role_policy = local.tasks_trust
  tags               = var.tags
}

resource "aws_iam_role_policy" "execution" {
  name = "start"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "WriteTheLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.task.arn}:log-stream:*"]
      }],
      var.repository_arn == null ? [] : [
        {
          Sid      = "PullTheImage"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = [var.repository_arn]
        },
        {
          # A token is for a registry: no resource can be named.
          Sid      = "LogInToPull"
          Effect   = "Allow"
          Action   = ["ecr:GetAuthorizationToken"]
          Resource = ["*"]
        },
      ],
    )
  })
}

resource "aws_cloudwatch_log_group" "task" {
  name              = "/patscan/${var.name}"
  retention_in_days = var.log_retention
  tags              = var.tags
}

resource "aws_ecs_cluster" "this" {
  name = var.name
  tags = var.tags
}

resource "aws_ecs_task_definition" "scan" {
  family                   = "${var.name}-scan"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn
  tags                     = var.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  container_definitions = jsonencode([{
    name                   = "patscan"
    image                  = var.image
    command                = local.command
    essential              = true
    user                   = "65532:65532"
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
    environment            = [{ name = "AWS_REGION", value = local.region }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.task.name
        "awslogs-region"        = local.region
        "awslogs-stream-prefix" = "scan"
      }
    }
  }])
}

# Out by HTTPS, in by nothing. Names are resolved by the VPC's own resolver, which security groups do not filter.
resource "aws_security_group" "task" {
  name        = "${var.name}-scan"
  description = "patscan calls AWS; nothing calls patscan"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = { v4 = "0.0.0.0/0", v6 = "::/0" }

  security_group_id = aws_security_group.task.id
  description       = "AWS by HTTPS"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = each.key == "v4" ? each.value : null
  cidr_ipv6         = each.key == "v6" ? each.value : null
}
