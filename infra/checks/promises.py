"""What the linters cannot know and the project promises, one function each.

A promise takes the template and yields a sentence for every place that breaks it.
"""

import base64
import json
import re
from typing import Any, Callable, Iterator

from template import ROOT, Template, as_list, target, walk

Problems = Iterator[str]
PROMISES: list[Callable[[Template], Problems]] = []

# CloudFormation's limit of `{{resolve:…}}` in one template.
MOST_DYNAMIC_REFERENCES = 60
# How many streams a libSQL server keeps open unless it is told otherwise.
DATABASE_STREAMS = 128
# API Gateway gives up after 30 seconds.
LONGEST_API_CALL = 30
# AWS's rule for a queue that a function reads.
VISIBILITY_FACTOR = 6
SECRET_NAME = re.compile(r"(_KEY|_TOKEN|_SECRET|PASSWORD)$")


def promise(check: Callable[[Template], Problems]) -> Callable[[Template], Problems]:
    """Adds a check to those that run."""
    PROMISES.append(check)
    return check


def problems(template: Template) -> Problems:
    """What breaks any promise."""
    for check in PROMISES:
        yield from check(template)


# ---- Functions ---------------------------------------------------------------------------------


@promise
def every_crate_is_a_function(template: Template) -> Problems:
    """Each crate in functions/ is deployed under its name, and built in a way that exists."""
    deployed = set()
    for name, function in template.functions().items():
        metadata = function.get("Metadata", {})
        binary = metadata.get("BuildProperties", {}).get("Binary")
        deployed.add(binary)
        if metadata.get("BuildMethod") != "rust-cargolambda":
            yield f"{name}: SAM does not know how to build {metadata.get('BuildMethod')!r}"
    crates = {path.parent.name for path in (ROOT / "functions").glob("*/Cargo.toml")}
    yield from (f"functions/{crate} is not deployed" for crate in sorted(crates - deployed))
    yield from (f"there is no functions/{binary}" for binary in sorted(map(str, deployed - crates)))
    for name, properties in template.resources("AWS::Lambda::Function").items():
        if properties.get("Handler") != "bootstrap" or not str(properties.get("Runtime")).startswith("provided."):
            yield f"{name}: a compiled function is started as `bootstrap` on a runtime `provided.…`"
        if template.value(properties.get("Architectures")) not in (["arm64"], ["x86_64"]):
            yield f"{name} has no architecture"


@promise
def functions_say_what_they_may_use(template: Template) -> Problems:
    """Memory, time-out, log, tracing and concurrency are chosen, not left to AWS."""
    logs = template.resources("AWS::Logs::LogGroup")
    api = _api_functions(template)
    plain = template.resources("AWS::Lambda::Function")
    for name, function in template.functions().items():
        own = function["Properties"]
        for wanted in ("MemorySize", "Timeout", "Description"):
            if wanted not in own:
                yield f"{name} does not say its {wanted}"
        if name in api and own.get("Timeout", 0) > LONGEST_API_CALL:
            yield f"{name} may run longer than API Gateway waits"
        if plain[name].get("TracingConfig", {}).get("Mode") != "Active":
            yield f"{name} is not traced"
        log = target(plain[name].get("LoggingConfig", {}).get("LogGroup"))
        if log not in logs:
            yield f"{name} has no log group of its own"
        if not isinstance(template.value(plain[name].get("ReservedConcurrentExecutions")), int):
            yield f"{name} has no reserved concurrency"
    for name, log in logs.items():
        if not isinstance(template.value(log.get("RetentionInDays")), int):
            yield f"{name} keeps logs for ever"


@promise
def the_database_is_not_overrun(template: Template) -> Problems:
    """All copies of all functions together stay below what a libSQL server holds open, see infra/README.md."""
    functions = template.resources("AWS::Lambda::Function").values()
    copies = [template.value(function.get("ReservedConcurrentExecutions")) for function in functions]
    total = sum(copy for copy in copies if isinstance(copy, int))
    if total > DATABASE_STREAMS:
        yield f"{total} copies of functions may run at once, a libSQL server holds {DATABASE_STREAMS} streams"


