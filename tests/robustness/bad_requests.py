"""Requests that nobody should send, as a table: bodies, heads, and bytes that are no HTTP at all.

A body stands here with the field at fault, which the refusal must name; None where no one field is.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

USER = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@dataclass(frozen=True)
class BadBody:
    """A body, and the word that a refusal of it must hold."""

    name: str
    body: bytes
    word: str | None = None


def chat(**fields: Any) -> bytes:
    """A good chat request but for `fields`."""
    return json.dumps({"messages": [USER], "max_tokens": 4, **fields}).encode()


def _field(name: str, /, **fields: Any) -> BadBody:
    """A good request with one bad field, which the refusal names."""
    (word,) = fields
    return BadBody(name, chat(**fields), word)


def _message(name: str, *messages: object) -> BadBody:
    return BadBody(name, chat(messages=messages), "messages")


def _tool(name: str, /, **function: Any) -> BadBody:
    return BadBody(name, chat(tools=[{"type": "function", "function": function}]), "tools")


NOT_JSON = [
    BadBody("empty", b""),
    BadBody("cut-off", b'{"messages": ['),
    BadBody("trailing-comma", b'{"messages": [{"role": "user", "content": "Hello"},]}'),
    BadBody("two-documents", chat() + chat()),
    BadBody("single-quotes", b"{'messages': []}"),
    BadBody("form", b"messages=Hello&temperature=0"),
    BadBody("nan", b'{"messages": [{"role": "user", "content": "x"}], "temperature": NaN}'),
    BadBody("infinity", b'{"messages": [{"role": "user", "content": "x"}], "top_p": -Infinity}'),
    BadBody("invalid-utf-8", b'{"messages": [{"role": "user", "content": "\xff\xfe"}]}'),
    BadBody("cut-utf-8", b'{"messages": [{"role": "user", "content": "\xe2\x82"}]}'),
    BadBody("lone-surrogate", b'{"messages": [{"role": "user", "content": "\\ud800"}]}'),
    BadBody("utf-16", chat().decode().encode("utf-16")),
    BadBody("raw-newline-in-string", b'{"messages": [{"role": "user", "content": "a\nb"}]}'),
    BadBody("compressed", gzip.compress(chat())),
    BadBody("binary", bytes(range(256)) * 8),
    BadBody("deep-array", b"[" * 100_000 + b"]" * 100_000),
    BadBody("deep-object", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    BadBody("deep-and-open", b"[" * 1_000_000),
]
NOT_AN_OBJECT = [
    BadBody(f"root-{name}", body)
    for name, body in [
        ("array", b"[]"),
        ("text", b'"Hello"'),
        ("null", b"null"),
        ("number", b"42"),
        ("true", b"true"),
    ]
]
BAD_MESSAGES = [
    BadBody("messages-missing", b"{}", "messages"),
    _field("messages-null", messages=None),
    _field("messages-empty", messages=[]),
    _field("messages-object", messages={}),
    _field("messages-text", messages="Hello"),
    _message("message-number", 1),
    _message("message-null", None),
    _message("message-text", "Hello"),
    _message("message-array", [USER]),
    _message("message-empty", {}),
    _message("role-missing", {"content": "Hello"}),
    _message("role-unknown", {"role": "wizard", "content": "Hello"}),
    _message("role-number", {"role": 7, "content": "Hello"}),
    _message("role-null", {"role": None, "content": "Hello"}),
    _message("user-without-content", {"role": "user"}),
    _message("content-number", {"role": "user", "content": 7}),
    _message("content-object", {"role": "user", "content": {"text": "Hello"}}),
    _message("part-number", {"role": "user", "content": [1]}),
    _message("part-unknown", {"role": "user", "content": [{"type": "smell"}]}),
    _message("part-without-type", {"role": "user", "content": [{"text": "Hello"}]}),
    _message("part-text-number", {"role": "user", "content": [{"type": "text", "text": 1}]}),
    _message("calls-text", {"role": "assistant", "tool_calls": "f"}, USER),
    _message("call-empty", {"role": "assistant", "tool_calls": [{}]}, USER),
    _message("tool-without-call-id", USER, {"role": "tool", "content": "x"}),
]
BAD_PARAMETERS = [
    _field("temperature-word", temperature="hot"),
    _field("temperature-negative", temperature=-1),
    _field("temperature-high", temperature=2.1),
    _field("temperature-object", temperature={}),
    _field("top-p-high", top_p=1.01),
    _field("top-p-array", top_p=[1]),
    _field("max-tokens-negative", max_tokens=-1),
    _field("max-tokens-fraction", max_tokens=1.5),
    _field("max-tokens-word", max_tokens="many"),
    _field("max-tokens-huge", max_tokens=10**30),
    _field("presence-penalty-high", presence_penalty=2.5),
    _field("frequency-penalty-low", frequency_penalty=-2.5),
    _field("frequency-penalty-word", frequency_penalty="0.1x"),
    _field("seed-word", seed="seven"),
    _field("seed-fraction", seed=0.5),
    _field("seed-huge", seed=10**40),
    _field("stop-number", stop=5),
    _field("stop-of-numbers", stop=[1]),
    _field("temperature-endless", temperature=10**400),
    _field("seed-endless", seed=10**4000),
    _field("stream-word", stream="perhaps"),
    _field("stream-array", stream=[]),
    BadBody("temperature-overflow", chat(temperature=0).replace(b": 0", b": 1e999")),
]
BAD_FORMATS = [
    _field("format-number", response_format=1),
    _field("format-empty", response_format={}),
    _field("format-unknown", response_format={"type": "xml"}),
    _field("schema-missing", response_format={"type": "json_schema"}),
    _field("schema-text", response_format={"type": "json_schema", "json_schema": "x"}),
] + [
    _field(
        f"schema-{name}",
        response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": schema}},
    )
    for name, schema in [
        ("of-wrong-type", {"type": 5}),
        ("of-unknown-type", {"type": "wish"}),
        ("with-dead-reference", {"$ref": "#/$defs/nothing"}),
        ("with-foreign-reference", {"$ref": "https://example.org/schema.json"}),
        ("with-broken-pattern", {"type": "string", "pattern": "(["}),
        ("is-array", []),
    ]
]
BAD_TOOLS = [
    _field("tools-object", tools={"type": "function"}),
    _field("tools-of-text", tools=["f"]),
    _field("tool-empty", tools=[{}]),
    _field("tool-of-unknown-type", tools=[{"type": "hammer", "function": {"name": "f"}}]),
    _tool("tool-without-name", parameters={"type": "object"}),
    _tool("tool-name-empty", name=""),
    _tool("tool-name-with-space", name="get flight"),
    _tool("tool-name-long", name="f" * 65),
    _tool("tool-name-number", name=5),
    _tool("tool-parameters-text", name="f", parameters="none"),
    _tool("tool-parameters-array", name="f", parameters=[]),
    _tool("tool-parameters-of-wrong-type", name="f", parameters={"type": 5}),
    BadBody("choice-unknown", chat(tools=[TOOL], tool_choice="sometimes"), "tool_choice"),
    BadBody("choice-number", chat(tools=[TOOL], tool_choice=1), "tool_choice"),
    BadBody("choice-empty", chat(tools=[TOOL], tool_choice={}), "tool_choice"),
    BadBody("choice-required-without-tools", chat(tool_choice="required"), "tool"),
    BadBody(
        "choice-of-absent-tool",
        chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "g"}}),
        "tool_choice",
    ),
]
BAD_BODIES = [
    *NOT_JSON,
    *NOT_AN_OBJECT,
    *BAD_MESSAGES,
    *BAD_PARAMETERS,
    *BAD_FORMATS,
    *BAD_TOOLS,
    BadBody("too-long", chat(messages=[{"role": "user", "content": "seven " * 100_000}]), "tokens"),
]


@dataclass(frozen=True)
class BadHead:
    """A request that is wrong before its body, and the statuses that say so."""

    name: str
    path: str = "/chat/completions"
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = (400,)


BAD_HEADS = [
    BadHead("no-key", headers={"Authorization": ""}, statuses=(401,)),
    BadHead("wrong-key", headers={"Authorization": "Bearer " + "0" * 32}, statuses=(401,)),
    BadHead("wrong-api-key", headers={"Authorization": "", "api-key": "x"}, statuses=(401,)),
    BadHead("basic-key", headers={"Authorization": "Basic dXNlcjpwYXNz"}, statuses=(401,)),
    BadHead("non-ascii-key", headers={"Authorization": "Bearer \xe9\xff"}, statuses=(400, 401)),
    BadHead("long-key", headers={"Authorization": "Bearer " + "k" * 4000}, statuses=(401,)),
    BadHead("unknown-route", "/chat/nonsense", statuses=(404,)),
    BadHead("unknown-native-route", "/v1/nonsense", statuses=(404,)),
    BadHead("climbing-path", "/../../etc/passwd", statuses=(400, 401, 404)),
    BadHead("encoded-path", "/%2e%2e/%00%ff", statuses=(400, 404)),
    BadHead("long-path", "/" + "a" * 20_000, statuses=(400, 404, 414, 431)),
    BadHead("get-chat", method="GET", statuses=(405,)),
    BadHead("delete-chat", method="DELETE", statuses=(405,)),
    BadHead("put-chat", method="PUT", statuses=(405,)),
    BadHead("post-info", "/info", statuses=(405,)),
    BadHead("invented-method", method="FETCH", statuses=(400, 405)),
    BadHead("bad-extra-parameters", headers={"extra-parameters": "please"}),
    BadHead("long-header", headers={"X-Flood": "a" * 200_000}, statuses=(400, 431)),
    BadHead(
        "many-headers",
        headers={f"X-Flood-{i}": "a" * 100 for i in range(3000)},
        statuses=(400, 431),
    ),
]

NO_HTTP = {
    "garbage": b"\x00\x01\x02 hello?\r\n\r\n",
    "random": bytes((i * 37 + 11) % 256 for i in range(4096)),
    "tls-hello": bytes.fromhex("16030100c8010000c403030000") + b"\0" * 200,
    "http2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http-0.9": b"GET /\r\n",
    "no-version": b"POST /chat/completions\r\n\r\n",
    "broken-length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n",
    "negative-length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
    "two-lengths": b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "broken-chunk": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n",
    "space-in-header": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "only-newlines": b"\r\n" * 500,
}
