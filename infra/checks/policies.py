"""Who may do what: every role of the template against a committed list.

`expected-policies.yaml` is what a reviewer reads. `check.py --update-policies` writes it anew; its difference then shows
in the change that widened a policy.
"""

from pathlib import Path
from typing import Any, Iterator

import yaml

from template import Template, as_list

EXPECTED = Path(__file__).with_name("expected-policies.yaml")
HEADING = """\
# What each role of the template may do, as infra/checks/policies.py finds it.
# After a change that is meant: cargo dev infra check --update-policies
"""


def problems(template: Template) -> Iterator[str]:
    """Wildcards, and every difference from the committed list."""
    found = listed(template)
    for role, policy in found.items():
        for statement in policy["allows"]:
            action, resource = statement.split(" on ")
            if "*" in action:
                yield f"{role} may do more than it names: {statement}"
            if "*" in resource:
                yield f"{role} may do it to more than it names: {statement}"
    expected = yaml.safe_load(EXPECTED.read_text()) if EXPECTED.exists() else {}
    for role in sorted(found.keys() | expected.keys()):
        was, now = _lines(expected.get(role)), _lines(found.get(role))
        yield from (f"{role}: not in {EXPECTED.name}: {line}" for line in now if line not in was)
        yield from (f"{role}: only in {EXPECTED.name}: {line}" for line in was if line not in now)


def update(template: Template) -> None:
    """Takes what the template says as what is expected."""
    EXPECTED.write_text(HEADING + yaml.safe_dump(listed(template), sort_keys=True, width=120))


def listed(template: Template) -> dict[str, dict[str, list[str]]]:
    """Each role with who takes it, AWS's own policies it has, and what it may do on what."""
    roles = {}
    for name, role in template.resources("AWS::IAM::Role").items():
        trusted = as_list(role["AssumeRolePolicyDocument"]["Statement"])
        allows = [
            f"{action} on {_text(resource)}" + (f" when {statement['Condition']}" if "Condition" in statement else "")
            for policy in role.get("Policies", [])
            for statement in as_list(policy["PolicyDocument"]["Statement"])
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        ]
        roles[name] = {
            "taken by": sorted(str(statement["Principal"].get("Service")) for statement in trusted),
            "managed": sorted(_text(arn) for arn in role.get("ManagedPolicyArns", [])),
            "allows": sorted(allows),
        }
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::User"):
        for name in template.resources(kind):
            roles[name] = {"taken by": [kind], "managed": [], "allows": []}
    return roles


def _lines(role: dict[str, list[str]] | None) -> list[str]:
    return [f"{key} {entry}" for key, entries in (role or {}).items() for entry in entries]


def _text(value: Any) -> str:
    """A resource in one line: `ExecutionsQueue.Arn`."""
    if isinstance(value, dict) and "Fn::GetAtt" in value:
        return ".".join(as_list(value["Fn::GetAtt"]))
    if isinstance(value, dict) and len(value) == 1:
        return str(next(iter(value.values())))
    return str(value)
