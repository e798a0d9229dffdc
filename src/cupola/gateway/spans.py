"""Requests as OpenTelemetry's spans, by its conventions for generative AI.

One span for the request, a child of the caller's if it sent a `traceparent`, and one within it for
the engine. They are made when the request has ended, from the times that were noted on its way, so
tracing changes nothing about the way. No prompt and no reply is in them.
"""

from collections.abc import Mapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cupola.gateway.address import Resource
from cupola.gateway.metrics import CHAT, OPERATIONS
from cupola.gateway.passage import Passage
from cupola.kit.clock import Clock

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_CARRIED: Final = ("traceparent", "tracestate")
_NANO: Final = 1_000_000_000
_FIRST_FAULT: Final = 500
"""The lowest status that is a server's fault, and so makes its span an error."""


class RequestSpans:
    """An observer."""

    def __init__(self, tracer: Tracer, clock: Clock) -> None:
        self._tracer = tracer
        self._clock = clock

    def observe(self, passage: Passage) -> None:
        """Hand over the spans of a request for a completion; others are of no interest."""
        address = passage.address
        if address is None or address.resource is not Resource.COMPLETION:
            return
        operation = OPERATIONS.get(address.tongue, CHAT)
        epoch = self._clock.now() - self._clock.monotonic()
        model = f" {passage.served.model}" if passage.served else ""
        span = self._tracer.start_span(
            f"{operation}{model}",
            context=_read_parent(passage.headers),
            kind=SpanKind.SERVER,
            attributes=_describe(passage, operation),
            start_time=_stamp(epoch, passage.began),
        )
        if span.is_recording():
            if passage.error and (passage.status >= _FIRST_FAULT or passage.status in (0, 200)):
                span.set_status(Status(StatusCode.ERROR, passage.error))
            self._add_engine(passage, operation, set_span_in_context(span), epoch)
        span.end(_stamp(epoch, passage.ended))

    def _add_engine(self, passage: Passage, operation: str, within: Context, epoch: float) -> None:
        if not passage.first or passage.served is None:
            return
        engine = self._tracer.start_span(
            f"engine {passage.served.profile.engine}".strip(),
            context=within,
            kind=SpanKind.CLIENT,
            attributes={
                "gen_ai.operation.name": operation,
                "gen_ai.provider.name": "cupola",
                "gen_ai.request.model": passage.served.model,
                "cupola.deployment": passage.served.deployment,
            },
            start_time=_stamp(epoch, passage.asked + passage.queued),
        )
        if passage.stream and passage.reasons:
            engine.add_event("first token", timestamp=_stamp(epoch, passage.first))
        engine.end(_stamp(epoch, passage.answered or passage.ended))


def _describe(passage: Passage, operation: str) -> dict[str, str | int | float | bool | list[str]]:
    """What is known; what is not is left out."""
    found: dict[str, str | int | float | bool | list[str]] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "cupola",
        "gen_ai.response.id": passage.id,
        "gen_ai.request.stream": passage.stream,
        "http.request.method": "POST",
        "cupola.queue.duration": passage.queued,
    }
    if passage.status:
        found["http.response.status_code"] = passage.status
    if passage.error:
        found["error.type"] = passage.error
    if passage.served is not None:
        served = passage.served
        found |= {
            "gen_ai.request.model": served.model,
            "gen_ai.response.model": served.model,
            "cupola.endpoint": served.endpoint,
            "cupola.deployment": served.deployment,
        }
    if passage.reasons:
        found["gen_ai.response.finish_reasons"] = [*passage.reasons]
    if passage.counted:
        found["gen_ai.usage.input_tokens"] = passage.usage.prompt
    if passage.counted or passage.usage.completion:
        found["gen_ai.usage.output_tokens"] = passage.usage.completion
    if passage.stream and passage.first and not passage.error:
        found["cupola.time_to_first_token"] = passage.first - passage.began
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
