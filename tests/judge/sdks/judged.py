"""What each vendor's SDK says about a request: its types, the call that it would have sent itself, and the rules of the
vendor's documentation that types do not tell.

A request is `{"case", "vendor", "method", "path", "query", "headers", "body"}`. A judge yields sentences.
VoyageAI's judge stands in `voyage.py`.
"""

import base64
import json
import re
from urllib.parse import unquote

import anthropic
import httpx
import httpx2
import ollama
import openai
from google import genai
from google.genai import models as genai_models
from google.genai import types as genai_types
from ollama import _types as ollama_types

import schemas
import strict
import voyage

KEY = "sk-test-0123456789abcdef"
LISTS = {
    "openai": "/v1/models",
    "anthropic": "/v1/models",
    "gemini": "/v1beta/models",
    "deepseek": "/v1/models",
    "deepinfra": "/v1/openai/models",
    "ollama": "/api/tags",
}


# What the SDKs sent last; making a client takes longer than a hundred calls.
_SEEN = []


def _transport(http):
    def answer(request):
        _SEEN.append(request)
        return http.Response(200, json={})

    return http.MockTransport(answer)


def _openai_client(base_url=None):
    http_client = httpx2.Client(transport=_transport(httpx2))
    return openai.OpenAI(api_key=KEY, base_url=base_url, max_retries=0, http_client=http_client)


OPENAI = _openai_client()
ANTHROPIC = anthropic.Anthropic(
    api_key=KEY, max_retries=0, http_client=httpx2.Client(transport=_transport(httpx2))
)
OLLAMA = ollama.Client(host="http://vendor.example", transport=_transport(httpx))
GEMINI = genai.Client(api_key=KEY)


def _sent_by_sdk(call):
    """The request that an SDK sends for a call, or why it sends none."""
    _SEEN.clear()
    try:
        call()
    except Exception as error:  # the answer is no good one; only the request matters
        if not _SEEN:
            return None, f"the SDK refuses to send it: {error!r}"
    return _SEEN[0], None


def _differences(request, sent):
    if sent.url.path != request["path"]:
        yield f"the SDK asks {sent.url.path}"
    if json.loads(sent.content) != request["body"]:
        yield f"the SDK sends {sent.content.decode()}"
    for name in ("authorization", "x-api-key", "anthropic-version", "content-type"):
        if sent.headers.get(name) != request["headers"].get(name):
            yield f"the SDK sends {name}: {sent.headers.get(name)}"


def openai_(request):
    if request["method"] == "GET":
        yield from _list(request, "openai")
        return
    body = request["body"]
    yield from strict.problems(strict.RESPONSE.validate_python, body)
    sent, refusal = _sent_by_sdk(lambda: OPENAI.responses.create(**body))
    if refusal:
        yield refusal
        return
    yield from _differences(request, sent)
    if re.match(r"(o\d|gpt-[5-9])", body["model"]) and ("temperature" in body or "top_p" in body):
        yield "reasoning models take neither temperature nor top_p"
    form = body.get("text", {}).get("format")
    if form and form["strict"]:
        yield from schemas.openai_strict(form["schema"])
    yield from _data_urls(body)


def _data_urls(body):
    for part in body["input"][0]["content"] if isinstance(body["input"], list) else []:
        url = part.get("image_url") or part.get("file_data")
        if url is not None:
            found = re.fullmatch(r"data:([a-z]+/[a-z0-9.+-]+);base64,([A-Za-z0-9+/=]+)", url)
            if not found or not base64.b64decode(found[2], validate=True):
                yield f"no data URL: {url[:60]}"


def anthropic_(request):
    if request["method"] == "GET":
        yield from _list(request, "anthropic")
        query = {name: int(value) if name == "limit" else value for name, value in request["query"].items()}
        yield from strict.problems(strict.MODEL_LIST.validate_python, query)
        return
    body = dict(request["body"])
    # The SDK left these out when newer models began to refuse them; older models take one of them still.
    sampling = {name: body.pop(name) for name in ("temperature", "top_p") if name in body}
    if len(sampling) > 1:
        yield "temperature or top_p, not both"
    if any(not isinstance(value, (int, float)) or not 0 <= value <= 1 for value in sampling.values()):
        yield f"sampling outside 0 to 1: {sampling}"
    version = re.search(r"claude-(?:[a-z]+-)?(\d)(?:[-.](\d))?(?!\d)", body.get("model", ""))
    newest = (int(version[1]), int(version[2] or 0)) if version else (99, 0)
    if sampling and newest > (4, 6):
        yield f"{body['model']} takes no sampling options"
    if "output_config" in body and newest < (4, 5):
        yield f"{body['model']} takes no schema"
    yield from strict.problems(strict.MESSAGE.validate_python, body)
    sent, refusal = _sent_by_sdk(lambda: ANTHROPIC.messages.create(**body, extra_body=sampling, timeout=60))
    if refusal:
        yield refusal
        return
    yield from _differences(request, sent)
    if "output_config" in body:
        yield from schemas.anthropic(body["output_config"]["format"]["schema"])
        if "tools" in body:
            yield "a schema and citations of the web do not go together"


