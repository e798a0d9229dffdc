"""Weights fetched from a hub: one download however many ask, each in a process of its own.

    absent --ensure--> downloading --all checked--> ready
                       downloading --fault--------> failed --ensure--> downloading
                       downloading --the last asker leaves, or cancel--> absent

What has arrived stays, so the next attempt goes on from there. Between processes (a server and a
command on the same home) the folder's lock makes the second wait for the first.
"""

import asyncio
import logging
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import msgspec

from cupola.catalog.choice import Refusal, choose_weights
from cupola.catalog.fetch_events import (
    Described,
    Done,
    Event,
    Failed,
    Fetch,
    Job,
    Planned,
    Progressed,
    Waiting,
)
from cupola.catalog.files import (
    Absent,
    Downloading,
    FetchFailed,
    FoundWeights,
    Garbage,
    Ready,
    Weights,
    WeightsState,
    describe_mismatch,
)
from cupola.catalog.layout import FOLDER, collect, locked, name_folder
from cupola.catalog.model import Model
from cupola.catalog.ports import Disk, Shelf
from cupola.kit.errors import Unavailable
from cupola.kit.tasks import cancel, supervise

_log = logging.getLogger(__name__)

SPARE_DISK: Final = 512 * 1024**2
"""Bytes that no download takes, so that the database and the logs can be written."""
_GIB: Final = 1024**3
_LONGEST_EVENT: Final = 64 * 1024**2
"""Bytes of a line of the child's; descriptions of repositories are the longest."""
_LAST_WORDS: Final = 2000


@dataclass(frozen=True, slots=True)
class HubAccess:
    """How the hub is reached."""

    offline: bool = False
    endpoint: str = ""
    """A mirror's address; empty: the library's own."""
    find_token: Callable[[], str | None] = lambda: None
    """Asked at each download, so that a renewed token needs no restart."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Proxies and certificates, for the process that fetches."""
    pause: float = 1.0
    """Seconds before the first repetition after a fault of the network."""
    patience: float = 30.0
    """Seconds without a byte after which a connection counts as broken."""


