"""Control tokens in a caller's text stay plain text.

A chat template is rendered to one string, in which `[/INST]` typed by a user looks like the one the
template wrote. So a string that holds such text gets a stand-in for it before rendering, and the
rendered prompt is cut at the stand-ins: the caller's part comes back as `Verbatim`, which an engine
never reads as a control token.

Not only whole tokens count. A string that *ends* with the beginning of one (`[/IN`) or *begins*
with the end of one (`ST]`) could complete it together with whatever the template puts next to it,
so such ends get stand-ins too.

A stand-in is a number between two U+F0000 (private use). That character in a caller's text is
itself replaced, so nobody can forge one. Requests without such text, nearly all, pay one search per
string.
"""

import re
from collections.abc import Iterable
from typing import Any

from cupola.engines.port import Piece, Verbatim

MARK = "\U000f0000"
_STAND_IN = re.compile(f"{MARK}([0-9]{{1,9}}){MARK}")


class ControlText:
    """The control tokens of one model, ready to be searched for."""

    def __init__(self, tokens: Iterable[str]) -> None:
        known = sorted({token for token in tokens if token}, key=len, reverse=True)
        self._whole = re.compile("|".join(map(re.escape, [*known, MARK])))
        self._beginnings = {token[:n] for token in known for n in range(1, len(token))}
        self._ends = {token[n:] for token in known for n in range(1, len(token))}
        self._last = {text[-1] for text in self._beginnings}
        self._first = {text[0] for text in self._ends}
        self._longest = max(map(len, known), default=0)

    def is_in(self, text: str) -> bool:
        """Whether `text` holds a control token, or a part that could become one."""
        if not text:
            return False
        return (
            self._whole.search(text) is not None
            or (text[-1] in self._last and bool(self._beginning_at_end(text)))
            or (text[0] in self._first and bool(self._end_at_beginning(text)))
        )

    def is_in_any(self, value: Any) -> bool:
        """Whether it is in any string of a JSON value, names included."""
        if type(value) is str:
            return self.is_in(value)
        if type(value) is dict:
            return any(self.is_in(k) or self.is_in_any(v) for k, v in value.items())
        return type(value) is list and any(map(self.is_in_any, value))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where in `text` stand-ins must go, from left to right, not overlapping."""
        found = [match.span() for match in self._whole.finditer(text)]
        tail = self._beginning_at_end(text)
        if tail and (not found or found[-1][1] <= len(text) - tail):
            found.append((len(text) - tail, len(text)))
        head = self._end_at_beginning(text)
        if head and (not found or head <= found[0][0]):
            found.insert(0, (0, head))
        return found

    def _beginning_at_end(self, text: str) -> int:
        """Length of the longest end of `text` that begins a control token."""
        for n in range(min(self._longest, len(text)), 0, -1):
            if text[-n:] in self._beginnings:
                return n
        return 0

    def _end_at_beginning(self, text: str) -> int:
        """Length of the longest beginning of `text` that ends a control token."""
        for n in range(min(self._longest, len(text)), 0, -1):
            if text[:n] in self._ends:
                return n
        return 0


class StandIns:
    """The stand-ins of one request: made before rendering, resolved after."""

    def __init__(self, control: ControlText) -> None:
        self._control = control
        self._texts: list[str] = []

    def protect(self, value: Any) -> Any:
        """`value`, with a stand-in for each dangerous stretch of each string in it."""
        if type(value) is str:
            return self._protect_text(value)
        if type(value) is dict:
            return {self._protect_text(k): self.protect(v) for k, v in value.items()}
        if type(value) is list:
            return [self.protect(item) for item in value]
        return value

    def end_mark(self) -> str:
        """A stand-in for nothing, to find a place again in the rendered prompt."""
        return self._stand_in("")

    def resolve(self, prompt: str, end_mark: str = "") -> tuple[Piece, ...]:
        """The rendered prompt in pieces, up to `end_mark` if there is one."""
        if end_mark:
            prompt = prompt[: prompt.rindex(end_mark)]
        pieces: list[Piece] = []
        for i, part in enumerate(_STAND_IN.split(prompt)):
            if i % 2:
                # A template that cuts strings may have glued the halves of two stand-ins.
                pieces.append(Verbatim("".join(self._texts[int(part) :][:1])))
            elif part:
                pieces.append(part)
        return tuple(pieces) or ("",)

    def _protect_text(self, text: str) -> str:
        if not self._control.is_in(text):
            return text
        parts, done = [], 0
        for start, end in self._control.spans(text):
            parts += [text[done:start], self._stand_in(text[start:end])]
            done = end
        return "".join([*parts, text[done:]])

    def _stand_in(self, text: str) -> str:
        self._texts.append(text)
        return f"{MARK}{len(self._texts) - 1}{MARK}"
