"""The management API on a real socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cupola.http.server import Server, listen, url_of
from cupola.kit.tasks import supervise
from tests.control.world import ROOT, World


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[str]:
    """Its root, as `http://127.0.0.1:PORT/management/v1`."""
    with listen("127.0.0.1", 0) as socket:
        socket.listen()  # so that callers queue until the server takes them
        server = Server(world.control, socket)
        running = supervise(server.run(), name="control")
        try:
            yield f"{url_of(socket)}{ROOT}"
        finally:
            server.stop()
            await running
