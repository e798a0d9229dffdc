"""Tools, the choice among them, and the form of the reply: plain JSON values -> canonical types."""

from typing import Any

from cupola.kit.errors import Malformed, Unsupported
from cupola.wire.canonical import ResponseFormat, Tool, ToolChoice
from cupola.wire.fields import Path, array, choice, mapping, required, text

FORMATS = ("text", "json_object", "json_schema")
CHOICES = ("auto", "none", "required", "any")


def read_tools(value: Any, path: Path) -> tuple[Tool, ...]:
    """The functions a model may call; an empty list is as good as none."""
    return tuple([_read_tool(item, (*path, i)) for i, item in enumerate(array(value, path))])


def read_tool_choice(value: Any, path: Path) -> ToolChoice:
    """One of the four words (`any` is Mistral's word for `required`), or one function's name."""
    if type(value) is not dict:
        word = choice(value, path, *CHOICES)
        return ToolChoice("required" if word in ("any", "required") else word)  # type: ignore[arg-type]
    choice(value.get("type", "function"), (*path, "type"), "function")
    function = mapping(required(value, "function", path), (*path, "function"))
    name = text(required(function, "name", (*path, "function")), (*path, "function", "name"))
    return ToolChoice("required", name)


def read_response_format(value: Any, path: Path) -> ResponseFormat:
    """The form of the reply.

    Versions 4 to 6 of the Azure client for Python write the type as an object that holds the type,
    when used as Microsoft's own samples use them; version 1 writes the type alone.
    """
    if type(value) is str:
        return ResponseFormat(choice(value, path, "text", "json_object"))  # type: ignore[arg-type]
    kind = required(mapping(value, path), "type", path)
    if type(kind) is dict:
        kind = required(kind, "type", (*path, "type"))
    kind = choice(kind, (*path, "type"), *FORMATS)
    if kind != "json_schema":
        return ResponseFormat(kind)  # type: ignore[arg-type]
    return _read_schema(required(value, "json_schema", path), (*path, "json_schema"))


def _read_schema(value: Any, path: Path) -> ResponseFormat:
    form = mapping(value, path)
    text(required(form, "name", path), (*path, "name"))
    return ResponseFormat("json_schema", mapping(required(form, "schema", path), (*path, "schema")))


def _read_tool(value: Any, path: Path) -> Tool:
    tool = mapping(value, path)
    kind = tool.get("type", "function")
    if kind != "function":
        raise Unsupported(
            "Only tools of type 'function' can be called.", path=(*path, "type"), value=kind
        )
    path = (*path, "function")
    function = mapping(required(tool, "function", path[:-1]), path)
    return Tool(
        text(required(function, "name", path), (*path, "name")),
        _read_description(function.get("description"), (*path, "description")),
        _read_parameters(function.get("parameters"), (*path, "parameters")),
    )


def _read_description(value: Any, path: Path) -> str:
    return "" if value is None else text(value, path)


def _read_parameters(value: Any, path: Path) -> dict[str, Any]:
    parameters = {} if value is None else mapping(value, path)
    if parameters.get("type", "object") != "object":
        raise Malformed(
            "Value error, parameters must be a JSON Schema of type object",
            path=(*path, "type"),
            value=parameters["type"],
        )
    return parameters
