"""A listening server of a test's own, none of whose connections outlives it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import SSLContext

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(
    serve: Serve, path: Path | None = None, context: SSLContext | None = None
) -> AsyncIterator[int]:
    """`serve` answers at `path`, or else on the port that is given while the block runs."""
    open_now: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def note_and_serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now[asyncio.current_task()] = writer
        await serve(reader, writer)

    if path is None:
        listener = await asyncio.start_server(note_and_serve, "127.0.0.1", 0, ssl=context)
    else:
        listener = await asyncio.start_unix_server(note_and_serve, path)
    try:
        yield 0 if path else int(listener.sockets[0].getsockname()[1])
    finally:
        listener.close()
        for task, writer in open_now.items():
            writer.transport.abort()
            if task:
                await asyncio.wait([task])
