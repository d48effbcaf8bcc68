"""Holds infra/template.yaml against what linters know, what the project promises, and a played AWS.

`cargo dev infra check` runs it with everything it needs.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import policies
import promises
from template import TEMPLATE, Template

Stage = tuple[str, Callable[[Template], Iterator[str]]]


def _lint(template: Template) -> Iterator[str]:
    import lint  # takes seconds to load

    return lint.problems(template)


def _deploy(template: Template) -> Iterator[str]:
    import deploy

    return deploy.problems(template)


# In the order of their price.
STAGES: list[Stage] = [
    ("promises", promises.problems),
    ("policies", policies.problems),
    ("deployment into moto", _deploy),
    ("cfn-lint", _lint),
]


def first_problem(text: str) -> tuple[str, str] | None:
    """The first stage that finds something wrong with a template, and what."""
    try:
        template = Template(text)
    except Exception as error:  # the translator's and YAML's own kinds
        return "translation", f"{type(error).__name__}: {error}"
    for name, problems in STAGES:
        for problem in problems(template):
            return name, problem
    return None


def main() -> int:
    """Prints every problem, stage by stage."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--template", type=Path, default=TEMPLATE, help="another template")
    arguments.add_argument("--update-policies", action="store_true", help="take the present policies as expected")
    options = arguments.parse_args()
    started = time.monotonic()
    try:
        template = Template(options.template.read_text())
    except Exception as error:  # the translator's and YAML's own kinds
        print(f"translation: {type(error).__name__}: {error}")
        return 1
    print(f"translation: {len(template.plain['Resources'])} resources ({time.monotonic() - started:.1f} s)")
    if options.update_policies:
        policies.update(template)
    total = 0
    for name, problems in STAGES:
        started = time.monotonic()
        found = list(problems(template))
        total += len(found)
        verdict = f"{len(found)} problem(s)" if found else "ok"
        print(f"{name}: {verdict} ({time.monotonic() - started:.1f} s)")
        for problem in found:
            print(f"  {problem}")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
