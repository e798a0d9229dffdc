"""A gateway in miniature: one endpoint, a replica that says what a test tells it to, no sockets."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from cupola.engines.port import CAPABILITIES, Generation, Profile, Replica, ReplicaState
from cupola.gateway.app import Gateway
from cupola.gateway.chat import Tracing
from cupola.gateway.compatibility import SERVICE, Compatibility
from cupola.gateway.directory import Caller as Grant
from cupola.gateway.directory import Directory, Served, Snapshot, serve_alone
from cupola.gateway.journey import Observer
from cupola.gateway.limits import Limits
from cupola.gateway.memory import MemoryObserver
from cupola.http.asgi import EXTENSION
from cupola.ids import DeploymentName, EndpointName, ModelName
from cupola.kit.clock import Clock, FakeClock
from cupola.wire.canonical import Delta, Event, Finish, Usage

KEY = "K" * 32
OTHER_KEY = "L" * 32
TEMPLATE = (Path(__file__).parents[2] / "pilot" / "chat_template.jinja").read_text()
TOKENS = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]",
          "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"]  # fmt: skip
PROFILE = Profile(
    context_length=4096,
    chat_template=TEMPLATE,
    bos_token="<s>",
    eos_token="</s>",
    control_tokens={token: i for i, token in enumerate(TOKENS)},
    tool_calls_token=5,
    grammar=True,
    engine="scripted",
    capabilities=frozenset(CAPABILITIES),
)
HELLO = (Delta("Hel", 1), Delta("lo", 1), Finish("stop", Usage(7, 2)))

Script = Callable[[Generation], AsyncGenerator[Event, None]]


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def saying(*events: Event) -> Script:
    """A script that says the same to everyone."""

    async def script(request: Generation) -> AsyncGenerator[Event, None]:
        for event in events:
            yield event

    return script


class ScriptedReplica:
    """A replica that answers as its script says, and remembers what it was asked."""

    def __init__(self, script: Script, profile: Profile = PROFILE) -> None:
        self.script = script
        self.asked: list[Generation] = []
        self.open = 0
        self.id = "rep_scripted"
        self.profile = profile
        self.state: ReplicaState = "ready"

    @property
    def busy(self) -> int:
        return self.open

    async def generate(self, request: Generation) -> AsyncGenerator[Event, None]:
        self.asked.append(request)
        self.open += 1
        events = self.script(request)
        try:
            async for event in events:
                yield event
        finally:
            self.open -= 1
            await events.aclose()

    async def start(self) -> None: ...

    async def wait_ended(self) -> str:
        await asyncio.Event().wait()
        return ""

    async def stop(self) -> None: ...


class FixedPool:
    """Replicas that are ready or not, as a test sets them."""

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.replicas = list(replicas)
        self.awaited: list[float] = []
        self.comes_back: list[Replica] = []

    def ready(self) -> Sequence[Replica]:
        return self.replicas

    async def wait_ready(self, timeout: float) -> bool:
        self.awaited.append(timeout)
        self.replicas += self.comes_back
        return bool(self.replicas)

    def reason(self) -> str:
        return "The model is loading."


@dataclass
class Response:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class CallerConnection:
    """A connection that ends so many seconds after it is watched, or never."""

    def __init__(self, hang_up_after: float | None) -> None:
        self.hang_up_after = hang_up_after

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def watch(self, lost: Callable[[], None]) -> None:
        if self.hang_up_after is not None:
            self.timer = asyncio.get_running_loop().call_later(self.hang_up_after, lost)

    def unwatch(self) -> None:
        if self.hang_up_after is not None:
            self.timer.cancel()


class Caller:
    """Calls a gateway as a server would, in this process."""

    def __init__(self, gateway: Gateway, told: MemoryObserver | None = None) -> None:
        self.gateway = gateway
        self.told = told or MemoryObserver()
        """Of the gateway's requests, if it has this observer."""

    async def call(
        self,
        path: str,
        body: object = None,
        *,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        key: str | None = KEY,
        hang_up_after: float | None = None,
    ) -> Response:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body) if body else b""
        sent = {**({"authorization": f"Bearer {key}"} if key else {}), **(headers or {})}
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method or ("GET" if body is None else "POST"),
            "path": path,
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in sent.items()],
            "extensions": {EXTENSION: CallerConnection(hang_up_after)},
        }
        response = Response()
        arrived = False

        async def receive() -> dict[str, Any]:
            nonlocal arrived
            if not arrived:
                arrived = True
                return {"type": "http.request", "body": raw, "more_body": False}
            await asyncio.Event().wait()
            raise AssertionError("nothing else arrives")

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                response.status = message["status"]
                response.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            else:
                response.pieces.append(message.get("body", b""))

        await self.gateway(scope, receive, send)
        return response


def served(pool: FixedPool, name: str = "pilot", model: str = "Cupola-Pilot") -> Served:
    return Served(
        endpoint=EndpointName(name),
        deployment=DeploymentName(name),
        model=ModelName(model),
        provider="Cupola",
        model_type="chat-completions",
        created=1_700_000_000,
        profile=PROFILE,
        default_temperature=0.7,
        pool=pool,
    )


def reaching(*endpoints: Served) -> Grant:
    """What a key for these may call."""
    return Grant((frozenset(one.endpoint for one in endpoints),))


def gateway_of(
    *endpoints: Served,
    limits: Limits | None = None,
    compatibility: Compatibility = SERVICE,
    clock: Clock | None = None,
    observers: Sequence[Observer] = (),
    trace: Tracing | None = None,
) -> Gateway:
    """A gateway whose one key may call all `endpoints`; another key calls one of its own."""
    foreign = served(FixedPool([]), "foreign", "Other")
    snapshot = Snapshot(
        endpoints={one.endpoint: serve_alone(one) for one in (*endpoints, foreign)},
        keys={digest(KEY): reaching(*endpoints), digest(OTHER_KEY): reaching(foreign)},
    )
    return Gateway(
        Directory(snapshot),
        digest,
        clock or FakeClock(),
        limits or Limits(),
        compatibility,
        observers=observers,
        trace=trace,
    )


def caller_of(
    script: Script, compatibility: Compatibility = SERVICE, **limits: Any
) -> tuple[Caller, ScriptedReplica]:
    """A caller of a gateway with one endpoint, `pilot`, and its replica."""
    replica = ScriptedReplica(script)
    pilot = served(FixedPool([replica]))
    told = MemoryObserver()
    gateway = gateway_of(
        pilot, limits=Limits(**limits), compatibility=compatibility, observers=(told,)
    )
    return Caller(gateway, told), replica
