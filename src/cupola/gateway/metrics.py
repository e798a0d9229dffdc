"""What is counted of requests.

Names follow OpenTelemetry's conventions for generative AI where these have one, as Prometheus
spells them; ours begin with `cupola_`. Labels are the platform's own words: an endpoint is named
only if the caller proved to know it, and a model by what the deployment serves, not by what the
body said. Endpoints that are gone are forgotten, so memory is bounded by what is there.

A histogram is a hundred times the text of a counter, and there may be a thousand endpoints, but
seldom more than a few models: so histograms are of operations and models, and of an endpoint's
deployments there are counters alone, from which averages follow.
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
_WHAT: Final = ("gen_ai_operation_name", "gen_ai_request_model")
_WHERE: Final = ("gen_ai_request_model", "cupola_endpoint", "cupola_deployment")
_SECONDS: Final = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
_FIRST_TOKEN: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
_PER_TOKEN: Final = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
)  # fmt: skip
_TOKENS: Final = tuple(4.0**power for power in range(11))
_OURS: Final = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_WAITING: Final = (0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

REQUESTS: Final = Family(
    "cupola_requests_total",
    Kind.COUNTER,
    "Requests that ended, by what they asked for and how it ended.",
    ("resource", "dialect", _WHAT[0], *_WHERE, "status", "error_type"),
)
DURATION: Final = Family(
    "gen_ai_server_request_duration_seconds",
    Kind.HISTOGRAM,
    "From a request's arrival to the last byte of its reply.",
    (*_WHAT, "error_type"),
    _SECONDS,
)
TO_FIRST_TOKEN: Final = Family(
    "gen_ai_server_time_to_first_token_seconds",
    Kind.HISTOGRAM,
    "From a streamed request's arrival to its first token, of those that succeeded.",
    _WHAT,
    _FIRST_TOKEN,
)
PER_TOKEN: Final = Family(
    "gen_ai_server_time_per_output_token_seconds",
    Kind.HISTOGRAM,
    "Mean time per token after the first, of streamed requests that succeeded.",
    _WHAT,
    _PER_TOKEN,
)
TOKENS: Final = Family(
    "gen_ai_client_token_usage",
    Kind.HISTOGRAM,
    "Tokens of a request's prompt (input) and of its reply (output).",
    (*_WHAT, "gen_ai_token_type"),
    _TOKENS,
)
QUEUE: Final = Family(
    "cupola_request_queue_seconds",
    Kind.HISTOGRAM,
    "Time in which a request waited before an engine could begin.",
    _WHAT,
    _WAITING,
)
ENGINE: Final = Family(
    "cupola_request_engine_seconds",
    Kind.HISTOGRAM,
    "Time that the engine took, to its last token.",
    _WHAT,
    _SECONDS,
)
GATEWAY: Final = Family(
    "cupola_request_gateway_seconds",
    Kind.HISTOGRAM,
    "Time that was neither the engine's nor waiting.",
    _WHAT,
    _OURS,
)
ENDPOINT_SECONDS: Final = Family(
    "cupola_endpoint_seconds_total",
    Kind.COUNTER,
    "Where the time of an endpoint's completions went: waiting, engine or gateway.",
    (*_WHERE, "part"),
)
ENDPOINT_TOKENS: Final = Family(
    "cupola_endpoint_tokens_total",
    Kind.COUNTER,
    "Tokens of the prompts (input) and of the replies (output) of an endpoint's completions.",
    (*_WHERE, "gen_ai_token_type"),
)
ENDPOINT_STREAMS: Final = Family(
    "cupola_endpoint_streams_total",
    Kind.COUNTER,
    "An endpoint's streamed completions that succeeded.",
    _WHERE,
)
ENDPOINT_FIRST_TOKEN: Final = Family(
    "cupola_endpoint_first_token_seconds_total",
    Kind.COUNTER,
    "The time in which these had no token yet.",
    _WHERE,
)
_TIMES: Final = (TO_FIRST_TOKEN, PER_TOKEN, QUEUE, ENGINE, GATEWAY)
FAMILIES: Final = (
    REQUESTS,
    ENDPOINT_SECONDS,
    ENDPOINT_TOKENS,
    ENDPOINT_STREAMS,
    ENDPOINT_FIRST_TOKEN,
    DURATION,
    *_TIMES,
    TOKENS,
)
_NOWHERE: Final = ("", "", "")
_SWEEP: Final = 256
"""Series beyond those that the last sweep left which bring on the next."""
_Place: TypeAlias = tuple[str, str, str]
"""Model, endpoint and deployment."""
_Key: TypeAlias = tuple[str, str, str, int, int]
_HALVES: Final = ("input", "output")
_PARTS: Final = ("queue", "engine", "gateway")


class RequestMetrics:
    """An observer of requests, and a source of numbers.

    Args:
        find_endpoints: Those that there are now.
    """

    families: Sequence[Family] = FAMILIES

    def __init__(self, find_endpoints: Callable[[], Container[EndpointName]]) -> None:
        self._find_endpoints = find_endpoints
        self._series: dict[_Key, _Series] = {}
        self._endpoints: dict[_Place, _Endpoint] = {}
        self._answers: dict[tuple[str, str], _Answers] = {}
        self._sweep_at = _SWEEP

    def observe(self, journey: Journey) -> None:
        """Count one request."""
        served, address = journey.served, journey.address
        place = (served.model, served.endpoint, served.deployment) if served else _NOWHERE
        # Members of an enumeration are there for ever; their own hash is a call of Python code.
        what = (id(address.resource), id(address.tongue)) if address else (0, 0)
        series = self._series.get((*place, *what)) or self._add(journey, place, what)
        series.count(journey)

    def read(self) -> Iterator[Reading]:
        """All that was counted of endpoints that are there."""
        self._sweep()
        series = [*self._series.values()]
        yield REQUESTS, (sample for each in series for sample in each.list_requests())
        endpoints = [*self._endpoints.items()]
        yield ENDPOINT_SECONDS, _list_parts(endpoints)
        yield ENDPOINT_TOKENS, _list_halves(endpoints)
        streamed = [each for each in endpoints if each[1].streams]
        yield ENDPOINT_STREAMS, ((place, each.streams) for place, each in streamed)
        yield ENDPOINT_FIRST_TOKEN, ((place, each.to_first) for place, each in streamed)
        answers = [*self._answers.items()]
        yield DURATION, (sample for what, each in answers for sample in each.list_durations(what))
        for i, family in enumerate(_TIMES):
            yield family, _pick(answers, i)
        yield TOKENS, (sample for what, each in answers for sample in each.list_tokens(what))

    def _add(self, journey: Journey, place: _Place, what: tuple[int, int]) -> "_Series":
        if len(self._series) >= self._sweep_at:
            self._sweep()
        address = journey.address
        if address is None or address.resource is not Resource.COMPLETION:
            made = _Series(address, "", place)
        else:
            operation = OPERATIONS.get(address.tongue, CHAT)
            made = _Series(
                address,
                operation,
                place,
                self._answers.setdefault((operation, place[0]), _Answers()),
                self._endpoints.setdefault(place, _Endpoint()) if journey.served else None,
            )
        self._series[(*place, *what)] = made
        return made

    def _sweep(self) -> None:
        """Forget the endpoints that are gone, and models that nobody has any more: also if nobody
        ever reads."""
        there = self._find_endpoints()
        for key in [key for key in self._series if key[1] and EndpointName(key[1]) not in there]:
            del self._series[key]
        for place in [each for each in self._endpoints if EndpointName(each[1]) not in there]:
            del self._endpoints[place]
        models = {key[0] for key in self._series}
        for what in [each for each in self._answers if each[1] not in models]:
            del self._answers[what]
        self._sweep_at = len(self._series) + _SWEEP


class _Answers:
    """How completions of one kind, by one model, were distributed."""

    __slots__ = ("durations", "times", "tokens")

    def __init__(self) -> None:
        self.durations: dict[str, Histogram] = {}
        self.times = [Histogram(family.bounds) for family in _TIMES]
        self.tokens = [Histogram(_TOKENS) for _ in _HALVES]

    def list_durations(self, what: tuple[str, str]) -> Iterator[Sample]:
        """Of `DURATION`."""
        for error, histogram in [*self.durations.items()]:
            yield (*what, error), histogram

    def list_tokens(self, what: tuple[str, str]) -> Iterator[Sample]:
        """Of `TOKENS`."""
        for half, histogram in zip(_HALVES, self.tokens, strict=True):
            yield (*what, half), histogram


class _Endpoint:
    """What completions of one deployment came to."""

    __slots__ = ("seconds", "streams", "to_first", "tokens")

    def __init__(self) -> None:
        self.seconds = [0.0, 0.0, 0.0]
        """Of `_PARTS`."""
        self.tokens = [0, 0]
        """Of `_HALVES`."""
        self.streams = 0
        self.to_first = 0.0


class _Series:
    """What was counted of one kind of request to one deployment."""

    __slots__ = ("_answers", "_endpoint", "_labels", "_requests")

    def __init__(
        self,
        address: Address | None,
        operation: str,
        place: _Place,
        answers: _Answers | None = None,
        endpoint: _Endpoint | None = None,
    ) -> None:
        resource = address.resource.name.lower() if address else ""
        tongue = address.tongue.name.lower() if address else ""
        self._labels = (resource, tongue, operation, *place)
        self._requests: dict[tuple[int, str], int] = {}
        self._answers = answers
        self._endpoint = endpoint

    def count(self, journey: Journey) -> None:
        """One request more."""
        outcome = (journey.status, journey.error)
        self._requests[outcome] = self._requests.get(outcome, 0) + 1
        answers = self._answers
        if answers is None:
            return
        whole = journey.ended - journey.began
        duration = answers.durations.get(journey.error)
        if duration is None:
            duration = answers.durations[journey.error] = Histogram(_SECONDS)
        duration.observe(whole)
        spent, waited = journey.engine, journey.queued + journey.held
        ours = max(0.0, whole - spent - waited)
        if self._endpoint is not None:
            seconds = self._endpoint.seconds
            seconds[0] += waited
            seconds[1] += spent
            seconds[2] += ours
        if journey.asked:
            queue, engine, gateway = answers.times[2:]
            queue.observe(waited)
            engine.observe(spent)
            gateway.observe(ours)
            self._count_tokens(journey, answers)

    def _count_tokens(self, journey: Journey, answers: _Answers) -> None:
        """Of one that came as far as an engine, or to waiting for one."""
        usage, endpoint = journey.usage, self._endpoint
        if journey.counted:
            answers.tokens[0].observe(usage.prompt)
        if journey.counted or usage.completion:
            answers.tokens[1].observe(usage.completion)
        if endpoint is not None:
            endpoint.tokens[0] += usage.prompt if journey.counted else 0
            endpoint.tokens[1] += usage.completion
        if journey.stream and journey.first and not journey.error:
            to_first = journey.first - journey.began
            answers.times[0].observe(to_first)
            if endpoint is not None:
                endpoint.streams += 1
                endpoint.to_first += to_first
            if usage.completion > 1:
                spoke = journey.answered - journey.first
                answers.times[1].observe(spoke / (usage.completion - 1))

    def list_requests(self) -> Iterator[Sample]:
        """Of `REQUESTS`."""
        for (status, error), number in [*self._requests.items()]:
            yield (*self._labels, str(status or ""), error), number


def _list_parts(endpoints: Sequence[tuple[_Place, _Endpoint]]) -> Iterator[Sample]:
    for place, each in endpoints:
        for part, seconds in zip(_PARTS, each.seconds, strict=True):
            yield (*place, part), seconds


def _list_halves(endpoints: Sequence[tuple[_Place, _Endpoint]]) -> Iterator[Sample]:
    for place, each in endpoints:
        for half, tokens in zip(_HALVES, each.tokens, strict=True):
            yield (*place, half), tokens


def _pick(answers: Sequence[tuple[tuple[str, str], _Answers]], i: int) -> Iterator[Sample]:
    for what, each in answers:
        if any(each.times[i].counts):
            yield what, each.times[i]