@promise
def code_meets_a_migrated_database(template: Template) -> Problems:
    """Migrations run before any other function is created or updated, and again when their code changes."""
    resources = template.plain["Resources"]
    migrations = {name for name, it in resources.items() if it["Type"] == "Custom::Migrations"}
    if len(migrations) != 1:
        yield "there is no custom resource that applies the migrations"
        return
    (step,) = migrations
    migrate = target(resources[step]["Properties"].get("ServiceToken"))
    for name in template.resources("AWS::Lambda::Function"):
        if name != migrate and step not in as_list(resources[name].get("DependsOn")):
            yield f"{name} does not wait for {step}"
    version = target(resources[step]["Properties"].get("Version"))
    if version not in template.resources("AWS::Lambda::Version"):
        yield f"{step} would not run again for new code"
    if target(resources[step]["Properties"].get("DatabaseUrl")) != "DatabaseUrl":
        yield f"{step} would not run for another database"


# ---- Queues ------------------------------------------------------------------------------------


@promise
def queues_lose_nothing(template: Template) -> Problems:
    """Encrypted, with a dead-letter queue that keeps messages as long as possible, and read by somebody."""
    queues = template.resources("AWS::SQS::Queue")
    dead = {target(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")) for queue in queues.values()}
    read = {target(mapping["EventSourceArn"]) for mapping in _mappings(template).values()}
    for name, queue in queues.items():
        if queue.get("SqsManagedSseEnabled") is not True and "KmsMasterKeyId" not in queue:
            yield f"{name} is not encrypted"
        if name in dead:
            if queue.get("MessageRetentionPeriod") != 1_209_600:
                yield f"{name} does not keep messages for fourteen days"
            continue
        if name not in read:
            yield f"nobody reads {name}"
        redrive = queue.get("RedrivePolicy", {})
        if target(redrive.get("deadLetterTargetArn")) not in queues:
            yield f"{name} has no dead-letter queue"
        elif not 3 <= redrive.get("maxReceiveCount", 0) <= 10:
            yield f"{name}: a message moves to the dead-letter queue too early or too late"


@promise
def mappings_fit_their_function(template: Template) -> Problems:
    """Batches that SQS can deliver, single failures, limited concurrency, and a visibility that outlasts the work."""
    functions = template.resources("AWS::Lambda::Function")
    queues = template.resources("AWS::SQS::Queue")
    for name, mapping in _mappings(template).items():
        batch = mapping.get("BatchSize", 10)
        if not 1 <= batch <= 10_000 or batch > 10 and not mapping.get("MaximumBatchingWindowInSeconds"):
            yield f"{name}: a batch of {batch} needs a batching window"
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one failed message would bring its whole batch again"
        most = template.value(mapping.get("ScalingConfig", {}).get("MaximumConcurrency"))
        if not isinstance(most, int) or not 2 <= most <= 1_000:
            yield f"{name}: MaximumConcurrency {most} is not between 2 and 1000"
            continue
        function, queue = functions.get(target(mapping["FunctionName"])), queues.get(target(mapping["EventSourceArn"]))
        if function is None or queue is None:
            yield f"{name} joins things that do not exist"
            continue
        reserved = template.value(function.get("ReservedConcurrentExecutions"))
        if isinstance(reserved, int) and reserved < most:
            yield f"{name} wants {most} copies of a function that may have {reserved}"
        if queue.get("VisibilityTimeout", 30) < VISIBILITY_FACTOR * function.get("Timeout", 3):
            yield f"{name}: messages come back while their function may still work (visibility below 6 × time-out)"


@promise
def schedules_can_be_read(template: Template) -> Problems:
    """Linters take any text for a schedule."""
    schedules = template.resources("AWS::Scheduler::Schedule") | template.resources("AWS::Events::Rule")
    if not any(
        _job(template, "job-maintenance") == target(it.get("Target", {}).get("Arn")) for it in schedules.values()
    ):
        yield "nothing calls job-maintenance"
    for name, schedule in schedules.items():
        expression = str(schedule.get("ScheduleExpression"))
        if not _is_schedule(expression):
            yield f"{name}: {expression!r} is no schedule"
        if schedule.get("State", "ENABLED") != "ENABLED":
            yield f"{name} is switched off"


# ---- Access and secrets ------------------------------------------------------------------------


@promise
def secrets_come_from_the_secrets_manager(template: Template) -> Problems:
    """No secret stands in the environment in clear, and parameters with secrets lead into the Secrets Manager only."""
    secrets = template.resources("AWS::SecretsManager::Secret")
    for name, function in template.resources("AWS::Lambda::Function").items():
        for variable, value in function["Environment"]["Variables"].items():
            if not SECRET_NAME.search(variable):
                continue
            text = template.value(value)
            reference = text.get("Fn::Sub") if isinstance(text, dict) else None
            found = re.match(r"\{\{resolve:secretsmanager:\$\{(\w+)\}\}\}", reference or "")
            if not found or found[1] not in secrets:
                yield f"{name}: {variable} does not come from Secrets Manager"
    hidden = {name for name, parameter in template.plain["Parameters"].items() if parameter.get("NoEcho")}
    for name, resource in template.plain["Resources"].items():
        if resource["Type"] == "AWS::SecretsManager::Secret":
            continue
        for _, value in walk(resource):
            if target(value) in hidden:
                yield f"{name} shows the parameter {target(value)}"
    for name, parameter in template.plain["Parameters"].items():
        if SECRET_NAME.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()) and not parameter.get("NoEcho"):
            yield f"the parameter {name} would be shown"
    references = json.dumps(template.plain).count("{{resolve:")
    if references > MOST_DYNAMIC_REFERENCES:
        yield f"{references} dynamic references, CloudFormation takes {MOST_DYNAMIC_REFERENCES}"


@promise
def generated_keys_are_keys(template: Template) -> Problems:
    """The encryption key is base64 of 32 bytes whatever is generated, and outlives the stack; others are long enough."""
    secrets = template.resources("AWS::SecretsManager::Secret")
    for name, secret in secrets.items():
        generated = secret.get("GenerateSecretString")
        if not generated:
            continue
        if generated.get("ExcludePunctuation") is not True:
            yield f"{name}: punctuation is not base64, and breaks the environment's syntax in shells"
        if generated.get("PasswordLength", 32) < 42:
            yield f"{name} is shorter than it should be"
    key, end = secrets.get("EncryptionKey", {}), template.parameters.get("EncryptionKeyEnd", "")
    text = "x" * key.get("GenerateSecretString", {}).get("PasswordLength", 32) + end
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError:
        decoded = b""
    if len(decoded) != 32 or base64.b64encode(decoded).decode() != text:
        yield "the generated EncryptionKey is not base64 of 32 bytes"
    resource = template.plain["Resources"].get("EncryptionKey", {})
    if {resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")} != {"Retain"}:
        yield "the EncryptionKey goes with the stack"


@promise
def functions_may_send_where_they_want_to(template: Template) -> Problems:
    """A function that knows a queue's address may send to it, and no other may; readers may read."""
    roles = template.resources("AWS::IAM::Role")
    taken: dict[str, str] = {}
    reads = {(target(it["FunctionName"]), target(it["EventSourceArn"])) for it in _mappings(template).values()}
    for name, function in template.resources("AWS::Lambda::Function").items():
        role = target(function.get("Role"))
        if role not in roles:
            yield f"{name} has no role of its own in the template"
            continue
        if role in taken:
            yield f"{name} and {taken[role]} share a role"
        taken[role] = name
        variables = function["Environment"]["Variables"]
        knows = {target(value) for variable, value in variables.items() if variable.endswith("_QUEUE_URL")}
        sends, receives, logs = (
            _allowed(roles[role], it) for it in ("sqs:SendMessage", "sqs:ReceiveMessage", "logs:PutLogEvents")
        )
        yield from (f"{name} knows {queue} and may not send to it" for queue in knows - sends)
        yield from (f"{name} may send to {queue} and does not know it" for queue in sends - knows)
        wanted = {queue for reader, queue in reads if reader == name}
        if receives != wanted:
            yield f"{name} may read {sorted(receives)} and is given {sorted(wanted)}"
        if logs != {target(function.get("LoggingConfig", {}).get("LogGroup"))}:
            yield f"{name} may not write its own log only"


@promise
def the_api_is_guarded(template: Template) -> Problems:
    """Throttled and logged, without what must not be in logs; pages are private, and API answers are left alone."""
    stages = template.resources("AWS::ApiGatewayV2::Stage")
    if not stages:
        yield "there is no API"
    for name, stage in stages.items():
        settings = stage.get("DefaultRouteSettings", {})
        for limit in ("ThrottlingRateLimit", "ThrottlingBurstLimit"):
            if not template.value(settings.get(limit)):
                yield f"{name} has no {limit}"
        if "path" in stage.get("AccessLogSettings", {"Format": "path"}).get("Format", "path").replace("Path", "path"):
            yield f"{name} logs no requests, or their paths: the one of an invitation holds its token"
    for name, bucket in template.resources("AWS::S3::Bucket").items():
        block = bucket.get("PublicAccessBlockConfiguration", {})
        if len(block) != 4 or not all(value is True for value in block.values()):
            yield f"{name} can be made public"
        if "BucketEncryption" not in bucket:
            yield f"{name} is not encrypted"
    for name, it in template.resources("AWS::CloudFront::Distribution").items():
        config = it["DistributionConfig"]
        if "CustomErrorResponses" in config:
            yield f"{name} replaces error answers of the API"
        behaviours = [config["DefaultCacheBehavior"], *config.get("CacheBehaviors", [])]
        if any(
            behaviour.get("ViewerProtocolPolicy") not in ("https-only", "redirect-to-https") for behaviour in behaviours
        ):
            yield f"{name} serves without TLS"
        if "ResponseHeadersPolicyId" not in config["DefaultCacheBehavior"]:
            yield f"{name} sends pages without security headers"
        api = [behaviour for behaviour in behaviours if behaviour.get("PathPattern") == "/api/*"]
        if not api or "DELETE" not in api[0].get("AllowedMethods", []) or "FunctionAssociations" in api[0]:
            yield f"{name} does not lead /api/* to the API as it is"


# ---- Watching ----------------------------------------------------------------------------------


@promise
def somebody_is_told(template: Template) -> Problems:
    """Every alarm reaches the topic, and nothing that matters is without one."""
    topics = template.resources("AWS::SNS::Topic")
    alarms = template.resources("AWS::CloudWatch::Alarm")
    watched = set()
    for name, alarm in alarms.items():
        if not any(target(action) in topics for action in alarm.get("AlarmActions", [])):
            yield f"{name} tells nobody"
        if alarm.get("ActionsEnabled", True) is not True:
            yield f"{name} is switched off"
        for dimension in alarm.get("Dimensions", []):
            watched.add((alarm.get("MetricName"), target(dimension["Value"])))
    queues = template.resources("AWS::SQS::Queue")
    dead = {target(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")) for queue in queues.values()} - {None}
    wanted = {("ApproximateNumberOfMessagesVisible", name) for name in dead}
    wanted |= {("ApproximateAgeOfOldestMessage", name) for name in queues.keys() - dead}
    wanted |= {
        (metric, name) for name in template.resources("AWS::Lambda::Function") for metric in ("Errors", "Throttles")
    }
    maintenance = _job(template, "job-maintenance")
    wanted.add(("Invocations", maintenance))
    yield from (f"there is no alarm for {metric} of {name}" for metric, name in sorted(wanted - watched, key=str))
    for name, alarm in alarms.items():
        names = {target(dimension["Value"]) for dimension in alarm.get("Dimensions", [])}
        if alarm.get("MetricName") == "Invocations" and maintenance in names:
            if alarm.get("TreatMissingData") != "breaching" or not str(alarm["ComparisonOperator"]).startswith(
                "LessThan"
            ):
                yield f"{name} stays silent when maintenance never runs"
        if (
            alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
            and template.value(alarm.get("Threshold")) != 0
        ):
            yield f"{name} waits for more than one dead letter"


@promise
def the_dashboard_shows_metrics_that_exist(template: Template) -> Problems:
    """The body is JSON, and what it takes from our namespace is what the functions print."""
    boards = template.resources("AWS::CloudWatch::Dashboard")
    if not boards:
        yield "there is no dashboard"
    metrics = (ROOT / "shared/jobs/src/metrics.rs").read_text()
    for name, board in boards.items():
        text = board["DashboardBody"]
        text = text["Fn::Sub"] if isinstance(text, dict) else text
        try:
            body = json.loads(re.sub(r"\$\{[^}]+\}", "x", text))
        except ValueError as error:
            yield f"{name} is not JSON: {error}"
            continue
        for _, row in walk(body):
            if isinstance(row, list) and row[:1] == ["Prompts/Jobs"]:
                metric = row[1]
                # An outcome's metric is made of the outcome's name.
                if not re.search(rf"\b{metric.removeprefix('outcome_')}\b", metrics):
                    yield f"{name} shows {metric}, which no function prints"


# ---- For people --------------------------------------------------------------------------------


@promise
def parameters_explain_themselves(template: Template) -> Problems:
    """Each has a description and a place in the console's form, and is used."""
    groups = template.source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    placed = [name for group in groups for name in group["Parameters"]]
    written = json.dumps({key: template.source[key] for key in ("Conditions", "Resources", "Globals", "Rules")})
    for name, parameter in template.source["Parameters"].items():
        if not parameter.get("Description"):
            yield f"the parameter {name} has no description"
        if placed.count(name) != 1:
            yield f"the parameter {name} has {placed.count(name)} places in ParameterGroups"
        if f'"Ref": "{name}"' not in written and f"${{{name}}}" not in written:
            yield f"the parameter {name} is not used"
    yield from (
        f"ParameterGroups names {name}, which does not exist" for name in placed if name not in template.parameters
    )
    yield from (
        f"the output {name} has no description"
        for name, it in template.source["Outputs"].items()
        if not it.get("Description")
    )


@promise
def the_readme_knows_the_parameters(template: Template) -> Problems:
    """infra/README.md has a row for each parameter with its default, and no row for another."""
    section = (ROOT / "infra/README.md").read_text().split("\n## Parameters\n")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \| ", section, re.MULTILINE))
    yield from (
        f"infra/README.md explains {name}, which does not exist" for name in rows if name not in template.parameters
    )
    for name, parameter in template.source["Parameters"].items():
        default = parameter.get("Default")
        shown = "none" if default is None else "empty" if default == "" else f"`{default}`"
        if rows.get(name) != shown:
            yield f"infra/README.md says {rows.get(name)} for the default of {name}, which is {shown}"


# ---- Helpers -----------------------------------------------------------------------------------


def _mappings(template: Template) -> dict[str, dict[str, Any]]:
    return template.resources("AWS::Lambda::EventSourceMapping")


def _job(template: Template, binary: str) -> str | None:
    for name, function in template.functions().items():
        if function.get("Metadata", {}).get("BuildProperties", {}).get("Binary") == binary:
            return name
    return None


def _api_functions(template: Template) -> set[str]:
    def has_route(function: dict[str, Any]) -> bool:
        return any(event["Type"] == "HttpApi" for event in function["Properties"].get("Events", {}).values())

    return {name for name, function in template.functions().items() if has_route(function)}


def _allowed(role: dict[str, Any], action: str) -> set[str]:
    """On which resources of the template a role may do something."""
    found = set()
    for policy in role.get("Policies", []):
        for statement in as_list(policy["PolicyDocument"]["Statement"]):
            if statement["Effect"] == "Allow" and action in as_list(statement["Action"]):
                found |= {target(resource) for resource in as_list(statement["Resource"])}
    return {name for name in found if name}


# Lowest and highest number of the first five fields of a cron expression.
CRON_RANGES = [(0, 59), (0, 23), (1, 31), (1, 12), (1, 7), (1970, 2199)]
CRON_NAMES = re.compile(r"\b(JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|SUN|MON|TUE|WED|THU|FRI|SAT)\b")


def _is_schedule(expression: str) -> bool:
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)(s?)\)", expression)
    if rate:
        return int(rate[1]) > 0 and (int(rate[1]) == 1) == (rate[3] == "")
    cron = re.fullmatch(r"cron\((.+)\)", expression)
    if not cron:
        return False
    fields = cron[1].split(" ")
    # One of day of month and day of week has to be left open.
    if len(fields) != 6 or (fields[2] == "?") == (fields[4] == "?"):
        return False
    return all(_is_cron_field(field, *bounds) for field, bounds in zip(fields, CRON_RANGES))


def _is_cron_field(field: str, low: int, high: int) -> bool:
    text = CRON_NAMES.sub(str(low), field)
    if not re.fullmatch(r"[0-9*?/,\-LW#]+", text):
        return False
    return all(low <= int(number) <= high for number in re.findall(r"(?<![/#0-9])\d+", text))
