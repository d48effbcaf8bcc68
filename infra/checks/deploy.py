"""Creates the stack in moto, which plays AWS in this process, and reads back what came of it.

Only what moto models well is created. HTTP API, alarms, schedules and secrets are not among it, and the custom resource
that runs the migrations would need Docker; promises.py looks at all of these.
"""

import io
import json
import re
import zipfile
from typing import Any, Iterator

import boto3
from moto import mock_aws

from promises import SECRET_NAME, VISIBILITY_FACTOR
from template import GIVEN, Template, target

STACK = "prompts"
MODELLED = {
    "AWS::IAM::Role",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
}


def problems(template: Template) -> Iterator[str]:
    """What cannot be created, or reads back wrong."""
    with mock_aws():
        _put_code()
        try:
            outputs = _create(template)
        except Exception as error:  # moto fails in as many ways as AWS
            yield f"the stack cannot be created: {type(error).__name__}: {error}"
            return
        yield from _read_queues()
        yield from _read_mappings()
        yield from _read_functions(template)
        if not outputs.get("ExecutionsQueueUrl", "").startswith("https://"):
            yield "the stack has no output ExecutionsQueueUrl"


def _put_code() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("bootstrap", "")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    s3.put_object(Bucket="code", Key="function.zip", Body=archive.getvalue())


def _create(template: Template) -> dict[str, str]:
    plain = _modelled(template.plain)
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=json.dumps(plain),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in GIVEN.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise RuntimeError(f"its status is {stack['StackStatus']}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _modelled(plain: dict[str, Any]) -> dict[str, Any]:
    """The part of a template that moto can create; what refers to the rest names it instead."""
    resources = {name: it for name, it in plain["Resources"].items() if it["Type"] in MODELLED}
    left_out = plain["Resources"].keys() - resources.keys()

    def without(value: Any) -> Any:
        if isinstance(value, list):
            return [without(item) for item in value]
        if not isinstance(value, dict):
            return value
        if target(value) in left_out:
            return target(value)
        if isinstance(value.get("Fn::Sub"), str):
            names = lambda found: found[1] if found[1] in left_out else found[0]
            return {"Fn::Sub": re.sub(r"\$\{(\w+)[\w.]*\}", names, value["Fn::Sub"])}
        return {key: without(item) for key, item in value.items() if key != "DependsOn"}

    return {**plain, "Resources": without(resources), "Outputs": without(plain["Outputs"])}


def _queues() -> dict[str, dict[str, Any]]:
    """Attributes of all queues by ARN."""
    sqs = boto3.client("sqs")
    urls = sqs.list_queues().get("QueueUrls", [])
    found = {url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] for url in urls}
    return {attributes["QueueArn"]: {**attributes, "Url": url} for url, attributes in found.items()}


def _read_queues() -> Iterator[str]:
    queues = _queues()
    redrives = {arn: json.loads(it["RedrivePolicy"]) for arn, it in queues.items() if "RedrivePolicy" in it}
    dead = {redrive["deadLetterTargetArn"] for redrive in redrives.values()}
    if not redrives:
        yield "no queue has a dead-letter queue"
    yield from (f"{arn} is no queue" for arn in sorted(dead - queues.keys()))
    yield from (f"{arn} has no dead-letter queue" for arn in sorted(queues.keys() - dead - redrives.keys()))
    for arn, attributes in queues.items():
        if attributes.get("SqsManagedSseEnabled") != "true" and "KmsMasterKeyId" not in attributes:
            yield f"{arn} is not encrypted"


def _read_mappings() -> Iterator[str]:
    queues = _queues()
    client = boto3.client("lambda")
    mappings = client.list_event_source_mappings()["EventSourceMappings"]
    if not mappings:
        yield "no queue calls a function"
    for mapping in mappings:
        name = f"the mapping from {mapping['EventSourceArn'].split(':')[-1]}"
        queue = queues.get(mapping["EventSourceArn"])
        if queue is None:
            yield f"{name} reads a queue that does not exist"
            continue
        function = client.get_function_configuration(FunctionName=mapping["FunctionArn"])
        if int(queue["VisibilityTimeout"]) < VISIBILITY_FACTOR * function["Timeout"]:
            yield f"{name}: a visibility of {queue['VisibilityTimeout']} s is below six times {function['Timeout']} s"
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name} does not report single failures"
        if int((mapping.get("ScalingConfig") or {}).get("MaximumConcurrency", 0)) < 2:
            yield f"{name} has no limit of concurrency"


def _read_functions(template: Template) -> Iterator[str]:
    urls = {attributes["Url"] for attributes in _queues().values()}
    client = boto3.client("lambda")
    functions = [
        function for page in client.get_paginator("list_functions").paginate() for function in page["Functions"]
    ]
    if len(functions) != len(template.functions()):
        yield f"{len(functions)} functions were created of {len(template.functions())}"
    for function in functions:
        name, environment = function["FunctionName"], function.get("Environment", {}).get("Variables", {})
        if environment.get("DATABASE_URL") != GIVEN["DatabaseUrl"]:
            yield f"{name} does not know its database"
        for variable, value in environment.items():
            if variable.endswith("_QUEUE_URL") and value not in urls:
                yield f"{name}: {variable} is {value!r}, which is no queue"
            if SECRET_NAME.search(variable) and not value.startswith("{{resolve:secretsmanager:"):
                yield f"{name}: {variable} shows a secret"
        if function["Runtime"] != "provided.al2023":
            yield f"{name} runs on {function['Runtime']}"
