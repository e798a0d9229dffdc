"""YAML with a place for every fault: line numbers, no key twice, nothing that grows when read."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cupola.kit.errors import Malformed, Several

T = TypeVar("T", bound=BaseModel)
Path: TypeAlias = tuple[str | int, ...]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 32
"""Levels; a platform document has eight."""
_MOST_FAULTS = 20
_STRANGE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Controls, and halves of characters, which escapes can write and nothing can keep."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a text says, and on which line it says it."""

    value: Any
    lines: Mapping[Path, int]

    def line_of(self, path: Path) -> int:
        """The line of what `path` names, or of what should hold it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_document(text: bytes, into: type[T]) -> T:
    """A text, checked as a whole.

    Raises:
        Malformed, Several: All faults, each with its line and path.
    """
    document = parse(text)
    try:
        return into.model_validate(document.value)
    except ValidationError as error:
        raise _describe(error, document) from None


def parse(text: bytes) -> Document:
    """A text as plain values.

    Raises:
        Malformed: It is no YAML, or YAML that is not taken here.
    """
    try:
        source = text.decode()
        _check_events(source)
        root = yaml.compose(source, Loader=_Loader)
        lines = dict(_locate(root, ())) if root else {}
        return Document(yaml.load(source, Loader=_Loader), lines)
    except UnicodeDecodeError:
        raise Malformed("The document is not UTF-8. Save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Malformed(f"Line {line}: this is no YAML: {error.problem}.") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # as of 2026-99-99
        said = str(error).splitlines()[0]
        raise Malformed(f"The document cannot be read as YAML: {said}.") from None


def _check_events(source: str) -> None:
    """Before anything is built: an alias could make a small text large, depth exhaust the stack."""
    depth = documents = 0
    for event in yaml.parse(source, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise Malformed(f"Line {line}: aliases (*{event.anchor}) are not taken; write it out.")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
            raise Malformed(f"Line {line}: tags ({event.tag}) are not taken; write plain values.")
        if isinstance(event, yaml.ScalarEvent) and _STRANGE.search(event.value):
            raise Malformed(f"Line {line}: it has a character that is no text.")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > _DEEPEST:
            raise Malformed(f"Line {line}: nested more than {_DEEPEST} levels deep.")
        if documents > 1:
            raise Malformed(f"Line {line}: a second document begins; give one at a time.")


def _locate(node: Node, path: Path) -> Iterator[tuple[Path, int]]:
    """Each path with its line."""
    yield path, node.start_mark.line + 1
    if isinstance(node, SequenceNode):
        for index, each in enumerate(node.value):
            yield from _locate(each, (*path, index))
    if isinstance(node, MappingNode):
        first: dict[str, int] = {}
        for key, each in node.value:
            name, line = _read_key(key), key.start_mark.line + 1
            if name in first:
                raise Malformed(
                    f"Line {line}: {_spell((*path, name))} stands on line {first[name]} already.",
                    path=(*path, name),
                )
            first[name] = line
            yield (*path, name), line
            yield from ((at, on) for at, on in _locate(each, (*path, name)) if at != (*path, name))


def _read_key(key: Node) -> str:
    if isinstance(key, ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
        return str(key.value)
    line = key.start_mark.line + 1
    raise Malformed(f"Line {line}: a key is plain text here.")


def _describe(error: ValidationError, document: Document) -> Malformed:
    faults = [
        _locate_fault(str(fault["type"]), fault["msg"], _drop_marks(fault["loc"]), document)
        for fault in error.errors(include_url=False, include_context=False)
    ]
    return faults[0] if len(faults) == 1 else Several(faults[:_MOST_FAULTS])


def _locate_fault(code: str, message: str, path: Path, document: Document) -> Malformed:
    """The value is not repeated: it may be a secret that does not belong here."""
    said = message.removeprefix("Value error, ").replace(
        "Extra inputs are not permitted", "there is no such field"
    )
    return Malformed(
        f"Line {document.line_of(path)}, {_spell(path)}: {said}.", code=code, path=path
    )


def _drop_marks(path: Sequence[str | int]) -> Path:
    """Without pydantic's note that a fault is in a mapping's key."""
    return tuple(part for part in path if part != "[key]")


def _spell(path: Path) -> str:
    return ".".join(map(str, path)) or "the document"
