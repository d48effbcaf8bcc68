"""The template in three forms: as written, as plain CloudFormation, and with its references followed."""

import copy
import os
from pathlib import Path
from typing import Any, Iterator

import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra" / "template.yaml"

# Values of parameters that have no default.
GIVEN = {"DatabaseUrl": "libsql://database.example.org", "DatabaseAuthToken": "the-database-token"}


class _Loader(yaml.SafeLoader):
    """YAML with the short forms of CloudFormation's functions."""


def _long_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _long_form)


class Template:
    """A template as written (`source`) and as plain CloudFormation (`plain`)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.source: dict[str, Any] = yaml.load(text, _Loader)
        self.parameters = {
            name: GIVEN.get(name, parameter.get("Default")) for name, parameter in self.source["Parameters"].items()
        }
        self.plain: dict[str, Any] = self._translate()

    def _translate(self) -> dict[str, Any]:
        document = copy.deepcopy(self.source)
        # `sam build` would put an address there.
        document["Globals"]["Function"]["CodeUri"] = {"Bucket": "code", "Key": "function.zip"}
        return Translator({}, Parser()).translate(document, dict(self.parameters))

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of a type in the plain form, by logical id."""
        found = self.plain["Resources"].items()
        return {name: it.get("Properties", {}) for name, it in found if it["Type"] == kind}

    def functions(self) -> dict[str, dict[str, Any]]:
        """The functions as written, by logical id, with everything besides their properties."""
        found = self.source["Resources"].items()
        return {name: it for name, it in found if it["Type"] == "AWS::Serverless::Function"}

    def value(self, value: Any) -> Any:
        """The value with the parameters' values and the chosen branches in place."""
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Ref"} and value["Ref"] in self.parameters:
            return self.parameters[value["Ref"]]
        if set(value) == {"Fn::If"}:
            condition, yes, no = value["Fn::If"]
            return self.value(yes if self.holds({"Condition": condition}) else no)
        return {key: self.value(item) for key, item in value.items()}

    def holds(self, condition: dict[str, Any]) -> bool:
        """Whether a condition is true for the given parameters."""
        ((kind, parts),) = condition.items()
        if kind == "Condition":
            return self.holds(self.source["Conditions"][parts])
        if kind == "Fn::Equals":
            left, right = (str(self.value(part)) for part in parts)
            return left == right
        results = [self.holds(part) for part in parts]
        return {"Fn::Not": lambda: not results[0], "Fn::And": lambda: all(results), "Fn::Or": lambda: any(results)}[
            kind
        ]()


def target(value: Any) -> str | None:
    """The logical id that a `Ref` or `GetAtt` names."""
    if isinstance(value, dict) and "Ref" in value:
        return value["Ref"]
    if isinstance(value, dict) and "Fn::GetAtt" in value:
        reference = value["Fn::GetAtt"]
        return reference[0] if isinstance(reference, list) else reference.split(".")[0]
    return None


def as_list(value: Any) -> list[Any]:
    """IAM and CloudFormation take one thing where they take several."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def walk(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value inside a document with its path."""
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from walk(item, (*path, str(key)))
