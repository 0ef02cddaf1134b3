output "results" {
  description = "Where results are stored, as `patscan publish --to` takes it."
  value       = local.destination
}

output "task_role_arn" {
  description = "The role that patscan reads with. To scan other accounts, let it assume a role with the same policy there."
  value       = aws_iam_role.task.arn
}

output "cluster_arn" {
  description = "The cluster that the task runs in."
  value       = aws_ecs_cluster.this.arn
}

output "task_definition_arn" {
  description = "The task, to run it by hand."
  value       = aws_ecs_task_definition.scan.arn
}

output "security_group_id" {
  description = "The security group of the task, to let it in at VPC endpoints."
  value       = aws_security_group.task.id
}

output "not_started_queue_arn" {
  description = "The queue of runs that could not be started."
  value       = aws_sqs_queue.not_started.arn
}
