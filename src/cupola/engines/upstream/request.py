"""A generation -> the body of the upstream's request.

Only what was asked for is written: what a caller left open is the upstream's to choose. What the
dialect cannot say is refused before anything is sent; nothing is left out in silence.
"""

import hashlib
import string
from typing import Any, Final

import msgspec

from cupola.engines.port import Generation, Piece, Tokens, Trace, Verbatim
from cupola.engines.upstream.config import JSON, JSON_SCHEMA, Upstream
from cupola.engines.upstream.dialect import Dialect
from cupola.kit.errors import Unsupported
from cupola.wire.canonical import (
    ChatRequest,
    Message,
    Options,
    ResponseFormat,
    Tool,
    ToolCall,
    ToolChoice,
)

_DEFAULTS: Final = Options()
_NO_PARAMETERS: Final = {"type": "object", "properties": {}}
_ID_LENGTH: Final = 9
_ALPHABET: Final = string.ascii_letters + string.digits
_FORMAT_NAME: Final = "reply"


def write_body(request: Generation, upstream: Upstream) -> dict[str, Any]:
    """The body of the request.

    Raises:
        Unsupported: The upstream cannot be asked for a part of it.
    """
    body: dict[str, Any] = {"model": upstream.upstream_model}
    if request.conversation is None:
        body["prompt"] = _write_prompt(request.prompt)
        if request.completion is not None and request.completion.suffix is not None:
            body["suffix"] = request.completion.suffix
    else:
        body |= _write_conversation(request.conversation, upstream)
    body |= _write_sampling(request, upstream)
    if request.incremental:
        body["stream"] = True
        if upstream.dialect.asks_usage:
            body["stream_options"] = {"include_usage": True}
    return body


def write_headers(body: dict[str, Any], key: str | None, dialect: Dialect) -> dict[str, str]:
    """The headers that go with `body`."""
    headers = {"Accept": "text/event-stream" if "stream" in body else "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
        if dialect.api_key:
            headers["api-key"] = key
    if dialect.known is not None and not body.keys() <= dialect.known:
        headers["extra-parameters"] = "pass-through"
    return headers


def write_trace(trace: Trace | None, upstream: Upstream) -> dict[str, str]:
    """The headers by which the upstream's own spans become part of the trace."""
    if trace is None or upstream.trace_context == "none":
        return {}
    headers = {"traceparent": trace.parent}
    if trace.state and upstream.trace_context == "full":
        headers["tracestate"] = trace.state
    return headers


def encode_body(body: dict[str, Any]) -> bytes:
    """The bytes of `body`."""
    return msgspec.json.encode(body)


def _write_prompt(prompt: tuple[Piece, ...]) -> str | list[int]:
    if len(prompt) == 1 and isinstance(prompt[0], Tokens):
        return list(prompt[0].ids)
    if any(isinstance(piece, Tokens) for piece in prompt):
        raise Unsupported("Text and tokens cannot be mixed in a prompt here.", path=("prompt",))
    return "".join([piece.text if isinstance(piece, Verbatim) else str(piece) for piece in prompt])


def _write_conversation(asked: ChatRequest, upstream: Upstream) -> dict[str, Any]:
    dialect = upstream.dialect
    body: dict[str, Any] = dict(asked.extras)
    body["messages"] = [_write_message(m, i, upstream) for i, m in enumerate(asked.messages)]
    if asked.tools:
        body["tools"] = [_write_tool(tool) for tool in asked.tools]
        if asked.tool_choice is not None:
            body["tool_choice"] = _write_choice(asked.tool_choice, dialect)
        if not asked.parallel_tool_calls:
            body["parallel_tool_calls"] = False
    if asked.response_format.type != "text":
        body["response_format"] = _write_format(asked.response_format, upstream)
    if asked.safe_prompt and dialect.native:
        body["safe_prompt"] = True
    return body


def _write_message(message: Message, i: int, upstream: Upstream) -> dict[str, Any]:
    written: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        written["tool_calls"] = [_write_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        written["tool_call_id"] = _write_id(message.tool_call_id)
    if message.prefix:
        if not upstream.dialect.native:
            raise Unsupported(f"The model {upstream.model}, as served here, cannot continue a "
                              "prefix.", path=("messages", i, "prefix"))  # fmt: skip
        written["prefix"] = True
    return written


def _write_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": _write_id(call.id), "type": "function", "function": function}


def _write_id(id: str) -> str:
    """The id in the only form that Mistral's models take; others want no more than that ids match.

    A conversation may have begun with another service, whose ids look otherwise.
    """
    if len(id) == _ID_LENGTH and id.isascii() and id.isalnum():
        return id
    number = int.from_bytes(hashlib.blake2b(id.encode(errors="surrogatepass")).digest())
    return "".join([_ALPHABET[number // 62**i % 62] for i in range(_ID_LENGTH)])


def _write_tool(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters or _NO_PARAMETERS,
    }
    return {"type": "function", "function": function}


def _write_choice(choice: ToolChoice, dialect: Dialect) -> str | dict[str, Any]:
    if choice.name is not None:
        return {"type": "function", "function": {"name": choice.name}}
    return dialect.required if choice.mode == "required" else choice.mode


def _write_format(form: ResponseFormat, upstream: Upstream) -> dict[str, Any]:
    feature = JSON_SCHEMA if form.type == "json_schema" else JSON
    if feature not in upstream.features:
        raise Unsupported(
            f"The model {upstream.model}, as served here, does not support the format "
            f"'{form.type}'.",
            path=("response_format", "type"),
            value=form.type,
        )
    if form.schema is None:
        return {"type": form.type}
    # Strict, because a form that is asked for is a promise here, whoever keeps it.
    schema = {"name": _FORMAT_NAME, "schema": form.schema, "strict": True}
    return {"type": form.type, "json_schema": schema}


def _write_sampling(request: Generation, upstream: Upstream) -> dict[str, Any]:
    values: dict[str, Any] = {
        upstream.limit_field: request.max_tokens,
        "temperature": _choose_temperature(request, upstream),
        "top_p": None if request.top_p == 1 else request.top_p,
        upstream.dialect.seed: request.seed,
        "presence_penalty": request.presence_penalty or None,
        "frequency_penalty": request.frequency_penalty or None,
        "stop": list(request.stop) or None,
    }
    body = {name: value for name, value in values.items() if value is not None}
    if request.logprobs is not None:
        body |= _write_logprobs(request, request.logprobs)
    if request.options is not None:
        body |= _write_options(request.options)
    return body


def _choose_temperature(request: Generation, upstream: Upstream) -> float | None:
    """The gateway fills in what it shows as the default; only the operator knows a true one."""
    asked = request.conversation or request.completion
    if asked is None or asked.temperature is not None or asked.top_p == 0:
        return request.temperature
    return upstream.default_temperature


def _write_logprobs(request: Generation, alternatives: int) -> dict[str, Any]:
    if request.conversation is None:
        return {"logprobs": alternatives}
    if alternatives:
        return {"logprobs": True, "top_logprobs": alternatives}
    return {"logprobs": True}


def _write_options(options: Options) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for name in Options.__struct_fields__:
        value = getattr(options, name)
        if value != getattr(_DEFAULTS, name):
            written[name] = dict(value) if name == "logit_bias" else value
    return written
