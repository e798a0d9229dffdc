"""What is counted of requests.

Names follow OpenTelemetry's conventions for generative AI where these have one, as Prometheus
spells them; ours begin with `cupola_`. Labels are the platform's own words: an endpoint is named
only if the caller proved to know it, and a model by what the deployment serves, not by what the
body said. Endpoints that are gone are forgotten, so memory is bounded by what is there.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from typing import Final, TypeAlias

from cupola.gateway.address import Address, Resource, Tongue
from cupola.gateway.journey import Journey
from cupola.ids import EndpointName
from cupola.telemetry.metrics import Family, Histogram, Kind, Reading, Sample

OPERATIONS: Final = {
    Tongue.TEXT_AZURE: "text_completion",
    Tongue.TEXT_OPEN: "text_completion",
    Tongue.FILL: "text_completion",
}
"""As the conventions name them; of all other tongues `CHAT`."""
CHAT: Final = "chat"
_PLACE: Final = (
    "gen_ai_operation_name",
    "gen_ai_request_model",
    "cupola_endpoint",
    "cupola_deployment",
)
_SECONDS: Final = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
_FIRST_TOKEN: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
_PER_TOKEN: Final = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
)  # fmt: skip
_TOKENS: Final = tuple(4.0**power for power in range(14))
_OURS: Final = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_WAITING: Final = (0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

REQUESTS: Final = Family(
    "cupola_requests_total",
    Kind.COUNTER,
    "Requests that ended, by what they asked for and how it ended.",
    ("resource", "dialect", *_PLACE, "status", "error_type"),
)
DURATION: Final = Family(
    "gen_ai_server_request_duration_seconds",
    Kind.HISTOGRAM,
    "From a request's arrival to the last byte of its reply.",
    (*_PLACE, "error_type"),
    _SECONDS,
)
TO_FIRST_TOKEN: Final = Family(
    "gen_ai_server_time_to_first_token_seconds",
    Kind.HISTOGRAM,
    "From a streamed request's arrival to its first token, of those that succeeded.",
    _PLACE,
    _FIRST_TOKEN,
)
PER_TOKEN: Final = Family(
    "gen_ai_server_time_per_output_token_seconds",
    Kind.HISTOGRAM,
    "Mean time per token after the first, of streamed requests that succeeded.",
    _PLACE,
    _PER_TOKEN,
)
TOKENS: Final = Family(
    "gen_ai_client_token_usage",
    Kind.HISTOGRAM,
    "Tokens of a request's prompt (input) and of its reply (output).",
    (*_PLACE, "gen_ai_token_type"),
    _TOKENS,
)
QUEUE: Final = Family(
    "cupola_request_queue_seconds",
    Kind.HISTOGRAM,
    "Time in which a request waited before an engine could begin.",
    _PLACE,
    _WAITING,
)
ENGINE: Final = Family(
    "cupola_request_engine_seconds",
    Kind.HISTOGRAM,
    "Time that the engine took, to its last token.",
    _PLACE,
    _SECONDS,
)
GATEWAY: Final = Family(
    "cupola_request_gateway_seconds",
    Kind.HISTOGRAM,
    "Time that was neither the engine's nor waiting.",
    _PLACE,
    _OURS,
)
_TIMES: Final = (TO_FIRST_TOKEN, PER_TOKEN, QUEUE, ENGINE, GATEWAY)
FAMILIES: Final = (REQUESTS, DURATION, *_TIMES, TOKENS)
_NOWHERE: Final = ("", "", "")
_SWEEP: Final = 256
"""Series beyond those that the last sweep left which bring on the next."""
_Key: TypeAlias = tuple[str, str, str, int, int]
_HALVES: Final = ("input", "output")


class RequestMetrics:
    """An observer of requests, and a source of numbers.

    Args:
        find_endpoints: Those that there are now.
    """

    families: Sequence[Family] = FAMILIES

    def __init__(self, find_endpoints: Callable[[], Container[EndpointName]]) -> None:
        self._find_endpoints = find_endpoints
        self._series: dict[_Key, _Series] = {}
        self._sweep_at = _SWEEP

    def observe(self, journey: Journey) -> None:
        """Count one request."""
        served, address = journey.served, journey.address
        place = (served.endpoint, served.deployment, served.model) if served else _NOWHERE
        # Members of an enumeration are there for ever; their own hash is a call of Python code.
        what = (id(address.resource), id(address.tongue)) if address else (0, 0)
        series = self._series.get((*place, *what)) or self._add(journey, place, what)
        series.count(journey)

    def read(self) -> Iterator[Reading]:
        """All that was counted of endpoints that are there."""
        self._sweep()
        series = [*self._series.values()]
        yield REQUESTS, (sample for each in series for sample in each.list_requests())
        answers = [each for each in series if each.durations]
        yield DURATION, (sample for each in answers for sample in each.list_durations())
        for i, family in enumerate(_TIMES):
            yield family, _pick(answers, i)
        yield TOKENS, (sample for each in answers for sample in each.list_tokens())

    def _add(
        self, journey: Journey, place: tuple[str, str, str], what: tuple[int, int]
    ) -> "_Series":
        if len(self._series) >= self._sweep_at:
            self._sweep()
        made = self._series[(*place, *what)] = _Series(journey.address, place)
        return made

    def _sweep(self) -> None:
        """Forget the endpoints that are gone: also if nobody ever reads."""
        there = self._find_endpoints()
        for key in [key for key in self._series if key[0] and EndpointName(key[0]) not in there]:
            del self._series[key]
        self._sweep_at = len(self._series) + _SWEEP


class _Series:
    """What was counted of one kind of request to one deployment."""

    __slots__ = ("durations", "is_answer", "labels", "requests", "resource", "times", "tokens")

    def __init__(self, address: Address | None, place: tuple[str, str, str]) -> None:
        endpoint, deployment, model = place
        self.is_answer = address is not None and address.resource is Resource.COMPLETION
        operation = OPERATIONS.get(address.tongue, CHAT) if address and self.is_answer else ""
        self.resource = (
            address.resource.name.lower() if address else "",
            address.tongue.name.lower() if address else "",
        )
        self.labels = (operation, model, endpoint, deployment)
        self.requests: dict[tuple[int, str], int] = {}
        self.durations: dict[str, Histogram] = {}
        self.times = [Histogram(family.bounds) for family in _TIMES] if self.is_answer else []
        self.tokens = [Histogram(_TOKENS) for _ in _HALVES] if self.is_answer else []

    def count(self, journey: Journey) -> None:
        """One request more."""
        outcome = (journey.status, journey.error)
        self.requests[outcome] = self.requests.get(outcome, 0) + 1
        if not self.is_answer:
            return
        duration = self.durations.get(journey.error)
        if duration is None:
            duration = self.durations[journey.error] = Histogram(_SECONDS)
        duration.observe(journey.ended - journey.began)
        if journey.asked:
            self._count_answer(journey)

    def _count_answer(self, journey: Journey) -> None:
        """What is known of one that came as far as an engine, or to waiting for one."""
        to_first, per_token, queue, engine, gateway = self.times
        spent, waited = journey.engine, journey.queued + journey.held
        queue.observe(waited)
        engine.observe(spent)
        gateway.observe(max(0.0, journey.ended - journey.began - spent - waited))
        usage = journey.usage
        if journey.counted:
            self.tokens[0].observe(usage.prompt)
        if journey.counted or usage.completion:
            self.tokens[1].observe(usage.completion)
        if journey.stream and journey.first and not journey.error:
            to_first.observe(journey.first - journey.began)
            if usage.completion > 1:
                per_token.observe((journey.answered - journey.first) / (usage.completion - 1))

    def list_requests(self) -> Iterator[Sample]:
        """Of `REQUESTS`."""
        for (status, error), number in [*self.requests.items()]:
            yield (*self.resource, *self.labels, str(status or ""), error), number

    def list_durations(self) -> Iterator[Sample]:
        """Of `DURATION`."""
        for error, histogram in [*self.durations.items()]:
            yield (*self.labels, error), histogram

    def list_tokens(self) -> Iterator[Sample]:
        """Of `TOKENS`."""
        for half, histogram in zip(_HALVES, self.tokens, strict=True):
            yield (*self.labels, half), histogram


def _pick(series: Sequence[_Series], i: int) -> Iterator[Sample]:
    for each in series:
        if any(each.times[i].counts):
            yield each.labels, each.times[i]
