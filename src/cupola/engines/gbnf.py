"""JSON Schemas as GBNF rules, llama.cpp's own grammar language, for vocabularies that llguidance
cannot read (SentencePiece that adds a space by itself: Mistral-7B, Mixtral, Llama 2).

A rule says less than a schema may ask for, so a keyword that would be lost is refused by name.
Objects are written in the order of their properties and never have others: a part of what an open
schema allows, but never anything else.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cupola.engines.schema import find_size_fault
from cupola.kit.errors import Invalid

MAX_RULES: Final = 2_000
MAX_REPEATS: Final = 2_000
MAX_RANGE: Final = 256
"""Whole numbers between two limits that are written out one by one."""

_ANNOTATIONS: Final = frozenset(
    ("title", "description", "default", "examples", "format", "deprecated", "readOnly",
     "writeOnly", "$schema", "$id", "$comment", "$defs", "definitions")
)  # fmt: skip
_KNOWN: Final = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "minItems", "maxItems"),
    "string": ("minLength", "maxLength"),
    "integer": ("minimum", "maximum"),
    "number": ("number",),
    "boolean": (),
    "null": (),
}
_OF_ONE_TYPE: Final = frozenset(key for keys in _KNOWN.values() for key in keys)
_TYPES: Final = ("string", "number", "object", "array", "boolean", "null")
_FIXED: Final = {
    "char": r'[^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})',
    "string": r'"\"" char* "\""',
    "integer": '"-"? ("0" | [1-9] [0-9]{0,15})',
    "number": 'integer ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,3})?',
    "boolean": '"true" | "false"',
    "null": '"null"',
    "value": "string | number | object | array | boolean | null",
    "pair": 'string ": " value',
    "object": '"{" (pair (", " pair)*)? "}"',
    "array": '"[" (value (", " value)*)? "]"',
}


class Grammar:
    """Rules, each under a name; the caller adds `root`."""

    def __init__(self) -> None:
        self.rules: dict[str, str] = dict(_FIXED)

    def add(self, name: str, rule: str) -> str:
        """Keep a rule; its name."""
        if len(self.rules) >= MAX_RULES:
            raise Invalid("The JSON schema cannot be enforced: it needs too many rules.")
        self.rules[name] = rule
        return name

    def add_schema(
        self, name: str, schema: Mapping[str, Any], *, path: tuple[str | int, ...]
    ) -> str:
        """Rules for `schema`; the name of the first.

        Raises:
            Invalid: they could not hold a reply to it; `path` says where it stands.
        """
        return _Writer(self, name, schema, path).write()

    def text(self) -> str:
        """The grammar."""
        return "\n".join(f"{name} ::= {rule}" for name, rule in self.rules.items())


def quote(text: str) -> str:
    """A literal of the language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


