"""The SDKs' request types, made strict: no unknown members, no conversions, and lists that are looked into.

The SDKs describe requests as typed dictionaries. Pydantic checks them, but by default passes over unknown members and
looks into an `Iterable` only when somebody iterates over it.
"""

import sys
import typing

import pydantic
from typing_extensions import is_typeddict

_STRICT = pydantic.ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)

if any(name in sys.modules for name in ("openai", "anthropic")):
    raise ImportError("this must be imported before the SDKs")

# The modules of the SDKs import the name while they are loaded, so it means a list for them alone.
_ITERABLE = typing.Iterable
typing.Iterable = typing.List
try:
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
    from anthropic.types.model_list_params import ModelListParams
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
    from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
finally:
    typing.Iterable = _ITERABLE

for _name, _module in list(sys.modules.items()):
    if _name.startswith(("openai.types", "anthropic.types")):
        for _type in vars(_module).values():
            if is_typeddict(_type):
                _type.__pydantic_config__ = _STRICT

RESPONSE = pydantic.TypeAdapter(ResponseCreateParamsNonStreaming)
COMPLETION = pydantic.TypeAdapter(CompletionCreateParamsNonStreaming)
MESSAGE = pydantic.TypeAdapter(MessageCreateParamsNonStreaming)
MODEL_LIST = pydantic.TypeAdapter(ModelListParams)


def problems(check, value):
    """What a check says against a value: nothing, or a sentence per finding."""
    try:
        check(value)
    except pydantic.ValidationError as error:
        # The findings of a union name every alternative; the deepest ones say most.
        findings = sorted(error.errors(), key=lambda finding: -len(finding["loc"]))[:3]
        return ["{} at {}".format(finding["msg"], _place(finding["loc"])) for finding in findings]
    return []


def _place(location):
    return "/".join(str(step) for step in location if len(str(step)) < 60) or "the top"
