"""Requests as OpenTelemetry's spans, by its conventions for generative AI.

One span for the request, a child of the caller's if it sent a `traceparent`, and one within it for
the engine. They are made when the request has ended, from the times that were noted on its way, so
tracing changes nothing about the way. No prompt and no reply is in them.

An upstream must know the engine's span before there is one: then its ids are chosen beforehand, and
given to it when it is made.
"""

from collections.abc import Mapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cupola.engines.port import Trace
from cupola.gateway.address import Resource
from cupola.gateway.journey import Journey
from cupola.gateway.metrics import CHAT, OPERATIONS
from cupola.gateway.trace import pass_on, read_parent, write_trace
from cupola.kit.clock import Clock
from cupola.telemetry.tracing import SpanIds

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_CARRIED: Final = ("traceparent", "tracestate")
_NANO: Final = 1_000_000_000
_SAMPLED: Final = 1
_RANDOM: Final = 2
"""Flags of a trace: its spans are sent, and its id is random."""
_FIRST_FAULT: Final = 500
"""The lowest status that is a server's fault, and so makes its span an error."""


class RequestSpans:
    """An observer, and what tells upstreams of the spans to come."""

    def __init__(self, tracer: Tracer, clock: Clock) -> None:
        self._tracer = tracer
        self._clock = clock

    def begin(self, journey: Journey) -> Trace | None:
        """The trace of an engine's span that is to be made at the journey's end."""
        tracer = self._tracer
        if not isinstance(tracer, SdkTracer) or not isinstance(tracer.id_generator, SpanIds):
            return pass_on(journey.headers)
        parent = read_parent(journey.headers)
        trace = parent.trace if parent else tracer.id_generator.generate_trace_id()
        span = tracer.id_generator.generate_span_id()
        journey.spans = (trace, span)
        chosen = tracer.sampler.should_sample(_read_parent(journey.headers), trace, "")
        flags = (parent.flags if parent else _RANDOM) & ~_SAMPLED
        if chosen.decision is Decision.RECORD_AND_SAMPLE:
            flags |= _SAMPLED
        return write_trace(trace, span, flags, parent.state if parent else "")

    def observe(self, journey: Journey) -> None:
        """Hand over the spans of a request for a completion; others are of no interest."""
        address = journey.address
        if address is None or address.resource is not Resource.COMPLETION:
            return
        operation = OPERATIONS.get(address.tongue, CHAT)
        epoch = self._clock.now() - self._clock.monotonic()
        model = f" {journey.served.model}" if journey.served else ""
        parent = _read_parent(journey.headers)
        if journey.spans and not get_current_span(parent).get_span_context().is_valid:
            self._choose(trace=journey.spans[0])
        span = self._tracer.start_span(
            f"{operation}{model}",
            context=parent,
            kind=SpanKind.SERVER,
            attributes=_describe(journey, operation),
            start_time=_stamp(epoch, journey.began),
        )
        if span.is_recording():
            if journey.error and (journey.status >= _FIRST_FAULT or journey.status in (0, 200)):
                span.set_status(Status(StatusCode.ERROR, journey.error))
            self._add_engine(journey, operation, set_span_in_context(span), epoch)
        span.end(_stamp(epoch, journey.ended))

    def _add_engine(self, journey: Journey, operation: str, within: Context, epoch: float) -> None:
        if not journey.first or journey.served is None:
            return
        if journey.spans:
            self._choose(span=journey.spans[1])
        engine = self._tracer.start_span(
            f"engine {journey.served.profile.engine}".strip(),
            context=within,
            kind=SpanKind.CLIENT,
            attributes={
                "gen_ai.operation.name": operation,
                "gen_ai.provider.name": "cupola",
                "gen_ai.request.model": journey.served.model,
                "cupola.deployment": journey.served.deployment,
            },
            start_time=_stamp(epoch, journey.asked + journey.queued),
        )
        if journey.stream and journey.reasons:
            engine.add_event("first token", timestamp=_stamp(epoch, journey.first))
        engine.end(_stamp(epoch, journey.answered or journey.ended))

    def _choose(self, *, trace: int = 0, span: int = 0) -> None:
        ids = self._tracer.id_generator if isinstance(self._tracer, SdkTracer) else None
        if isinstance(ids, SpanIds):
            ids.next_trace, ids.next_span = trace, span


def _describe(journey: Journey, operation: str) -> dict[str, str | int | float | bool | list[str]]:
    """What is known; what is not is left out."""
    found: dict[str, str | int | float | bool | list[str]] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "cupola",
        "gen_ai.response.id": journey.id,
        "gen_ai.request.stream": journey.stream,
        "http.request.method": "POST",
        "cupola.queue.duration": journey.queued + journey.held,
    }
    if journey.status:
        found["http.response.status_code"] = journey.status
    if journey.error:
        found["error.type"] = journey.error
    if journey.served is not None:
        served = journey.served
        found |= {
            "gen_ai.request.model": served.model,
            "gen_ai.response.model": served.model,
            "cupola.endpoint": served.endpoint,
            "cupola.deployment": served.deployment,
        }
    if journey.reasons:
        found["gen_ai.response.finish_reasons"] = [*journey.reasons]
    if journey.counted:
        found["gen_ai.usage.input_tokens"] = journey.usage.prompt
    if journey.counted or journey.usage.completion:
        found["gen_ai.usage.output_tokens"] = journey.usage.completion
    if journey.stream and journey.first and not journey.error:
        found["cupola.time_to_first_token"] = journey.first - journey.began
    return found


def _read_parent(headers: Mapping[bytes, bytes]) -> Context:
    """Of the caller's span; an empty one, if it has none or sent nonsense."""
    sent = {
        name: value.decode("latin-1")
        for name in _CARRIED
        if (value := headers.get(name.encode())) is not None
    }
    return _PROPAGATOR.extract(sent, context=Context())


def _stamp(epoch: float, moment: float) -> int:
    return int((epoch + moment) * _NANO)
