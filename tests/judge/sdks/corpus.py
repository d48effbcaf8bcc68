"""Answers as the vendors give them, made with the SDKs' own response types: `{"vendor", "name", "status", "headers",
"body"}`. What our client should make of each stands in `answers.rs`.
"""

from anthropic import types as claude
from anthropic.types.shared import ErrorResponse as ClaudeError
from google.genai import errors as genai_errors
from google.genai import types as gemini
from ollama import _types as ollama
from openai import types as openai
from openai.types import chat, responses
from pydantic import TypeAdapter


def answers():
    for vendor, maker in MAKERS.items():
        for name, made in maker():
            status, body, headers = made if isinstance(made, tuple) else (200, made, {})
            yield {"vendor": vendor, "name": name, "status": status, "headers": headers, "body": body}


def _json(value):
    return value.model_dump(mode="json", by_alias=True, exclude_unset=True)


# OpenAI


def _response(status, output, **more):
    usage = responses.ResponseUsage.model_validate(
        {
            "input_tokens": 328,
            "input_tokens_details": {"cached_tokens": 256, "cache_write_tokens": 8},
            "output_tokens": 90,
            "output_tokens_details": {"reasoning_tokens": 64},
            "total_tokens": 418,
        }
    )
    response = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1741476542,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-5-2025-08-07",
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [{"type": "web_search"}],
        "top_p": 1.0,
        "usage": _json(usage),
        **more,
    }
    return _json(responses.Response.model_validate(response))


def _message(*content, status="completed"):
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": list(content)}
    return _json(responses.ResponseOutputMessage.model_validate(message))


def _text(text, *annotations):
    part = {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}
    return _json(responses.ResponseOutputText.model_validate(part))


def _openai_error(code, kind, message):
    error = openai.ErrorObject(code=code, message=message, param=None, type=kind)
    return {"error": error.model_dump(mode="json", include={"code", "message", "param", "type"})}


def _openai():
    reasoning = responses.ResponseReasoningItem(
        id="rs_1", type="reasoning", summary=[{"type": "summary_text", "text": "Let me see."}]
    )
    search = responses.ResponseFunctionWebSearch.model_validate(
        {
            "id": "ws_1",
            "type": "web_search_call",
            "status": "completed",
            "action": {"type": "search", "query": "weather", "queries": ["weather"]},
        }
    )
    citation = {
        "type": "url_citation",
        "start_index": 0,
        "end_index": 5,
        "url": "https://example.com",
        "title": "Weather",
    }
    yield (
        "multi_item",
        (
            200,
            _response(
                "completed",
                [_json(reasoning), _message(_text("It is ")), _json(search), _message(_text("sunny", citation), _text("."))],
            ),
            {"x-request-id": "req_1"},
        ),
    )
    refusal = responses.ResponseOutputRefusal(type="refusal", refusal="I can't help with that.")
    yield "refusal", _response("completed", [_message(_json(refusal))])
    truncated = [_message(_text("It is s"), status="incomplete")]
    yield "truncated", _response("incomplete", truncated, incomplete_details={"reason": "max_output_tokens"})
    thought_only = {"incomplete_details": {"reason": "max_output_tokens"}}
    yield "only_reasoning", _response("incomplete", [_json(reasoning)], **thought_only)
    yield "filtered", _response("incomplete", truncated, incomplete_details={"reason": "content_filter"})
    call = responses.ResponseFunctionToolCall(
        type="function_call", call_id="call_1", name="weather", arguments="{}", id="fc_1", status="completed"
    )
    yield "tool_call", _response("completed", [_json(call)])
    yield "empty", _response("completed", [])
    for code in ("server_error", "rate_limit_exceeded", "invalid_prompt", "image_too_large"):
        error = responses.ResponseError(code=code, message="It went wrong.")
        yield f"failed_{code}", _response("failed", [], error=_json(error))
    for status, code, kind in (
        (400, None, "invalid_request_error"),
        (400, "context_length_exceeded", "invalid_request_error"),
        (400, "content_policy_violation", "invalid_request_error"),
        (401, "invalid_api_key", "invalid_request_error"),
        (403, "unsupported_country_region_territory", "request_forbidden"),
        (404, "model_not_found", "invalid_request_error"),
        (429, "rate_limit_exceeded", "requests"),
        (429, "insufficient_quota", "insufficient_quota"),
        (500, None, "server_error"),
        (503, "slow_down", "server_error"),
    ):
        name = f"error_{status}" + (f"_{code}" if code else "")
        yield name, (status, _openai_error(code, kind, "It went wrong."), {"x-request-id": "req_1"})


# Anthropic


def _claude(content, stop_reason, **more):
    usage = claude.Usage(
        input_tokens=30,
        cache_read_input_tokens=2000,
        cache_creation_input_tokens=500,
        output_tokens=120,
        output_tokens_details={"thinking_tokens": 80},
        server_tool_use={"web_search_requests": 1, "web_fetch_requests": 0},
        service_tier="standard",
    )
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": _json(usage),
        **more,
    }
    return _json(claude.Message.model_validate(message))


