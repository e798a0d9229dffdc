"""Records of the ledger, and what they cost.

    open                 settle                     what the ledger keeps
    `Opened`             `Ended`                    `UsageRecord`: one a request, for ever the same
    `Opened`             never: the server died     `UsageRecord`, `INTERRUPTED`, with what is known

A record holds no text of a prompt or a reply. It holds the version of the price that it was
reckoned with, so a new price changes nothing that was.

The structures are written to journals that a later version may have to read: fields are only added,
with defaults.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from msgspec import Struct

INTERRUPTED: Final = "interrupted"
"""The `finish` of a request whose end nobody saw."""
HOUR: Final = 3600
DAY: Final = 24 * HOUR


class Meter(StrEnum):
    """What is counted, named as bills of the service whose clients we serve name it."""

    INPUT_TOKENS = "paygo-inference-input-tokens"
    OUTPUT_TOKENS = "paygo-inference-output-tokens"
    CORE_HOURS = "core-hours"
    """Of the instances of managed deployments."""


class Opened(Struct, frozen=True, gc=False):
    """A request that was admitted: what is known of it then."""

    request: str
    """Its id, given once in all time."""
    time: float
    """When it was admitted, in seconds since the Unix epoch."""
    project: str
    endpoint: str
    deployment: str
    kind: str
    """The endpoint's: `serverless`, `managed` or `upstream`."""
    key: str
    """The key's id; `primary` and `secondary` are the endpoint's own."""
    model: str
    dialect: str
    currency: str = ""
    """Of the prices; empty: it has none."""
    price_version: int = 0
    """0: it has none."""
    price_input: int = 0
    """Nano-units of 1,000 tokens; the same for `price_output`."""
    price_output: int = 0


class Ended(Struct, frozen=True, gc=False):
    """How a request ended, and what it used."""

    prompt: int
    """Tokens."""
    completion: int
    finish: str
    """The reason that its last answer gave, or what cut it off."""
    status: int
    """Of the reply; 0: none was sent."""
    cached: int = 0
    """Of `prompt`: tokens that the engine had read before."""
    counted: bool = True
    """Whether the engine counted; else it is what had arrived."""
    queue: float | None = None
    """Seconds until an engine had it; None where it is not known, as in the next two."""
    first_token: float | None = None
    """Seconds until the first token came."""
    total: float | None = None
    """Seconds until the end."""
    replica: str = ""


class UsageRecord(Struct, frozen=True, gc=False):
    """One request in the ledger. The fields are those of `Opened` and `Ended`."""

    request: str
    time: float
    project: str
    endpoint: str
    deployment: str
    kind: str
    key: str
    model: str
    dialect: str
    prompt: int
    cached: int
    completion: int
    counted: bool
    finish: str
    status: int
    queue: float | None
    first_token: float | None
    total: float | None
    replica: str
    currency: str
    price_version: int
    cost: int
    """Nano-units."""


def close_request(opened: Opened, ended: Ended) -> UsageRecord:
    """The record of a request that has ended."""
    return UsageRecord(
        opened.request,
        opened.time,
        opened.project,
        opened.endpoint,
        opened.deployment,
        opened.kind,
        opened.key,
        opened.model,
        opened.dialect,
        ended.prompt,
        ended.cached,
        ended.completion,
        ended.counted,
        ended.finish,
        ended.status,
        ended.queue,
        ended.first_token,
        ended.total,
        ended.replica,
        opened.currency,
        opened.price_version,
        reckon(opened, ended.prompt, ended.completion),
    )


def reckon(opened: Opened, prompt: int, completion: int) -> int:
    """The cost in nano-units, rounded once, a half up."""
    return (opened.price_input * prompt + opened.price_output * completion + 500) // 1000


class PriceKind(StrEnum):
    """What has a price."""

    MODEL = "model"
    INSTANCE_TYPE = "instance_type"


@dataclass(frozen=True, slots=True)
class Price:
    """What a model's tokens, or an hour of an instance type, cost from some moment on."""

    of: PriceKind
    name: str
    currency: str
    valid_from: int
    """Seconds since the Unix epoch."""
    input: int = 0
    """Nano-units of 1,000 tokens of prompts; of a model."""
    output: int = 0
    """The same of completions."""
    hour: int = 0
    """Nano-units of an hour of one instance; of an instance type."""
    version: int = 0
    """Given by the store, unique among all prices; 0: not kept yet."""


class PriceBook:
    """All prices there are and were, to look up. It never changes: a new price makes a new book."""

    def __init__(self, prices: Iterable[Price] = ()) -> None:
        self._lists: dict[tuple[PriceKind, str], list[Price]] = {}
        for price in sorted(prices, key=lambda each: (each.valid_from, each.version)):
            self._lists.setdefault((price.of, price.name), []).append(price)

    def find(self, of: PriceKind, name: str, at: float) -> Price | None:
        """The price that holds at `at`: the one valid latest, of these the newest."""
        known = self._lists.get((of, name), ())
        place = bisect_right(known, at, key=lambda each: each.valid_from)
        return known[place - 1] if place else None

    def pieces(self, name: str, start: float, end: float) -> Iterator[tuple[Price, float]]:
        """The prices of an instance type between two moments, each with its seconds."""
        known = self._lists.get((PriceKind.INSTANCE_TYPE, name), [])
        ends = [price.valid_from for price in known[1:]]
        for price, until in zip(known, [*ends, end], strict=False):
            seconds = min(end, until) - max(start, price.valid_from)
            if seconds > 0:
                yield price, seconds

    def current(self, at: float) -> Mapping[tuple[PriceKind, str], Price]:
        """What each thing costs at `at`; those without a price by then are left out."""
        found = {key: self.find(*key, at) for key in self._lists}
        return {key: price for key, price in found.items() if price is not None}