class HubWeightStore:
    """`WeightStore` over a hub and a folder. One for a home and process."""

    def __init__(self, folder: Path, shelf: Shelf, access: HubAccess, disk: Disk) -> None:
        self._folder = folder
        self._shelf = shelf
        self._access = access
        self._disk = disk
        self._under_way: dict[str, _Download] = {}
        self._failed: dict[str, str] = {}

    @property
    def under_way(self) -> int:
        """Downloads, now."""
        return len(self._under_way)

    def state(self, model: Model, quantisation: str | None = None) -> WeightsState:
        weights = self._choose(model, quantisation)
        if isinstance(weights, Refusal):
            return Absent(weights.reason)
        if found := self._shelf.find(weights):
            if fault := _find_damage(found):
                return Absent(f"The weights of {model.name} are damaged: {fault}. Replace them.")
            return Ready(found, weights.quantisation)
        key = name_folder(weights)
        if download := self._under_way.get(key):
            return download.progress
        if reason := self._failed.get(key):
            return FetchFailed(reason)
        fetchable = weights.repository is not None and not self._access.offline
        return Absent(self._explain_absence(model, weights), fetchable)

    async def ensure(self, model: Model, quantisation: str | None = None) -> FoundWeights:
        weights = self._choose(model, quantisation)
        if isinstance(weights, Refusal):
            raise Unavailable(weights.reason)
        if found := self._shelf.find(weights):
            if fault := _find_damage(found):
                raise Unavailable(f"The weights of {model.name} are damaged: {fault}.")
            return found
        if weights.repository is None or self._access.offline:
            raise Unavailable(self._explain_absence(model, weights))
        return await self.ensure_weights(weights)

    async def ensure_weights(self, weights: Weights) -> FoundWeights:
        """These very weights, for whoever chose them. Raises: Unavailable."""
        if found := self._shelf.find(weights):
            return found
        if self._access.offline:
            raise Unavailable(f"{weights.describe()} cannot be fetched: {_OFFLINE}")
        key = name_folder(weights)
        download = self._under_way.get(key) or self._begin(key, weights)
        await download.wait()
        if found := self._shelf.find(weights):
            return found
        raise Unavailable(download.reason or f"The download of {weights.describe()} was cancelled.")

    async def cancel(self, model: Model, quantisation: str | None = None) -> bool:
        weights = self._choose(model, quantisation)
        if isinstance(weights, Refusal) or not (
            download := self._under_way.get(name_folder(weights))
        ):
            return False
        await download.stop()
        return True

    async def close(self) -> None:
        """End all downloads; what has arrived stays."""
        for download in list(self._under_way.values()):
            await download.stop()

    def collect_garbage(
        self, keep: Collection[Weights], *, dry_run: bool = False
    ) -> Sequence[Garbage]:
        kept = {name_folder(weights) for weights in keep} | self._under_way.keys()
        folders = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        found = [
            _collect(folder, dry_run=dry_run)
            for folder in folders
            if FOLDER.fullmatch(folder.name) and folder.name not in kept and folder.is_dir()
        ]
        return [garbage for garbage in found if garbage]

    async def describe(self, repository: str, revision: str | None = None) -> Described:
        if self._access.offline:
            raise Unavailable(f"{repository} cannot be looked up: {_OFFLINE}")
        async with _child(self._job(repository, revision, None), self._access) as child:
            async for event in child.events():
                if isinstance(event, Described):
                    return event
                if isinstance(event, Failed):
                    raise Unavailable(event.reason)
        raise Unavailable(f"{repository} could not be looked up.", private=child.last_words())

    def _choose(self, model: Model, quantisation: str | None) -> Weights | Refusal:
        present = [each for each in model.weights if self._shelf.find(each)]
        return choose_weights(model, quantisation, None, present)

    def _explain_absence(self, model: Model, weights: Weights) -> str:
        text = f"The weights of {model.name} are not on this machine"
        put = f"put {weights.describe()} into the home's models folder"
        if weights.repository is None:
            return f"{text}, and nowhere to be fetched from: {put}."
        if self._access.offline:
            return f"{text}, and {_OFFLINE} Or {put}."
        return f"{text}. A deployment, or `cupola models download {model.name}`, fetches them."

    def _begin(self, key: str, weights: Weights) -> "_Download":
        self._failed.pop(key, None)
        job = self._job(
            str(weights.repository),
            weights.revision,
            Fetch(str(self._folder / key), weights.format, weights.files),
        )
        download = _Download(job, self._access, self._disk, lambda: self._end(key))
        self._under_way[key] = download
        return download

    def _end(self, key: str) -> None:
        download = self._under_way.pop(key)
        if download.reason:
            self._failed[key] = download.reason

    def _job(self, repository: str, revision: str | None, fetch: Fetch | None) -> Job:
        access = self._access
        token = access.find_token()
        return Job(repository, revision, token, access.pause, access.patience, fetch)


_OFFLINE: Final = (
    "downloads are switched off here: unset CUPOLA_OFFLINE and HF_HUB_OFFLINE to allow them."
)


