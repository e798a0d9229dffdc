"""The functions that Llama 3.1 knows by heart, and the form in which it calls them.

    <|python_tag|>brave_search.call(query="...")
    <|python_tag|>wolfram_alpha.call(query="...")
    <|python_tag|>any code                              a call of `code_interpreter`

The reply then ends with `<|eom_id|>` or as others do. A caller's function is taken for one of these
if it has its name, and if its schema says no more than the form can: one string. No other text has
two readings: code begins with no brace, as a call in JSON does, and not as one of the calls above.

Models of this kind say `<|python_tag|>` before calls in JSON, too, so there it is allowed.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from cupola.engines.port import ToolOutput
from cupola.engines.schema import write_schema
from cupola.wire.canonical import Call, Tool

PYTHON_TAG: Final = "<|python_tag|>"
MESSAGE_END: Final = "<|eom_id|>"
CODE: Final = "code_interpreter"

_ARGUMENTS: Final = {"brave_search": "query", "wolfram_alpha": "query", CODE: None}
"""What each function takes; code has no name in its form, so it may have any."""
_OBJECT: Final = frozenset(
    ("type", "properties", "required", "additionalProperties", "title", "description", "$schema")
)
_STRING: Final = frozenset(("type", "title", "description", "default", "examples"))
_LIMITS: Final = frozenset(("minLength", "maxLength", "pattern", "format", "enum", "const"))
_NAME: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_BEGINNING: Final = re.compile(r"([a-z_]+)\.call\(")
_CALL: Final = re.compile(r'([a-z_]+)\.call\(([A-Za-z0-9_]+)=(".*")\)', re.DOTALL)


class PythonTokens(Struct, frozen=True):
    """The ids that the form needs."""

    tag: int
    """Of `<|python_tag|>`."""
    end: int | None
    """Of `<|eom_id|>`."""


def find_python_tokens(tokenizer: str, control: Mapping[str, int]) -> PythonTokens | None:
    """Those of a vocabulary, if its model calls in this form: Llama 3.1's kind, byte-level."""
    if tokenizer != "gpt2" or PYTHON_TAG not in control or "[TOOL_CALLS]" in control:
        return None
    return PythonTokens(control[PYTHON_TAG], control.get(MESSAGE_END))


def find_argument(tool: Tool) -> str | None:
    """The name of the one argument in the form; None: `tool` can be called in JSON only."""
    if tool.name not in _ARGUMENTS:
        return None
    schema, properties = tool.parameters, tool.parameters.get("properties")
    if not schema.keys() <= _OBJECT or schema.get("type", "object") != "object":
        return None
    if not isinstance(properties, Mapping) or len(properties) != 1:
        return None
    [(name, said)] = properties.items()
    if (_ARGUMENTS[tool.name] or name) != name or not _NAME.fullmatch(name):
        return None
    limits = frozenset() if tool.name == CODE else _LIMITS  # code is not written as JSON
    if not isinstance(said, Mapping) or said.get("type") != "string":
        return None
    fits = said.keys() <= _STRING | limits and schema.get("required", []) in ([], [name])
    return name if fits else None


def iter_known(constraint: ToolOutput) -> Iterator[str]:
    """Rules of an llguidance grammar: `known` is what may stand behind the tag."""
    known = [
        (i, tool) for i, tool in enumerate(constraint.tools) if tool.name in constraint.by_heart
    ]
    codes = any(tool.name == CODE for _, tool in known)
    yield "known: " + " | ".join([*(f"known_{i}" for i, _ in known), *(["CODE"] if codes else [])])
    for i, tool in known:
        name = find_argument(tool)
        path = ("tools", i, "function", "parameters")
        schema: Mapping[str, Any] = tool.parameters["properties"][name]
        yield f'known_{i}: "{tool.name}.call({name}=" text_{i} ")"'
        yield f"text_{i}: %json {write_schema(schema, path=path)}"
    if codes:
        names = "|".join(tool.name for _, tool in known)
        yield rf"CODE: /[^\s{{](.|\n)*/ & ~/({names})\.call\((.|\n)*/"


def read_known(text: str, tools: Sequence[Tool], by_heart: Collection[str]) -> Call | None:
    """The call that `text`, which stood behind the tag, makes in this form, if any."""
    arguments = {tool.name: find_argument(tool) for tool in tools if tool.name in by_heart}
    if (begun := _BEGINNING.match(text)) and begun[1] in arguments:
        found = _CALL.fullmatch(text)
        if found is None or found[2] != arguments[begun[1]] or not _is_string(found[3]):
            return None
        return Call(found[1], f'{{"{found[2]}": {found[3]}}}')
    if CODE not in arguments or not text or text.startswith("{"):
        return None
    return Call(CODE, json.dumps({arguments[CODE]: text}, ensure_ascii=False))


def _is_string(text: str) -> bool:
    """Whether a text between quotes is one string of JSON."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
