"""The engine `upstream` in front of a second Cupola, over a real socket."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from cupola.engines.echo import EchoReplica
from cupola.engines.port import Generation, JsonOutput, ToolOutput, Verbatim
from cupola.engines.upstream.config import Upstream, read_upstreams
from cupola.engines.upstream.replica import UpstreamReplica
from cupola.http.server import Server, listen, url_of
from cupola.kit.tasks import supervise
from cupola.wire.canonical import ChatRequest, Message, ResponseFormat, ToolChoice
from tests.gateway.fakes import KEY, FixedPool, gateway_of, served

DIALECTS = ("azure", "mistral", "openai")
_CONTROL = re.compile(r"<s>|\[/?INST\] ?")


@asynccontextmanager
async def serving(echo: EchoReplica) -> AsyncIterator[str]:
    """A Cupola whose endpoint `pilot` says back what it is told; its URL."""
    await echo.start()
    with listen("127.0.0.1", 0) as socket:
        socket.listen()  # so that callers queue until the server takes them
        server = Server(gateway_of(served(FixedPool([echo]))), socket)
        task = supervise(server.run(), name="upstream server")
        try:
            yield url_of(socket)
        finally:
            await echo.stop()
            server.stop()
            await task


@asynccontextmanager
async def chained(dialect: str, echo: EchoReplica, folder: Path) -> AsyncIterator[UpstreamReplica]:
    """A started replica of an upstream that echoes, asked in `dialect`."""
    async with serving(echo) as url:
        replica = UpstreamReplica(describe(dialect, f"{url}/endpoints/pilot", folder))
        await replica.start()
        try:
            yield replica
        finally:
            await replica.stop()


def describe(dialect: str, url: str, folder: Path, more: str = "") -> Upstream:
    """What an operator's file of one table comes to; `more` is further lines of it."""
    key = folder / "far.key"
    key.touch(0o600)
    key.write_text(f"{KEY}\n")
    lines = ["[far]", 'model = "Far"', f'dialect = "{dialect}"', f'url = "{url}"']
    file = folder / "upstreams.toml"
    file.write_text("\n".join([*lines, 'key_file = "far.key"', "context_length = 256", more]))
    [upstream] = read_upstreams(file)
    return upstream


def converse(request: Generation) -> Generation:
    """The same request, for an engine that takes conversations: its prompt is one user's text."""
    pieces = [p.text if isinstance(p, Verbatim) else str(p) for p in request.prompt]
    text = _CONTROL.sub("", "".join(pieces))
    constraint = request.constraint
    tools = constraint.tools if isinstance(constraint, ToolOutput) else ()
    content = constraint.content if isinstance(constraint, ToolOutput) else constraint
    conversation = ChatRequest(
        messages=(Message("user", text),),
        temperature=request.temperature,
        response_format=_form(content),
        tools=tools,
        tool_choice=ToolChoice(constraint.mode) if isinstance(constraint, ToolOutput) else None,
        parallel_tool_calls=not isinstance(constraint, ToolOutput) or constraint.parallel,
    )
    return replace(request, prompt=(), conversation=conversation)


def _form(content: JsonOutput | None) -> ResponseFormat:
    return ResponseFormat("json_schema", content.schema) if content else ResponseFormat()
