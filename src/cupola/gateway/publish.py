"""Bringing what is known to the hot path: read everything, build a snapshot, put it in place."""

from collections.abc import Awaitable, Callable

from cupola.gateway.directory import Directory
from cupola.gateway.snapshot import Known, SnapshotBuilder


class Publisher:
    """Replaces the directory's snapshot. To be called by one task at a time (`db.watch.Watch`)."""

    def __init__(
        self,
        directory: Directory,
        builder: SnapshotBuilder,
        read: Callable[[], Awaitable[Known]],
    ) -> None:
        self._directory = directory
        self._builder = builder
        self._read = read
        self._known: Known | None = None

    async def publish(self) -> None:
        """Every request that starts after this is served by what is known now.

        If `read` fails, the old snapshot stays.
        """
        self._known = await self._read()
        self.republish()

    def republish(self) -> None:
        """What was known is described anew, in this very moment: a deployment goes on with other
        replicas, and what is said of it (how prompts are laid out) must change with them."""
        if self._known is not None:
            self._directory.replace(self._builder.build(self._known))