class _Writer:
    """The rules of one schema, within which `$ref` points."""

    def __init__(
        self, grammar: Grammar, name: str, schema: Mapping[str, Any], path: tuple[str | int, ...]
    ) -> None:
        self._grammar = grammar
        self._name = name
        self._root = schema
        self._path = path
        self._count = 0
        self._referred: dict[str, str] = {}

    def write(self) -> str:
        if fault := find_size_fault(self._root):
            raise self._refuse(fault)
        return self._grammar.add(self._name, self._rule(self._root))

    def _rule(self, schema: Any) -> str:
        """The right side of a rule for `schema`."""
        if schema is True or schema == {}:
            return "value"
        if not isinstance(schema, Mapping):
            raise self._refuse("it is not an object")
        if "$ref" in schema:
            return self._refer(schema["$ref"])
        for key in ("enum", "const"):
            if key in schema:
                values = schema["enum"] if key == "enum" else [schema["const"]]
                if not isinstance(values, list) or not values:
                    raise self._refuse("its 'enum' is no list of values")
                return " | ".join(quote(json.dumps(v, ensure_ascii=False)) for v in values)
        for key in ("anyOf", "oneOf"):
            if key in schema:
                if not isinstance(schema[key], list) or not schema[key]:
                    raise self._refuse(f"its {key!r} is no list of schemas")
                self._check(schema, (key, "type"))
                return " | ".join([self._named(one) for one in schema[key]])
        joined = schema.get("allOf")
        if isinstance(joined, list) and len(joined) == 1:
            return self._rule(joined[0])
        return self._typed(schema)

    def _typed(self, schema: Mapping[str, Any]) -> str:
        kind = schema.get("type", list(_TYPES) if not self._guess(schema) else self._guess(schema))
        if isinstance(kind, list):
            return " | ".join([self._named({**schema, "type": one}) for one in kind])
        if not isinstance(kind, str) or kind not in _KNOWN:
            raise self._refuse(f"its type is {kind!r}")
        self._check(schema, ("type", *_KNOWN[kind]))
        match kind:
            case "object":
                return self._object(schema)
            case "array":
                return self._array(schema)
            case "string":
                return self._string(schema)
            case "integer":
                return self._integer(schema)
            case _:
                return str(kind)

    def _guess(self, schema: Mapping[str, Any]) -> str | None:
        """The type that a schema without one must mean."""
        if "properties" in schema or "additionalProperties" in schema:
            return "object"
        return "array" if "items" in schema else None

    def _object(self, schema: Mapping[str, Any]) -> str:
        properties, names = schema.get("properties") or {}, schema.get("required") or []
        if not properties and not names:
            return self._map(schema.get("additionalProperties", True))
        if not isinstance(properties, Mapping):
            raise self._refuse("its 'properties' is no object")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._refuse("its 'required' is no list of names")
        required = set(names)
        if not required <= properties.keys():
            raise self._refuse("it requires a property that it does not describe")
        pairs = [(self._pair(name, part), name in required) for name, part in properties.items()]
        return '"{" ' + self._rest(pairs, follows=False) + ' "}"'

    def _pair(self, name: str, schema: Any) -> str:
        key = quote(json.dumps(name, ensure_ascii=False) + ": ")
        return f"{key} {self._named(schema)}"

    def _rest(self, pairs: list[tuple[str, bool]], *, follows: bool) -> str:
        """The pairs that may still come, with a comma if something stands before them."""
        if not pairs:
            return '""'
        (pair, required), *others = pairs
        said = (f'", " {pair} ' if follows else f"{pair} ") + self._tail(others, follows=True)
        if required:
            return said
        return f"({said} | {self._tail(others, follows=follows)})"

    def _tail(self, pairs: list[tuple[str, bool]], *, follows: bool) -> str:
        if not pairs:
            return '""'
        return self._add(self._rest(pairs, follows=follows))

    def _map(self, allowed: Any) -> str:
        if allowed is False:
            return '"{}"'
        if allowed is True or allowed == {}:
            return "object"
        pair = f'string ": " {self._named(allowed)}'
        return f'"{{" ({pair} (", " {pair})*)? "}}"'

    def _array(self, schema: Mapping[str, Any]) -> str:
        item = self._named(schema.get("items", True))
        least, most = self._limits(schema, "minItems", "maxItems")
        if most == 0:
            return '"[]"'
        more = f"{{{max(0, least - 1)},{'' if most is None else most - 1}}}"
        items = f'{item} (", " {item}){more}'
        return f'"[" {items} "]"' if least else f'"[" ({items})? "]"'

    def _string(self, schema: Mapping[str, Any]) -> str:
        least, most = self._limits(schema, "minLength", "maxLength")
        if not least and most is None:
            return "string"
        return f'"\\"" char{{{least},{"" if most is None else most}}} "\\""'

    def _limits(self, schema: Mapping[str, Any], least: str, most: str) -> tuple[int, int | None]:
        low, high = schema.get(least) or 0, schema.get(most)
        for key, value in ((least, low), (most, high)):
            if value is not None and (type(value) is not int or not 0 <= value <= MAX_REPEATS):
                raise self._refuse(f"{key!r} is not a number from 0 to {MAX_REPEATS}")
        if high is not None and high < low:
            raise self._refuse(f"{most!r} is less than {least!r}")
        return low, high

    def _integer(self, schema: Mapping[str, Any]) -> str:
        least, most = schema.get("minimum"), schema.get("maximum")
        if least is None and most is None:
            return "integer"
        if type(least) is not int or type(most) is not int or not 0 <= most - least < MAX_RANGE:
            raise self._refuse(f"a range is enforced between limits at most {MAX_RANGE} apart")
        return " | ".join(f'"{number}"' for number in range(least, most + 1))

    def _named(self, schema: Any) -> str:
        """A name for a rule of its own, unless it has one."""
        rule = self._rule(schema)
        return rule if rule in self._grammar.rules else self._add(rule)

    def _add(self, rule: str) -> str:
        self._count += 1
        return self._grammar.add(f"{self._name}-{self._count}", rule)

    def _refer(self, reference: Any) -> str:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise self._refuse("a '$ref' leads out of it")
        if reference not in self._referred:
            self._count += 1
            name = self._referred[reference] = f"{self._name}-{self._count}"
            self._grammar.add(name, '""')  # taken before it is written: it may refer to itself
            self._grammar.rules[name] = self._rule(self._find(reference))
        return self._referred[reference]

    def _find(self, reference: str) -> Any:
        found: Any = self._root
        for part in reference[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or key not in found:
                raise self._refuse(f"'$ref' {reference!r} leads nowhere")
            found = found[key]
        return found

    def _check(self, schema: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in self._lost(schema, known):
            raise self._refuse(f"{key!r} is not, on this model")

    def _lost(self, schema: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[str]:
        for key, value in schema.items():
            if key in known or key in _ANNOTATIONS or key.startswith("x-"):
                continue
            if key in _OF_ONE_TYPE and not ("number" in known and key in _KNOWN["integer"]):
                continue  # it says nothing of this type
            if value is not False and value is not None:
                yield key

    def _refuse(self, reason: str) -> Invalid:
        return Invalid(f"The JSON schema cannot be enforced: {reason}.", path=self._path)
