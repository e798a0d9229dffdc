"""A request's body -> its canonical form, by a dialect's table of fields.

What a dialect knows but no engine here can do is a field that fills nothing: its harmless values
are accepted, any other is kept in `extras`, from where the gateway refuses it by name. Nothing is
ignored silently.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from cupola.kit.errors import ExtraField, Malformed
from cupola.wire.canonical import Options, Sampled
from cupola.wire.fields import UNCHANGED, Field

R = TypeVar("R", bound=Sampled)
_NO_OPTIONS = Options()


def read_request(
    body: Mapping[str, Any], fields: Mapping[str, Field], kind: type[R], required: str
) -> R:
    """The request of `kind` that `body` is, every name of which `fields` must know."""
    values: dict[str, Any] = {}
    options: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    for name, value in body.items():
        field = fields.get(name)
        if field is None:
            raise _extra(body, fields)
        if value is None and name != required:
            continue
        read = field.read(value, (name,))
        if field.into:
            _put(options if field.option else values, field.into, read, name)
        elif read is not UNCHANGED:
            extras[name] = read
    if required not in body:
        raise Malformed("Field required", code="missing", path=(required,), value={})
    if extras:
        values["extras"] = extras
    if options and (asked := Options(**options)) != _NO_OPTIONS:
        values["options"] = asked
    return kind(**values)


def _extra(body: Mapping[str, Any], fields: Mapping[str, Field]) -> ExtraField:
    unknown = {name: value for name, value in body.items() if name not in fields}
    return ExtraField("Extra inputs are not permitted", path=tuple(unknown)[:1], value=unknown)


def _put(values: dict[str, Any], into: str, read: Any, name: str) -> None:
    """Two names of one thing (`max_tokens`, `max_completion_tokens`) may not contradict."""
    if into in values and values[into] != read:
        raise Malformed(
            f"Value error, '{name}' and another name of the same parameter differ",
            path=(name,),
            value=read,
        )
    values[into] = read
