"""Constraints as llguidance grammars: what the decoder may say, token by token.

    JSON          start: " "? json
    required      start: calls
    auto          start: calls | text          (text may be JSON, too)

    calls: <[5]> " [" call (", " call)* "]"    5 is the id of `[TOOL_CALLS]`
    call: "{\\"name\\": \\"f\\", \\"arguments\\": " arguments "}"

A model without that token calls as Llama 3.1 does: the reply is one call, with `parameters` for
`arguments`, and a text may then not begin with a brace. Of models that know `<|python_tag|>` (10),
it may stand before a call, and opens those of functions that they know by heart (`by_heart`):

    calls: <[10]>? call <[8]>? | <[10]> known <[8]>?

Each schema is a grammar of its own, so `$ref` and `$defs` inside it keep their meaning.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from cupola.engines.by_heart import PythonTokens, iter_known
from cupola.engines.port import Constraint, JsonOutput, ToolOutput
from cupola.engines.schema import close_object, write_schema
from cupola.kit.errors import Invalid
from cupola.wire.canonical import Tool

_HEAD: Final = "%llguidance {}"
"""By this first line llama.cpp knows the kind of grammar."""


def write_grammar(
    constraint: Constraint,
    *,
    tool_calls_token: int | None,
    leading_space: bool,
    python: PythonTokens | None = None,
) -> str:
    """The grammar that holds a model to `constraint`.

    Args:
        constraint: What the reply must be.
        tool_calls_token: Opens the calls; None: the reply is a call, or is not.
        leading_space: Whether the model begins text and calls with one space (SentencePiece).
        python: For models without a token that opens calls: those around calls that they may use.

    Raises:
        Invalid: a schema cannot be enforced.
    """
    space = " " if leading_space else ""
    if isinstance(constraint, JsonOutput):
        return "\n".join([_HEAD, "start: reply", *_iter_json(constraint, space)])
    start = "start: calls" if constraint.mode == "required" else "start: calls | reply"
    return "\n".join(
        [_HEAD, start, *_iter_calls(constraint, tool_calls_token, space, python)]
        + (
            []
            if constraint.mode == "required"
            else list(_iter_text(constraint, tool_calls_token, space))
        )
    )


def _iter_text(constraint: ToolOutput, token: int | None, space: str) -> Iterator[str]:
    if constraint.content is not None:
        yield from _iter_json(constraint.content, space)
    elif token is None:
        yield "reply: /\\s*([^{\\s](.|\\n)*)?/"
    else:
        yield "reply: /(.|\\n)*/"


def _iter_json(output: JsonOutput, space: str) -> Iterator[str]:
    yield f"reply: {_quote(space)}? json" if space else "reply: json"
    yield f"json: %json {write_schema(output.schema, path=('response_format',))}"


def _iter_calls(
    constraint: ToolOutput, token: int | None, space: str, python: PythonTokens | None
) -> Iterator[str]:
    more = '(", " call)*' if constraint.parallel else ""
    if python is not None:
        yield from _iter_python(constraint, python)
    elif token is None:
        yield f"calls: {_quote(space)}? call" if space else "calls: call"
    else:
        yield f'calls: <[{token}]> {_quote(space + "[")} call {more} "]"'
    yield "call: " + " | ".join(f"call_{i}" for i in range(len(constraint.tools)))
    for i, tool in enumerate(constraint.tools):
        yield from _iter_call(i, tool, "parameters" if token is None else "arguments")


def _iter_python(constraint: ToolOutput, python: PythonTokens) -> Iterator[str]:
    # Other ends need no rule, but llguidance knows of one only.
    end = "" if python.end is None else f" <[{python.end}]>?"
    known = f" | <[{python.tag}]> known{end}" if constraint.by_heart else ""
    yield f"calls: <[{python.tag}]>? call{end}{known}"
    if known:
        yield from iter_known(constraint)


def open_call(tool: Tool, key: str) -> str:
    """What stands before the arguments of a call."""
    return f'{{"name": {json.dumps(tool.name, ensure_ascii=False)}, "{key}": '


def arguments_schema(i: int, tool: Tool) -> tuple[dict[str, Any], tuple[str | int, ...]]:
    """The schema of a function's arguments, and where in the request it stands."""
    path = ("tools", i, "function", "parameters")
    schema = close_object(tool.parameters)
    if schema["type"] != "object":
        raise Invalid("The parameters of a function must be a schema of type object.", path=path)
    return schema, path


def _iter_call(i: int, tool: Tool, key: str) -> Iterator[str]:
    opening = open_call(tool, key)
    schema, path = arguments_schema(i, tool)
    yield f'call_{i}: {_quote(opening)} arguments_{i} "}}"'
    yield f"arguments_{i}: %json {write_schema(schema, path=path)}"


def _quote(text: str) -> str:
    """A literal of the grammar's language, which escapes as JSON does."""
    return json.dumps(text)