def _anthropic():
    thinking = {"type": "thinking", "thinking": "Let me see.", "signature": "EqQB"}
    redacted = {"type": "redacted_thinking", "data": "EmwK"}
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "weather"}}
    page = {
        "type": "web_search_result",
        "url": "https://example.com",
        "title": "Weather",
        "encrypted_content": "Eqgf",
        "page_age": None,
    }
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [page]}
    failed_search = {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
    }
    cited = {
        "type": "text",
        "text": "sunny",
        "citations": [
            {
                "type": "web_search_result_location",
                "cited_text": "sunny",
                "encrypted_index": "Eo8B",
                "title": "Weather",
                "url": "https://example.com",
            }
        ],
    }
    plain = lambda text: {"type": "text", "text": text, "citations": None}
    blocks = [thinking, redacted, plain("It is "), search, found, cited, plain(".")]
    yield "multi_block", (200, _claude(blocks, "end_turn"), {"request-id": "req_1"})
    yield "failed_search", _claude([search, failed_search, plain("I do not know.")], "end_turn")
    details = {"type": "refusal", "category": "cyber", "explanation": "That could harm."}
    yield "refusal", _claude([], "refusal", stop_details=details)
    yield "truncated", _claude([plain("It is s")], "max_tokens")
    yield "window_exceeded", _claude([plain("It is s")], "model_context_window_exceeded")
    yield "paused", _claude([plain("I am"), search], "pause_turn")
    yield "tool_use", _claude([{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}], "tool_use")
    yield "only_thinking", _claude([thinking], "max_tokens")
    for status, kind in (
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ):
        error = {"type": kind, "message": "It went wrong."}
        body = ClaudeError.model_validate({"type": "error", "error": error, "request_id": "req_1"})
        yield f"error_{status}", (status, _json(body), {"request-id": "req_1"})


# Gemini


def _gemini_answer(candidates, **more):
    usage = gemini.GenerateContentResponseUsageMetadata(
        prompt_token_count=300,
        cached_content_token_count=200,
        tool_use_prompt_token_count=40,
        candidates_token_count=25,
        thoughts_token_count=75,
        total_token_count=440,
        prompt_tokens_details=[gemini.ModalityTokenCount(modality="TEXT", token_count=300)],
    )
    answer = gemini.GenerateContentResponse(
        candidates=candidates, usage_metadata=usage, response_id="resp_1", model_version="gemini-3-flash", **more
    )
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"sdk_http_response"})


def _candidate(finish_reason, *parts, **more):
    content = gemini.Content(role="model", parts=list(parts)) if parts else None
    return gemini.Candidate(content=content, finish_reason=finish_reason, index=0, **more)


def _gemini():
    part = gemini.Part
    grounding = gemini.GroundingMetadata(
        web_search_queries=["weather"],
        grounding_chunks=[gemini.GroundingChunk(web=gemini.GroundingChunkWeb(uri="https://example.com", title="W"))],
    )
    parts = [
        part(text="Let me see.", thought=True),
        part(text="It is "),
        part(executable_code=gemini.ExecutableCode(code="print(1)", language="PYTHON")),
        part(code_execution_result=gemini.CodeExecutionResult(outcome="OUTCOME_OK", output="1")),
        part(text="sunny.", thought_signature=b"abc"),
    ]
    yield "multi_part", _gemini_answer([_candidate("STOP", *parts, grounding_metadata=grounding)])
    yield "truncated", _gemini_answer([_candidate("MAX_TOKENS", part(text="It is s"))])
    yield "only_thoughts", _gemini_answer([_candidate("MAX_TOKENS", part(text="Let me see.", thought=True))])
    feedback = gemini.GenerateContentResponsePromptFeedback(
        block_reason="PROHIBITED_CONTENT",
        safety_ratings=[gemini.SafetyRating(category="HARM_CATEGORY_HARASSMENT", probability="HIGH", blocked=True)],
    )
    yield "blocked_prompt", _gemini_answer(None, prompt_feedback=feedback)
    yield "empty_candidates", _gemini_answer([])
    rating = gemini.SafetyRating(category="HARM_CATEGORY_DANGEROUS_CONTENT", probability="HIGH", blocked=True)
    yield "safety", _gemini_answer([_candidate("SAFETY", safety_ratings=[rating])])
    yield "recitation", _gemini_answer([_candidate("RECITATION", part(text="Once upon"))])
    call = part(function_call=gemini.FunctionCall(name="weather", args={}))
    yield "function_call", _gemini_answer([_candidate("STOP", call)])
    yield "malformed", _gemini_answer([_candidate("MALFORMED_RESPONSE", finish_message="Malformed output.")])
    for name, status, code, details in (
        ("400", 400, "INVALID_ARGUMENT", []),
        ("400_key", 400, "INVALID_ARGUMENT", [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]),
        ("403", 403, "PERMISSION_DENIED", []),
        ("404", 404, "NOT_FOUND", []),
        ("429_minute", 429, "RESOURCE_EXHAUSTED", [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"},
        ]),
        ("429_day", 429, "RESOURCE_EXHAUSTED", [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},
        ]),
        ("500", 500, "INTERNAL", []),
        ("503", 503, "UNAVAILABLE", []),
        ("504", 504, "DEADLINE_EXCEEDED", []),
    ):  # fmt: skip
        message = "models/x is not found." if status == 404 else "It went wrong."
        body = {"error": {"code": status, "message": message, "status": code, "details": details}}
        error = genai_errors.APIError(status, body)
        assert (error.code, error.status, error.message) == (status, code, message), "the SDK reads it otherwise"
        yield f"error_{name}", (status, body, {})


