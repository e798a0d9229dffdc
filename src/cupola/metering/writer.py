"""The ledger's writer: a request's record is durable before the last byte of its reply leaves.

    open      -> a slot in the journal (a microsecond, no disk)
    progress  -> the tokens so far, into the slot (no cost worth naming)
    settle    -> the record into the slot, then with all that wait into one commit; then the slot
                 is free, and whoever waits goes on

While one commit is under way, the records of the next gather: a lone request waits for one flush
of the disk, sixty-four share it. If the database is away, records go to the spool, which is as
durable, and from there to the database when it is back. When even the spool cannot take more,
nothing new is admitted; what had been admitted keeps its slot until it can be written.

On a start, what processes that are no more left behind comes first: their spools, then their slots.
A record may be written several times on these ways; the ledger takes it once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cupola.ids import new_id
from cupola.kit.clock import Clock
from cupola.kit.errors import Unavailable
from cupola.kit.tasks import cancel, supervise
from cupola.metering.journal import Abandoned, Journal
from cupola.metering.model import INTERRUPTED, Ended, Opened, UsageRecord, close_request
from cupola.metering.ports import RecordStore
from cupola.metering.spool import SUFFIX, Spool, read_spool

LARGEST_SPOOL: Final = 256 * 1024**2
"""Bytes: some 600,000 records, five minutes of 2,000 requests a second."""
_BATCH: Final = 512
"""Records of one commit. Larger ones would make the first of them wait."""
_CHUNK: Final = 1000
"""Records of one commit when nobody waits for it."""
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 10.0
"""Seconds between two tries at a database that is away; they double."""
_SYNC_EVERY: Final = 1.0
"""Seconds after which a power cut forgets no admitted request any more."""

_log = logging.getLogger(__name__)


class Live:
    """A request in progress."""

    __slots__ = ("_journal", "opened", "slot")

    def __init__(self, opened: Opened, slot: int, journal: Journal) -> None:
        self.opened = opened
        self.slot = slot
        self._journal = journal

    def progress(self, prompt: int, completion: int) -> None:
        """Tokens so far: what is billed if this process is killed."""
        if self.slot >= 0:
            self._journal.progress(self.slot, prompt, completion)


@dataclass(frozen=True, slots=True)
class LedgerStatistics:
    """The writer at one moment; counts are since the process started."""

    open: int
    """Requests in progress, those that wait for their commit among them."""
    waiting: int
    """Records that are not durable yet."""
    lag: float
    """Seconds that the oldest of them has waited."""
    written: int
    """Records that the database acknowledged."""
    commits: int
    failures: int
    """Tries at the database, or at the spool, that failed."""
    spooled: int
    """Records that are durable, but not in the database yet."""
    spool_size: int
    """Bytes."""
    recovered: int
    """Records of processes that were no more."""


class _Waiting:
    """A record on its way, and who waits for it."""

    __slots__ = ("future", "record", "since", "slot")

    def __init__(
        self, record: UsageRecord, slot: int, since: float, future: asyncio.Future[None]
    ) -> None:
        self.record = record
        self.slot = slot
        self.since = since
        self.future = future


_NOTHING: Final[tuple[int, Sequence[_Waiting]]] = (0, ())


class Ledger:
    """The one writer of a process. Belongs to the event loop that started it.

    Args:
        folder: Of journals and spools; it must be there.
        largest_spool: Bytes that may wait for a database that is away.
        on_durable: Called with each record that is, before its caller goes on.
    """

    def __init__(
        self,
        store: RecordStore,
        folder: Path,
        clock: Clock,
        *,
        largest_spool: int = LARGEST_SPOOL,
        on_durable: Callable[[UsageRecord], None] = lambda record: None,
    ) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock
        self._on_durable = on_durable
        instance = new_id("run")
        self._journal = Journal(folder, instance)
        self._spool = Spool(folder / f"{instance}{SUFFIX}", largest_spool)
        self._waiting: deque[_Waiting] = deque()
        self._held: deque[_Waiting] = deque()
        """Could be written nowhere: their callers know, and their slots stay."""
        self._wake = asyncio.Event()
        self._closing = False
        self._replay: asyncio.Task[None] | None = None
        self._replayed: tuple[int, Sequence[_Waiting]] = _NOTHING
        """What the last replay brought into the database: of the spool, and of those held."""
        self._tasks: list[asyncio.Task[None]] = []
        self._pause = 0.0
        self._try_at = 0.0
        self._written = self._commits = self._failures = self._recovered = 0

    async def start(self) -> None:
        """Write what dead processes left behind, then begin."""
        self._loop = asyncio.get_running_loop()  # to look for it each time is a system call
        for found in Abandoned.find(self._folder):
            try:
                await self._recover(found)
            except Unavailable as error:
                found.release()
                _log.warning("What is left in %s waits for the next start: %s", found.path, error)
        self._tasks = [
            supervise(self._run(), name="ledger"),
            supervise(self._sync(), name="ledger journal"),
        ]

    def open(self, opened: Opened) -> Live:
        """Note a request that is admitted. It must be settled, exactly once.

        Raises:
            Unavailable: The ledger is away and could not take its record.
        """
        if self._spool.is_full or self._held:
            raise Unavailable(
                "Usage cannot be recorded now, so nothing is admitted. Try again in a moment.",
                private="The database is away, and the ledger's spool cannot take more.",
                retry_after=_LONGEST_PAUSE,
            )
        return Live(opened, self._journal.open(opened), self._journal)

    def settle(self, live: Live, ended: Ended) -> asyncio.Future[None]:
        """End a request; the future is done when its record is durable.

        It fails with `Unavailable` if the record could be written nowhere: then it is kept in the
        journal, and written as soon as that is possible.
        """
        if live.slot < 0:
            raise RuntimeError(f"The request {live.opened.request} was settled already.")
        record = close_request(live.opened, ended)
        self._journal.end(live.slot, record)
        future = self._loop.create_future()
        self._waiting.append(_Waiting(record, live.slot, self._clock.monotonic(), future))
        live.slot = -1
        self._wake.set()
        return future

    async def expire(self, before: float, limit: int = _CHUNK) -> int:
        """Delete records from before a moment, at most `limit` of them; roll-ups stay.

        Nothing is deleted while records wait in the spool: an old one among them would be taken
        for new.
        """
        return 0 if self._spool.records else await self._store.expire(before, limit)

    def statistics(self) -> LedgerStatistics:
        """The writer as it stands."""
        oldest = (self._held or self._waiting or (None,))[0]
        return LedgerStatistics(
            open=self._journal.used,
            waiting=len(self._waiting) + len(self._held),
            lag=self._clock.monotonic() - oldest.since if oldest else 0.0,
            written=self._written,
            commits=self._commits,
            failures=self._failures,
            spooled=self._spool.records,
            spool_size=self._spool.size,
            recovered=self._recovered,
        )

    async def close(self) -> None:
        """Write all that waits; what is still in progress is recorded as interrupted."""
        self._closing = True
        self._wake.set()
        for task in self._tasks[:1]:
            await asyncio.wait([task])  # not cancelled: what it has begun to write must end
        for task in self._tasks[1:]:
            await cancel(task)
        try:
            await self._keep(list(self._journal.left()))
            kept = self._spool.records == 0
        except Unavailable:
            kept = False
        if kept:
            self._journal.remove()
        else:
            _log.warning("Records of usage wait in %s for the next start.", self._folder)
            self._journal.close()
        await self._store.close()

    async def _run(self) -> None:
        while not self._closing:
            await self._sleep()
            self._wake.clear()
            self._end_replay()
            if self._is_away and self._replay is None and self._is_due():
                await self._begin_replay()
            if self._waiting:
                await self._write_some()
        while self._waiting:
            await self._write_some()
        if self._replay is not None:
            await asyncio.wait([self._replay])
            self._end_replay()

    async def _sleep(self) -> None:
        """Until there is something to write, or to try again."""
        if self._waiting or self._closing:
            return
        if self._replay is not None or not self._is_away:
            await self._wake.wait()
            return
        try:
            async with asyncio.timeout(max(0.0, self._try_at - self._clock.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            pass

    @property
    def _is_away(self) -> bool:
        """Whether records wait for the database to come back."""
        return bool(self._spool.records or self._held)

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(_SYNC_EVERY)
            if self._journal.used:
                await asyncio.to_thread(self._journal.sync)

    def _is_due(self) -> bool:
        return self._clock.monotonic() >= self._try_at

    async def _write_some(self) -> None:
        """The next commit."""
        count = min(len(self._waiting), _BATCH)
        batch = [self._waiting[number] for number in range(count)]
        try:
            await self._keep([each.record for each in batch])
        except Unavailable as error:
            self._held.extend(batch)
            for each in batch:
                if not each.future.done():
                    each.future.set_exception(error)
        else:
            self._release(batch)
        for _ in batch:
            self._waiting.popleft()

    def _release(self, batch: Sequence[_Waiting]) -> None:
        for each in batch:
            self._journal.free(each.slot)
            self._on_durable(each.record)
            if not each.future.done():
                each.future.set_result(None)

    async def _keep(self, records: Sequence[UsageRecord]) -> None:
        """Make records durable, in the database or else in the spool."""
        if not records:
            return
        if self._replay is None and self._is_due() and await self._commit(records):
            return
        if self._spool.is_full:
            raise Unavailable("Usage cannot be recorded now: the ledger's spool is full.")
        try:
            await asyncio.to_thread(self._spool.append, records)
        except OSError as error:
            self._failures += 1
            raise Unavailable(
                "Usage cannot be recorded now.", private=f"The ledger's spool failed: {error}"
            ) from error

    async def _commit(self, records: Sequence[UsageRecord]) -> bool:
        """Whether the database has them."""
        try:
            await self._store.write(records)
        except Exception as error:  # noqa: BLE001 (whatever it is, records must become durable)
            self._failures += 1
            self._pause = min(_LONGEST_PAUSE, max(_FIRST_PAUSE, 2 * self._pause))
            self._try_at = self._clock.monotonic() + self._pause
            fault = None if isinstance(error, Unavailable) else error
            _log.warning(
                "The ledger's database is away; records are spooled: %s", error, exc_info=fault
            )
            return False
        self._pause = self._try_at = 0.0
        self._written += len(records)
        self._commits += 1
        return True

    async def _begin_replay(self) -> None:
        """Hand the database a chunk of what waits for it, while those who settle go on spooling.

        Only the database is asked in a task of its own, since it may take long to say that it is
        away; the spool is touched by `_run` alone.
        """
        chunk = await asyncio.to_thread(self._spool.peek, _CHUNK)
        held = [] if chunk else list(self._held)
        records = chunk or [each.record for each in held]
        self._replay = supervise(self._replay_chunk(records, held), name="ledger replay")
        if not self._pause and len(records) < _CHUNK:
            # It answers again, and this is the rest: nothing more may be spooled meanwhile, or
            # there would always be a rest.
            await asyncio.wait([self._replay])
            self._end_replay()

    async def _replay_chunk(self, records: Sequence[UsageRecord], held: Sequence[_Waiting]) -> None:
        if await self._commit(records):
            self._replayed = (0 if held else len(records), held)
        self._wake.set()

    def _end_replay(self) -> None:
        """If a replay is over, forget what the database has now."""
        if self._replay is None or not self._replay.done():
            return
        spooled, held = self._replayed
        if spooled:
            self._spool.advance(spooled)
        for _ in held:
            self._held.popleft()
        self._release(held)
        self._replay, self._replayed = None, _NOTHING

    async def _recover(self, found: Abandoned) -> None:
        """What a dead process left; its files go when all of it is durable."""
        spool = found.path.with_suffix(SUFFIX)
        chunk: list[UsageRecord] = []
        for source in (read_spool(spool), found.records()):
            for record in source:
                chunk.append(record)
                if len(chunk) == _CHUNK:
                    await self._recover_chunk(chunk)
                    chunk = []
        await self._recover_chunk(chunk)
        spool.unlink(missing_ok=True)
        found.remove()

    async def _recover_chunk(self, chunk: Sequence[UsageRecord]) -> None:
        await self._keep(chunk)
        self._recovered += len(chunk)
        for record in chunk:
            if record.finish == INTERRUPTED:
                _log.warning("Request %s was interrupted by the end of its server.", record.request)