class _Download:
    """One download and those who wait for it; the last who leaves ends it."""

    def __init__(self, job: Job, access: HubAccess, disk: Disk, on_end: Callable[[], None]) -> None:
        self.progress = Downloading(0, None)
        self.reason = ""
        """Why it failed; empty: it did not, or was cancelled."""
        self._job = job
        self._access = access
        self._disk = disk
        self._waiting = 0
        self._task = supervise(self._run(), name=f"download of {job.repository}")
        self._task.add_done_callback(lambda _: on_end())

    async def wait(self) -> None:
        """Until it has ended."""
        self._waiting += 1
        try:
            await asyncio.wait([self._task])
        finally:
            self._waiting -= 1
            if not self._waiting and not self._task.done():
                await self.stop()

    async def stop(self) -> None:
        """End it; what has arrived stays."""
        await cancel(self._task)

    async def _run(self) -> None:
        try:
            async with _child(self._job, self._access) as child:
                self.reason = await self._follow(child)
        except OSError as error:
            self.reason = f"The process that downloads could not be started: {error.strerror}."
        if self.reason:
            _log.warning("Download of %s failed: %s", self._job.repository, self.reason)

    async def _follow(self, child: "_Child") -> str:
        """Keep up with the child until it ends; the reason of its failure, or nothing."""
        async for event in child.events():
            match event:
                case Waiting():
                    self.progress = Downloading(0, None, waits=True)
                case Planned(total, here):
                    self.progress = Downloading(here, total)
                    if reason := self._find_lack(total - here):
                        return reason
                    child.go()
                case Progressed(here):
                    self.progress = Downloading(here, self.progress.total)
                    if reason := self._find_lack(0):
                        return reason
                case Failed(reason):
                    return reason
                case Done():
                    return ""
                case Described():
                    pass
        words = child.last_words()
        _log.error("The process that downloads ended without a word. Its last lines: %s", words)
        return "The process that downloads ended unexpectedly. The log says more."

    def _find_lack(self, needed: int) -> str:
        """Why the disk cannot take `needed` more bytes; empty if it can."""
        assert self._job.fetch
        free = self._disk.free(Path(self._job.fetch.folder))
        if free >= needed + SPARE_DISK:
            return ""
        return (
            f"The disk has {free / _GIB:.1f} GiB free; {needed / _GIB:.1f} GiB are still to come, "
            f"and {SPARE_DISK / _GIB:.1f} GiB stay free for the rest of Cupola. Free some, "
            "as with `cupola models gc`, or choose a smaller quantisation."
        )


class _Child:
    """The process that talks to the hub."""

    def __init__(self, process: Process, errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors

    def begin(self, job: Job) -> None:
        self._write(msgspec.json.encode(job) + b"\n")

    def go(self) -> None:
        """Let it fetch what it planned."""
        self._write(b"go\n")

    async def events(self) -> AsyncIterator[Event]:
        """All that it tells, until it ends."""
        assert self._process.stdout
        async for line in self._process.stdout:
            yield msgspec.json.decode(line, type=Event)

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def last_words(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-_LAST_WORDS:]

    def _write(self, line: bytes) -> None:
        assert self._process.stdin
        self._process.stdin.write(line)


@asynccontextmanager
async def _child(job: Job, access: HubAccess) -> AsyncIterator[_Child]:
    """The process, at work; it is ended when the block is left, however that happens."""
    home = job.fetch.folder if job.fetch else tempfile.gettempdir()
    environment = {
        **access.environment,
        **({"HF_ENDPOINT": access.endpoint} if access.endpoint else {}),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",  # the token is ours to give, from where we are told
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HOME": home,  # nothing is read from the user's cache, and nothing written to it
    }
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", "cupola.catalog.fetch",
            stdin=PIPE, stdout=PIPE, stderr=errors, env=environment, cwd="/",
            start_new_session=True, limit=_LONGEST_EVENT,
        )  # fmt: skip
        child = _Child(process, errors)
        try:
            child.begin(job)
            yield child
        finally:
            await child.end()


def _find_damage(found: FoundWeights) -> str | None:
    """Why a file that came with Cupola is not whole; one's own may have any size."""
    return None if found.own else describe_mismatch(found.file, found.path.stat().st_size)


def _collect(folder: Path, *, dry_run: bool) -> Garbage | None:
    """None: a process is fetching into `folder`."""
    with locked(folder, wait=False) as free:
        return Garbage(folder.name, collect(folder, dry_run=dry_run)) if free else None
