"""Tool calls, gathered from whatever pieces an upstream makes of them.

OpenAI    id and name in the first piece, arguments in the others, joined by `index`
Mistral   whole calls in one chunk; `index` may be missing, or 0 for each of them
Azure     as Mistral, or as OpenAI, after the model behind it
"""

import json
from dataclasses import dataclass, field

from cupola.engines.upstream.chunk import CallPiece
from cupola.wire.canonical import Call


@dataclass(slots=True)
class _Gathered:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class Calls:
    """The calls of one answer."""

    def __init__(self) -> None:
        self._calls: list[_Gathered] = []
        self._by_index: dict[int | None, _Gathered] = {}

    def add(self, piece: CallPiece) -> None:
        """One more piece."""
        call = self._find(piece)
        function = piece.function
        if function is None:
            return
        if function.name and not call.name:
            call.name = function.name
        if isinstance(function.arguments, dict):
            call.arguments.append(json.dumps(function.arguments, ensure_ascii=False))
        elif function.arguments:
            call.arguments.append(function.arguments)

    def read(self) -> list[Call] | None:
        """The calls in the order they began; None if one has no name, or no object to be called
        with."""
        calls = [Call(one.name, "".join(one.arguments) or "{}") for one in self._calls]
        if not all(call.name and _is_object(call.arguments) for call in calls):
            return None
        return calls

    def _find(self, piece: CallPiece) -> _Gathered:
        """The call that the piece belongs to."""
        call = self._by_index.get(piece.index)
        if call is None or _begins_another(piece, call):
            call = self._by_index[piece.index] = _Gathered()
            self._calls.append(call)
        call.id = call.id or _read_id(piece)
        return call


def _begins_another(piece: CallPiece, call: _Gathered) -> bool:
    """Whether the piece shares a call's index, and yet is not of it."""
    id = _read_id(piece)
    if id and call.id:
        return id != call.id
    named = piece.function is not None and bool(piece.function.name)
    return named and bool(call.name) and _is_object("".join(call.arguments))


def _read_id(piece: CallPiece) -> str:
    return "" if piece.id in (None, "null") else str(piece.id)  # Mistral's word for none


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False
