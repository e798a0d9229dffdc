"""Numbers for Prometheus: how they are kept, and how they are written.

Whoever knows numbers is a `Source`; nothing is registered anywhere else, and nothing is kept of a
source but by itself. Observing stands on every request's way, so a histogram here is a list and a
sum, changed by the event loop only; a client library's, with its look-up of labels and its lock,
takes several times as long (`python -m bench.metrics`).

`render` gives the text piece by piece, so that whoever sends it can let requests go on between.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Final, Protocol, TypeAlias

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_INFINITE: Final = "+Inf"


class Kind(StrEnum):
    """What may be made of a number."""

    COUNTER = "counter"
    """Only grows, from 0 when the process started."""
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric, whatever its labels' values.

    No value of a label is ever what a caller sent: there are as many as there are endpoints,
    deployments and the platform's own words, and no more.
    """

    name: str
    kind: Kind
    meaning: str
    """One line, for people."""
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    """A histogram's, ascending; each belongs to what is below it."""


class Histogram:
    """How often values were in which bucket."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """One value more."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


Value: TypeAlias = float | Histogram
Sample: TypeAlias = tuple[tuple[str, ...], Value]
"""The labels' values, in the family's order, and the number."""
Reading: TypeAlias = tuple[Family, Iterable[Sample]]


class Source(Protocol):
    """Whoever knows numbers."""

    @property
    def families(self) -> Sequence[Family]:
        """All that `read` may ever give."""
        ...

    def read(self) -> Iterable[Reading]:
        """The numbers now, each family once."""
        ...


def render(sources: Iterable[Source]) -> Iterator[str]:
    """Prometheus's text format, in pieces of whole lines, each made when it is asked for."""
    for source in sources:
        for family, samples in source.read():
            yield f"# HELP {family.name} {_escape(family.meaning)}\n"
            yield f"# TYPE {family.name} {family.kind}\n"
            for labels, value in samples:
                yield _write(family, labels, value)


def _write(family: Family, labels: tuple[str, ...], value: Value) -> str:
    pairs = [f'{name}="{_escape(text)}"' for name, text in zip(family.labels, labels, strict=True)]
    if isinstance(value, Histogram):
        return _write_histogram(family, ",".join(pairs), value)
    return f"{family.name}{_brace(','.join(pairs))} {value!r}\n"


def _write_histogram(family: Family, pairs: str, value: Histogram) -> str:
    begin = f'{family.name}_bucket{{{pairs}{"," if pairs else ""}le="'
    sums = list(accumulate(value.counts))
    lines = [f'{begin}{bound!r}"}} {n}\n' for bound, n in zip(family.bounds, sums, strict=False)]
    lines.append(f'{begin}{_INFINITE}"}} {sums[-1]}\n')
    lines.append(f"{family.name}_sum{_brace(pairs)} {value.total!r}\n")
    lines.append(f"{family.name}_count{_brace(pairs)} {sums[-1]}\n")
    return "".join(lines)


def _brace(pairs: str) -> str:
    return f"{{{pairs}}}" if pairs else ""


def _escape(text: str) -> str:
    return text.translate(_ESCAPES) if '"' in text or "\\" in text or "\n" in text else text
