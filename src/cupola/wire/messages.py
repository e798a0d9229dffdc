"""Messages of a request -> `Message`s.

What is accepted is wider than any one service's schema, because clients send back what servers
answered: `content: null`, `tool_calls: null`, `call_id: null` and keys nobody documented. Text
parts are joined; parts that are not text are refused, since no model here reads them yet.
"""

import json
from typing import Any

from cupola.kit.errors import Malformed, Unsupported
from cupola.wire.body import DEEPEST, nests_too_deep
from cupola.wire.canonical import Message, ToolCall
from cupola.wire.fields import Path, array, boolean, choice, mapping, required, text

ROLES = ("system", "developer", "user", "assistant", "tool")
OTHER_PARTS = frozenset(
    ("image", "image_url", "input_audio", "audio_url", "document_url", "file", "reference",
     "thinking", "resource", "refusal", "input_image", "video_url")
)  # fmt: skip


def read_messages(value: Any, path: Path) -> tuple[Message, ...]:
    """The conversation, which has at least one message."""
    if not array(value, path):
        raise Malformed(
            "Value error, messages can not be an empty list",
            context={"error": {}},
            path=path,
            value=[],
        )
    return tuple([_read_message(item, (*path, i)) for i, item in enumerate(value)])


def _read_message(value: Any, path: Path) -> Message:
    message = mapping(value, path)
    role = required(message, "role", path)
    if role == "user":
        return Message("user", _read_content(message, path))
    if role == "assistant":
        return _read_assistant(message, path)
    if role == "tool":
        return _read_result(message, path)
    choice(role, (*path, "role"), *ROLES)
    return Message("system", _read_content(message, path))


def _read_assistant(message: dict[str, Any], path: Path) -> Message:
    content = message.get("content")
    calls = message.get("tool_calls")
    prefix = message.get("prefix")
    return Message(
        "assistant",
        "" if content is None else _join(content, (*path, "content")),
        tool_calls=() if calls is None else _read_calls(calls, (*path, "tool_calls")),
        prefix=False if prefix is None else boolean(prefix, (*path, "prefix")),
    )


def _read_result(message: dict[str, Any], path: Path) -> Message:
    call_id = text(required(message, "tool_call_id", path), (*path, "tool_call_id"))
    return Message("tool", _read_content(message, path), tool_call_id=call_id)


def _read_content(message: dict[str, Any], path: Path) -> str:
    content = required(message, "content", path)
    if type(content) is str:
        return content
    return "" if content is None else _join(content, (*path, "content"))


def _join(content: Any, path: Path) -> str:
    if type(content) is str:
        return content
    if type(content) is not list:
        raise Malformed(
            "Input should be a valid string or a list of text parts",
            code="string_type",
            path=path,
            value=content,
        )
    return "".join([_read_part(part, (*path, i)) for i, part in enumerate(content)])


def _read_part(value: Any, path: Path) -> str:
    part = mapping(value, path)
    kind = required(part, "type", path)
    if kind == "text":
        return text(required(part, "text", path), (*path, "text"))
    if isinstance(kind, str) and kind in OTHER_PARTS:
        raise Unsupported(
            f"This model reads text only, not parts of type '{kind}'.",
            path=(*path, "type"),
            value=kind,
        )
    choice(kind, (*path, "type"), "text")
    raise AssertionError("unreachable: `choice` has raised")


def _read_calls(value: Any, path: Path) -> tuple[ToolCall, ...]:
    return tuple([_read_call(item, (*path, i)) for i, item in enumerate(array(value, path))])


def _read_call(value: Any, path: Path) -> ToolCall:
    call = mapping(value, path)
    function = mapping(required(call, "function", path), (*path, "function"))
    within = (*path, "function")
    return ToolCall(
        text(required(call, "id", path), (*path, "id")),
        text(required(function, "name", within), (*within, "name")),
        _read_arguments(function.get("arguments"), (*within, "arguments")),
    )


def _read_arguments(value: Any, path: Path) -> str:
    """JSON text of an object. Servers send a string, some clients an object, some nothing."""
    if value is None or value == "":
        return "{}"
    if type(value) is dict:
        return json.dumps(value, ensure_ascii=False)
    fault = _find_fault(value) if type(value) is str else ""
    if fault is None:
        return str(value)
    raise Malformed(
        f"Input should be a JSON object, written as a string{fault}",
        code="json_invalid",
        path=path,
        value=value,
    )


def _find_fault(arguments: str) -> str | None:
    """Why the text of arguments cannot be shown to a model, or None.

    It is JSON within JSON, so what was seen of the body says nothing of it.
    """
    try:
        parsed = json.loads(arguments)
    except ValueError:
        return ""
    except RecursionError:
        return f", nested at most {DEEPEST} levels deep"
    if type(parsed) is not dict:
        return ""
    if nests_too_deep(parsed):
        return f", nested at most {DEEPEST} levels deep"
    if "\\ud" in arguments.lower() and _holds_half_character(parsed):
        return "; a \\u escape in it is half of a surrogate pair"
    return None


def _holds_half_character(parsed: Any) -> bool:
    try:
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
