"""Seeds mistakes into copies of the template, one after the other, and shows which check notices each.

Fails when the unchanged template has a problem, when a mistake no longer fits the template, or when more than one in
ten goes unnoticed.
"""

import sys
import time

from check import first_problem
from template import TEMPLATE

# What somebody could do by accident: a name, the text as it stands, and the text with the mistake. Only the first place
# is changed.
MISTAKES = [
    ("a rate without its unit", "rate(1 minute)", "rate(1)"),
    ("a rate in the wrong number", "rate(1 minute)", "rate(5 minute)"),
    ("a cron expression of five fields", "rate(1 minute)", "cron(*/1 * * * *)"),
    ("a build method with a typo", "BuildMethod: rust-cargolambda", "BuildMethod: rust-cargo-lambda"),
    ("a binary that does not exist", "{ Binary: api-users }", "{ Binary: api-user }"),
    ("a batch that SQS cannot deliver", "BatchSize: 10", "BatchSize: 100"),
    ("single failures not reported", "            FunctionResponseTypes: [ReportBatchItemFailures]\n", ""),
    (
        "a concurrency below two",
        "    MinValue: 2\n    MaxValue: 1000",
        "    MinValue: 1\n    MaxValue: 1000",
        "    Default: 10\n",
        "    Default: 1\n",
    ),
    ("visibility as long as the work", "VisibilityTimeout: 5400", "VisibilityTimeout: 900"),
    (
        "a queue without a redrive policy",
        "      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt ExecutionsDeadLetterQueue.Arn\n"
        "        maxReceiveCount: 5\n",
        "",
    ),
    (
        "a dead-letter queue with a typo",
        "deadLetterTargetArn: !GetAtt WebhooksDeadLetterQueue.Arn",
        "deadLetterTargetArn: !GetAtt WebhookDeadLetterQueue.Arn",
    ),
    ("a queue in clear", "      SqsManagedSseEnabled: true\n", ""),
    ("a function that may do everything with queues", "Action: sqs:SendMessage", 'Action: "sqs:*"'),
    ("a function that may send to every queue", "Resource: !GetAtt ExecutionsQueue.Arn", 'Resource: "*"'),
    ("a queue's address without the right to send", "          WEBHOOKS_QUEUE_URL: !Ref WebhooksQueue\n", ""),
    (
        "one more right than was agreed",
        "Action: [logs:CreateLogStream, logs:PutLogEvents]",
        "Action: [logs:CreateLogStream, logs:PutLogEvents, logs:DeleteLogGroup]",
    ),
    (
        "a secret in clear",
        '!Sub "{{resolve:secretsmanager:${AuthSecretKey}}}"',
        "a-key-that-somebody-wrote-here-to-try-something",
    ),
    ("a parameter that shows a secret", "    NoEcho: true\n", ""),
    ("an encryption key of another length", "PasswordLength: 42", "PasswordLength: 44"),
    ("an encryption key that goes with the stack", "    DeletionPolicy: Retain\n", ""),
    ("a function without a log group", "      LoggingConfig: { LogGroup: !Ref ApiSystemLog }\n", ""),
    ("logs kept for ever", ", RetentionInDays: !Ref LogRetentionDays }", " }"),
    ("tracing off", "    Tracing: Active\n", ""),
    ("a function left to AWS's defaults", "      MemorySize: 1024\n", ""),
    ("an API function that outlasts the gateway", "      Timeout: 30\n", "      Timeout: 60\n"),
    ("more copies than the database serves", "    Default: 7\n    MinValue: 0", "    Default: 50\n    MinValue: 0"),
    ("a function that does not wait for migrations", "    DependsOn: Migrations\n", ""),
    ("migrations that never run again", "      Version: !Ref Migrate.Version\n", ""),
    ("an alarm that tells nobody", "      AlarmActions: [!Ref AlarmTopic]\n", ""),
    (
        "an alarm that is silent when maintenance never runs",
        "TreatMissingData: breaching",
        "TreatMissingData: notBreaching",
    ),
    (
        "an alarm for the wrong queue",
        "!GetAtt ExecutionsDeadLetterQueue.QueueName }",
        "!GetAtt ExecutionsQueue.QueueName }",
    ),
    (
        "a property with a typo",
        "RetryPolicy:\n              MaximumRetryAttempts: 0",
        "RetryPolicy:\n              MaximumRetryAttempt: 0",
    ),
    ("a runtime that does not exist", "Runtime: provided.al2023", "Runtime: provided.al2024"),
    ("memory that Lambda does not sell", "      MemorySize: 256\n", "      MemorySize: 100\n"),
    ("a comparison that does not exist", "ComparisonOperator: LessThanThreshold", "ComparisonOperator: LessThan"),
    ("requests without a limit", "        ThrottlingRateLimit: !Ref ApiRateLimit\n", ""),
    ("a path in the access log", '"route":"$context.routeKey"', '"path":"$context.path"'),
    ("a bucket that can be made public", "        BlockPublicPolicy: true\n", ""),
    ("a dashboard that is not JSON", '"widgets": [', '"widgets": '),
    ("a metric that nobody prints", '"outcome_completed"', '"outcome_complete"'),
    (
        "a parameter without a place in the form",
        "Parameters: [DatabaseUrl, DatabaseAuthToken]",
        "Parameters: [DatabaseUrl]",
    ),
]


def main() -> int:
    """Prints a line for each mistake."""
    text = TEMPLATE.read_text()
    problem = first_problem(text)
    if problem:
        print(f"The template itself is not right yet: {': '.join(problem)}")
        return 1
    noticed = 0
    for name, *changes in MISTAKES:
        started = time.monotonic()
        seeded = text
        for before, after in zip(changes[::2], changes[1::2]):
            if before not in seeded:
                print(f"{name}: the template has no {before!r} any more")
                return 1
            seeded = seeded.replace(before, after, 1)
        found = first_problem(seeded)
        noticed += found is not None
        stage, what = found or ("NOBODY", "")
        print(f"{name}: noticed by {stage} ({time.monotonic() - started:.1f} s) {what}"[:200])
    print(f"{noticed} of {len(MISTAKES)} mistakes were noticed.")
    return 0 if noticed * 10 >= len(MISTAKES) * 9 else 1


if __name__ == "__main__":
    sys.exit(main())
