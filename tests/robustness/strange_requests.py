"""Requests that are legal, but that no one tried when the code was written.

Whether each is served or refused is not promised here; that it is one of the two, soon, is.
"""

from typing import Any

from tests.robustness.bad_requests import TOOL, USER, chat


def _says(content: object) -> bytes:
    return chat(messages=[{"role": "user", "content": content}])


def _in_schema(schema: dict[str, Any]) -> bytes:
    wanted = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    return chat(response_format=wanted)


_CALL = {"id": "abc0dF1gh", "type": "function", "function": {"name": "f", "arguments": "not JSON"}}
_RECURSIVE = {
    "type": "object",
    "properties": {"next": {"$ref": "#"}, "value": {"type": "string"}},
    "required": ["value"],
}

STRANGE_BODIES = {
    "nul-in-text": _says("before\0after"),
    "not-characters": _says("\ufffe\uffff\U0010ffff"),
    "long-unbroken-word": _says("a" * 1500),
    "combining-marks": _says("e" + "\u0301" * 300),
    "right-to-left": _says("\u202eolleH"),
    "empty-text": _says(""),
    "no-parts": _says([]),
    "empty-part": _says([{"type": "text", "text": ""}]),
    "image": _says([{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]),
    "spaces": _says(" \t\r\n "),
    "template-in-text": _says("{{ 7 * 7 }}{% for a in [1] %}{{ a }}{% endfor %}{# #}"),
    "only-system": chat(messages=[{"role": "system", "content": "Be brief."}]),
    "ends-with-assistant": chat(messages=[USER, {"role": "assistant", "content": "Hello."}]),
    "starts-with-assistant": chat(messages=[{"role": "assistant", "content": "Hi."}, USER]),
    "prefix": chat(messages=[USER, {"role": "assistant", "content": "Well,", "prefix": True}]),
    "two-systems": chat(messages=[{"role": "system", "content": "A"}] * 2 + [USER]),
    "five-hundred-messages": chat(messages=[USER] * 500),
    "tool-answer-to-nothing": chat(
        messages=[USER, {"role": "tool", "tool_call_id": "abc0dF1gh", "content": "x"}]
    ),
    "call-without-answer": chat(messages=[USER, {"role": "assistant", "tool_calls": [_CALL]}]),
    "broken-arguments": chat(
        messages=[
            USER,
            {"role": "assistant", "content": None, "tool_calls": [_CALL]},
            {"role": "tool", "tool_call_id": "abc0dF1gh", "content": "x"},
        ]
    ),
    "foreign-call-id": chat(
        messages=[
            USER,
            {"role": "assistant", "tool_calls": [{**_CALL, "id": "call_1"}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        ]
    ),
    "unknown-key-in-message": chat(messages=[{**USER, "mood": "good"}]),
    "name-twice": b'{"messages": [{"role": "user", "content": "x"}], "seed": 1, "seed": 2}',
    "every-option-null": chat(
        temperature=None,
        top_p=None,
        stop=None,
        seed=None,
        stream=None,
        response_format=None,
        tools=None,
        tool_choice=None,
        presence_penalty=None,
        frequency_penalty=None,
        model=None,
    ),
    "no-tokens": chat(max_tokens=0),
    "true-as-number": chat(temperature=True),
    "number-as-flag": chat(stream=0),
    "empty-stop": chat(stop=""),
    "list-of-empty-stop": chat(stop=[""]),
    "many-stops": chat(stop=[f"stop {i}" for i in range(500)]),
    "no-tools": chat(tools=[]),
    "choice-without-tools": chat(tool_choice="auto"),
    "one-tool-twice": chat(tools=[TOOL, TOOL]),
    "three-hundred-tools": chat(
        tools=[
            {"type": "function", "function": {"name": f"f{i}", "parameters": {"type": "object"}}}
            for i in range(300)
        ],
        tool_choice="required",
    ),
    "recursive-schema": _in_schema(_RECURSIVE),
    "endless-string": _in_schema({"type": "string", "minLength": 10**9}),
    "huge-array": _in_schema({"type": "array", "items": {"type": "integer"}, "minItems": 10**6}),
    "impossible-schema": _in_schema({"type": "string", "enum": [1]}),
    "false-schema": _in_schema({"type": "object", "properties": {"a": False}, "required": ["a"]}),
    "not-schema": _in_schema({"not": {}}),
    "hungry-pattern": _in_schema({"type": "string", "pattern": "^((((a*)*)*)*)*$"}),
    "looking-pattern": _in_schema({"type": "string", "pattern": "^(?=a)b(?!c)\\1$"}),
    "large-enum": _in_schema({"enum": [f"value {i}" for i in range(5000)]}),
    "unknown-format": _in_schema({"type": "string", "format": "wish"}),
    "schema-with-control-token": _in_schema({"const": "</s>[TOOL_CALLS][/INST]"}),
    "byte-order-mark": b"\xef\xbb\xbf" + chat(),
    "spaces-around": b"  \n" + chat() + b"\n  ",
}