# DeepSeek and DeepInfra


def _completion(finish_reason, content, usage, **message):
    completion = {
        "id": "completion_1",
        "object": "chat.completion",
        "created": 1741476542,
        "model": "some-model",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "logprobs": None,
                "message": {"role": "assistant", "content": content, "refusal": None, **message},
            }
        ],
        "usage": usage,
    }
    dumped = _json(chat.ChatCompletion.model_validate(completion))
    # DeepSeek has reasons of its own, which OpenAI's type does not know.
    dumped["choices"][0]["finish_reason"] = finish_reason
    return dumped


def _chat(usage):
    TypeAdapter(openai.CompletionUsage).validate_python(usage)
    yield "plain", _completion("stop", "It is sunny.", usage)
    yield "reasoning", _completion("stop", "It is sunny.", usage, reasoning_content="Let me see.")
    yield "truncated", _completion("length", "It is s", usage)
    yield "filtered", _completion("content_filter", "", usage)
    refused = _completion("stop", None, usage)
    refused["choices"][0]["message"]["refusal"] = "I can't help with that."
    yield "refusal", refused
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    yield "tool_call", _completion("tool_calls", None, usage, tool_calls=[call])
    yield "no_choices", {**_completion("stop", "", usage), "choices": []}


def _deepseek():
    usage = {
        "prompt_tokens": 300,
        "prompt_cache_hit_tokens": 256,
        "prompt_cache_miss_tokens": 44,
        "completion_tokens": 90,
        "completion_tokens_details": {"reasoning_tokens": 64},
        "total_tokens": 390,
    }
    yield from _chat(usage)
    yield "gave_out", _completion("insufficient_system_resource", "It is s", usage)
    for status, message in (
        (400, "Model Not Exist"),
        (400, "Content Exists Risk"),
        (401, "Authentication Fails"),
        (402, "Insufficient Balance"),
        (422, "Invalid Parameters"),
        (429, "Rate Limit Reached"),
        (500, "Server Error"),
        (503, "Server Overloaded"),
    ):
        name = f"error_{status}_{message.lower().replace(' ', '_')}"
        yield name, (status, _openai_error("invalid_request_error", "invalid_request_error", message), {})


def _deepinfra():
    usage = {
        "prompt_tokens": 300,
        "prompt_tokens_details": {"cached_tokens": 256},
        "completion_tokens": 90,
        "total_tokens": 390,
        "estimated_cost": 0.0000123,
    }
    yield from _chat(usage)
    yield "error_401", (401, {"detail": "Invalid token"}, {})
    yield "error_402", (402, _openai_error(None, "billing", "Balance exhausted."), {})
    yield "error_404", (404, _openai_error("model_not_found", "invalid_request_error", "The model does not exist"), {})
    yield "error_422", (422, {"detail": [{"loc": ["body", "x"], "msg": "field required", "type": "missing"}]}, {})
    yield "error_429", (429, {"detail": {"error": "Model busy, retry later"}}, {"retry-after": "3"})
    yield "error_500", (500, {"detail": "inference failed"}, {})


# Ollama


def _ollama():
    answer = {
        "model": "llama3.2",
        "created_at": "2025-08-04T19:22:45.499127Z",
        "response": "It is sunny.",
        "done": True,
        "done_reason": "stop",
        "context": [1, 2],
        "total_duration": 5043500667,
        "load_duration": 5025959,
        "prompt_eval_count": 26,
        "prompt_eval_duration": 325953000,
        "eval_count": 290,
        "eval_duration": 4709213000,
    }

    def made(**changes):
        return _json(ollama.GenerateResponse.model_validate({**answer, **changes}))

    yield "plain", made()
    yield "thinking", made(thinking="Let me see.")
    yield "truncated", made(response="It is s", done_reason="length")
    yield "only_loaded", made(response="", done_reason="load")
    cached = made()
    del cached["prompt_eval_count"]
    yield "prompt_from_cache", cached
    yield "error_inside", {"error": "model runner has unexpectedly stopped"}
    for status, message in (
        (400, "invalid format"),
        (404, "model 'llama3.2' not found"),
        (500, "llama runner process has terminated"),
        (503, "server busy, please try again.  maximum pending requests exceeded"),
    ):
        yield f"error_{status}", (status, {"error": message}, {})


MAKERS = {
    "openai": _openai,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "deepseek": _deepseek,
    "deepinfra": _deepinfra,
    "ollama": _ollama,
}
