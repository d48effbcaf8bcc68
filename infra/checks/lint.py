"""cfn-lint, on what SAM makes of the template and on the template as written."""

import json
from typing import Iterator

from cfnlint.api import ManualArgs, lint

from template import Template

REGIONS = ["eu-central-1"]


def problems(template: Template) -> Iterator[str]:
    """What cfn-lint says, warnings included."""
    yield from _lint("as plain CloudFormation", json.dumps(template.plain, indent=1))
    yield from _lint("as written", template.text)


def _lint(form: str, text: str) -> Iterator[str]:
    for match in lint(text, config=ManualArgs(regions=REGIONS)):
        place = "/".join(str(part) for part in getattr(match, "path", None) or [])
        yield f"{match.rule.id} {form}, {place or f'line {match.linenumber}'}: {match.message}"