def gemini(request):
    if request["headers"].get("x-goog-api-key") != KEY or "key" in request["query"]:
        yield "the key belongs into the header x-goog-api-key"
    if request["method"] == "GET":
        yield from _list(request, "gemini")
        unknown = set(request["query"]) - {"pageSize", "pageToken"}
        if unknown:
            yield f"models.list knows no {unknown}"
        return
    body = request["body"]
    unknown = set(body) - {"contents", "systemInstruction", "generationConfig", "tools"}
    if unknown:
        yield f"generateContent gets {unknown} from nobody"
    found = re.fullmatch(r"/v1beta/models/([^/]+):generateContent", request["path"])
    if not found:
        yield f"generateContent is not at {request['path']}"
        return
    model = unquote(found[1])
    parameters = []

    def read(body):
        config = genai_types.GenerationConfig.model_validate(body["generationConfig"])
        instruction = body.get("systemInstruction")
        parameters.append(
            genai_types._GenerateContentParameters(
                model=model,
                contents=[genai_types.Content.model_validate(content) for content in body["contents"]],
                config=genai_types.GenerateContentConfig(
                    **config.model_dump(exclude_none=True),
                    system_instruction=instruction and genai_types.Content.model_validate(instruction),
                    tools=[genai_types.Tool.model_validate(tool) for tool in body.get("tools", [])] or None,
                ),
            )
        )

    yield from strict.problems(read, body)
    if not parameters:
        return
    try:
        sent = genai_models._GenerateContentParameters_to_mldev(GEMINI._api_client, parameters[0], None, parameters[0])
    except ValueError as error:
        yield f"the SDK refuses to send it: {error}"
        return
    sent.pop("_url")
    if _plain(sent) != _plain(body):
        yield f"the SDK sends {_plain(sent)}"
    config = body["generationConfig"]
    if "responseJsonSchema" in config:
        if config.get("responseMimeType") != "application/json":
            yield "a schema needs the MIME type of JSON"
        yield from schemas.gemini(config["responseJsonSchema"])
        if "tools" in body and not re.match(r"gemini-[3-9]", model):
            yield "only the third generation searches the web under a schema"
    if re.match(r"gemini-(3\.[6-9]|3\.5-flash-lite|[4-9])", model) and {"temperature", "topP", "topK"} & set(config):
        yield f"{model} takes no sampling options"


def _plain(value):
    """Names in camel case and content in base64, as both spellings mean the same to the vendor."""
    if isinstance(value, genai_types.Blob):
        value = json.loads(value.model_dump_json(by_alias=True, exclude_none=True))
    if isinstance(value, dict):
        return {re.sub(r"_([a-z])", lambda found: found[1].upper(), name): _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _chat_completions(vendor, path):
    client = _openai_client("https://vendor.example" + path.removesuffix("/chat/completions"))

    def judge(request):
        if request["headers"].get("authorization") != f"Bearer {KEY}":
            yield "the key belongs into the header authorization"
        if request["method"] == "GET":
            if request["path"] != "/v1/me":
                yield from _list(request, vendor)
            return
        body = request["body"]
        yield from strict.problems(strict.COMPLETION.validate_python, body)
        sent, refusal = _sent_by_sdk(lambda: client.chat.completions.create(**body))
        if refusal:
            yield refusal
            return
        yield from _differences(request, sent)
        roles = [message["role"] for message in body["messages"]]
        if roles not in (["user"], ["system", "user"]) or not all(message["content"] for message in body["messages"]):
            yield f"an odd conversation: {roles}"
        if "response_format" in body and "json" not in json.dumps(body["messages"]).lower():
            yield "JSON mode needs the word in the messages"
        if vendor == "deepseek" and not body["model"].startswith(("deepseek-chat", "deepseek-v3")):
            if "temperature" in body:
                yield "models that think pass over temperature"

    return judge


def ollama_(request):
    if request["method"] == "GET":
        yield from _list(request, "ollama")
        return
    body = request["body"]
    if request["path"] == "/api/show":
        yield from strict.problems(ollama_types.ShowRequest.model_validate, body)
        return
    unknown = set(body) - set(ollama_types.GenerateRequest.model_fields)
    unknown |= set(body["options"]) - set(ollama_types.Options.model_fields)
    if unknown:
        yield f"Ollama knows no {sorted(unknown)}"
    images = [{"value": image} for image in body.get("images", [])]
    yield from strict.problems(ollama_types.GenerateRequest.model_validate, {**body, "images": images})
    for image in images:
        if not base64.b64decode(image["value"], validate=True):
            yield "an image without content"
    yield from strict.problems(ollama_types.Options.model_validate, body["options"])
    known = {name: member for name, member in body.items() if name in ollama_types.GenerateRequest.model_fields}
    sent, refusal = _sent_by_sdk(lambda: OLLAMA.generate(**known))
    if refusal:
        yield refusal
        return
    if (sent.url.path, json.loads(sent.content)) != (request["path"], body):
        yield f"the SDK sends {sent.content.decode()} to {sent.url.path}"


def _list(request, vendor):
    if request["path"] != LISTS[vendor]:
        yield f"the list of models is not at {request['path']}"


JUDGES = {
    "openai": openai_,
    "anthropic": anthropic_,
    "gemini": gemini,
    "deepseek": _chat_completions("deepseek", "/v1/chat/completions"),
    "deepinfra": _chat_completions("deepinfra", "/v1/openai/chat/completions"),
    "ollama": ollama_,
    "voyageai": voyage.judge,
}
