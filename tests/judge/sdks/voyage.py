"""VoyageAI's SDK as judge of requests and as reader of answers.

A request comes with the answer that it got and with what our client made of it:
`{"case", "vendor", "method", "path", "headers", "body", "answer", "vectors", "totalTokens"}`. The SDK sends the same call, gets
the same answer, and must see the same.
"""

import json
import typing

import pydantic
import requests
import typing_extensions
import voyageai

import strict

KEY = "sk-test-0123456789abcdef"


class EmbeddingRequest(typing_extensions.TypedDict):
    """The body of `POST /v1/embeddings` (API reference, "Text embedding models"); the SDK has no type for it."""

    __pydantic_config__ = pydantic.ConfigDict(extra="forbid", strict=True)

    input: str | typing.Annotated[list[str], pydantic.Field(min_length=1, max_length=1000)]
    model: str
    input_type: typing.NotRequired[typing.Literal["query", "document"] | None]
    truncation: typing.NotRequired[bool]
    output_dimension: typing.NotRequired[typing.Literal[256, 512, 1024, 2048] | None]
    output_dtype: typing.NotRequired[typing.Literal["float", "int8", "uint8", "binary", "ubinary"]]
    encoding_format: typing.NotRequired[typing.Literal["base64"] | None]


BODY = pydantic.TypeAdapter(EmbeddingRequest)


class _Vendor(requests.adapters.BaseAdapter):
    """Answers what it is told to, and keeps the request."""

    def __init__(self):
        super().__init__()
        self.answer, self.seen = None, None

    def send(self, request, **_):
        self.seen = request
        response = requests.Response()
        response.status_code = 200
        response.headers["content-type"] = "application/json"
        response._content = json.dumps(self.answer).encode()
        response.request, response.url = request, request.url
        return response

    def close(self):
        pass


VENDOR = _Vendor()
voyageai.requestssession = requests.Session()
voyageai.requestssession.mount("https://", VENDOR)


def judge(request):
    body = request["body"]
    yield from strict.problems(BODY.validate_python, body)
    if request["method"] != "POST":
        yield f"embeddings are made by POST, not {request['method']}"
    VENDOR.answer = request["answer"]
    read = voyageai.Embedding.create(api_key=KEY, **body)
    sent = VENDOR.seen
    if sent.path_url != request["path"]:
        yield f"the SDK asks {sent.path_url}"
    # The SDK asks for base64 to save bytes, which nobody has to.
    plain = {name: value for name, value in json.loads(sent.body).items() if name != "encoding_format"}
    if plain != body:
        yield f"the SDK sends {plain}"
    for name in ("authorization", "content-type"):
        if sent.headers.get(name) != request["headers"].get(name):
            yield f"the SDK sends {name}: {sent.headers.get(name)}"
    ordered = sorted(read.data, key=lambda item: item.index)
    if [item.embedding for item in ordered] != request["vectors"]:
        yield "the SDK reads other vectors"
    if read.usage.total_tokens != request["totalTokens"]:
        yield f"the SDK reads {read.usage.total_tokens} tokens"
