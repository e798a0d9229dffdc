# Made by scripts/write_sync_sdk.py from `_async`: change that, not this.
"""Work that goes on after its request was answered."""

from collections.abc import Callable
from time import monotonic, sleep

from cupola.sdk._errors import OperationFailed
from cupola.sdk._request import Request, join
from cupola.sdk._results import Operation
from cupola.sdk._sync.transport import Transport

_PAUSE = 0.5


class Operations:
    """Asking how far it is."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, id: str) -> Operation:
        """How it is now."""
        request = Request("GET", join("operations", id))
        return (self._transport.send(request)).into(Operation)

    def wait(
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
            operation = self.get(id)
            if on_progress is not None:
                on_progress(operation)
            if operation.status == "succeeded":
                return operation
            if operation.is_done:
                raise OperationFailed(operation.reason or f"The operation was {operation.status}.")
            if deadline is not None and monotonic() > deadline:
                raise OperationFailed(f"Not done in time. {operation.reason or ''}".rstrip())
            sleep(_PAUSE)
