"""Work that goes on after its request was answered."""

from asyncio import sleep
from collections.abc import Callable
from time import monotonic

from cupola.sdk._async.transport import AsyncTransport
from cupola.sdk._errors import OperationFailed
from cupola.sdk._request import Request, join
from cupola.sdk._results import Operation

_PAUSE = 0.5


class AsyncOperations:
    """Asking how far it is."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def get(self, id: str) -> Operation:
        """How it is now."""
        request = Request("GET", join("operations", id))
        return (await self._transport.send(request)).into(Operation)

    async def wait(
        self,
        id: str,
        *,
        timeout: float | None = None,
        on_progress: Callable[[Operation], None] | None = None,
    ) -> Operation:
        """Wait until it has succeeded.

        Args:
            timeout: Seconds; None waits for as long as it takes.
            on_progress: Told how it is, each time that was asked.

        Raises:
            OperationFailed: It failed, was cancelled, or took longer.
        """
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            operation = await self.get(id)
            if on_progress is not None:
                on_progress(operation)
            if operation.status == "succeeded":
                return operation
            if operation.is_done:
                raise OperationFailed(operation.reason or f"The operation was {operation.status}.")
            if deadline is not None and monotonic() > deadline:
                raise OperationFailed(f"Not done in time. {operation.reason or ''}".rstrip())
            await sleep(_PAUSE)
