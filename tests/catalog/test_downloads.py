"""Weights come from a real hub over a real network, with all that can go wrong there."""

import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cupola.catalog.downloads import SPARE_DISK, HubAccess, HubWeightStore
from cupola.catalog.files import (
    Absent,
    Downloading,
    FetchFailed,
    File,
    Format,
    Quantisation,
    Ready,
    Weights,
)
from cupola.catalog.layout import PART, RECEIPT, name_folder
from cupola.catalog.memory import MemoryDisk
from cupola.catalog.model import Model
from cupola.catalog.store import SystemDisk, WeightFolders
from cupola.kit.errors import Unavailable
from tests.catalog.hub import Hub, Repository, running_hub
from tests.catalog.safetensors import CONFIG, build_safetensors
from tests.catalog.test_service import MODEL
from tests.models import build_tiny_model
from tests.patience import PATIENCE, until

REPOSITORY = "people/tiny-GGUF"
SLOW = 1000.0
"""Bytes a second, with which a file takes longer than any test."""
Make = Callable[..., HubWeightStore]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return build_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf").read_bytes()


@pytest.fixture
def hub(tiny: bytes) -> Iterator[Hub]:
    with running_hub() as hub:
        hub.repositories[REPOSITORY] = Repository({"tiny-F16.gguf": tiny, "README.md": b"Hello"})
        yield hub


@pytest.fixture
async def make(hub: Hub, tmp_path: Path) -> AsyncIterator[Make]:
    """Makes stores over the same folder, as processes on one home do."""
    stores = []

    def make(disk: MemoryDisk | SystemDisk | None = None, **access: object) -> HubWeightStore:
        folder = tmp_path / "weights"
        shelf = WeightFolders(tmp_path / "own", tmp_path / "none", folder)
        options = {"endpoint": hub.url, "pause": 0.01, "patience": PATIENCE, **access}
        store = HubWeightStore(folder, shelf, HubAccess(**options), disk or SystemDisk())  # type: ignore[arg-type]
        stores.append(store)
        return store

    yield make
    for store in stores:
        await store.close()


def model(*files: File, **changes: object) -> Model:
    """A model whose weights are published at `REPOSITORY`."""
    files = files or (File("tiny-F16.gguf"),)
    weights = Weights(Quantisation.F16, Format.GGUF, files, REPOSITORY)
    return replace(MODEL, weights=(replace(weights, **changes),))  # type: ignore[arg-type]


def part_of(tmp_path: Path, wanted: Model) -> Path:
    return tmp_path / "weights" / name_folder(wanted.weights[0]) / f"tiny-F16.gguf{PART}"


def arrived(tmp_path: Path) -> int:
    """Bytes of the file that is on its way."""
    part = part_of(tmp_path, model())
    return part.stat().st_size if part.exists() else 0


async def test_weights_are_fetched_and_whole(make: Make, tiny: bytes):
    """Who asks gets the file as it was published, through the redirect, and finds it from then."""
    store = make()
    assert isinstance(store.state(model()), Absent)

    found = await store.ensure(model())

    assert tiny == found.path.read_bytes()
    assert store.state(model()) == Ready(found, Quantisation.F16)
    assert not found.own
    assert hashlib.sha256(tiny).hexdigest() == found.file.sha256


async def test_weights_that_are_here_are_not_fetched(make: Make, hub: Hub):
    """Another store on the same home, as after a restart, asks the hub nothing."""
    await make().ensure(model())
    hub.asked.clear()

    await make().ensure(model())

    assert [] == hub.asked


async def test_damaged_shipped_weights_are_told(make: Make, tmp_path: Path):
    """A cut copy of what came with Cupola is no model that is ready."""
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "small.gguf").write_bytes(b"GG")
    store = make()

    assert isinstance(state := store.state(MODEL), Absent)
    assert "has 2 bytes instead of 4" in state.reason
    with pytest.raises(Unavailable, match="are damaged"):
        await store.ensure(MODEL)


async def test_progress_is_told(make: Make, hub: Hub, tiny: bytes):
    """While it runs, the state says how much of how much is here."""
    hub.rate = SLOW
    store = make()
    seen = [Downloading(0, None)]

    def has_told_thrice() -> bool:
        state = store.state(model())
        if isinstance(state, Downloading) and state.bytes > seen[-1].bytes:
            seen.append(state)
        return len(seen) > 3

    asking = asyncio.ensure_future(store.ensure(model()))
    await until(has_told_thrice)
    hub.rate = float("inf")
    await asking

    assert {len(tiny)} == {state.total for state in seen[1:]}
    assert all(0 < (state.progress or 0) < 1 for state in seen[1:])


async def test_one_download_however_many_ask(make: Make, hub: Hub):
    """Ten askers, one transfer."""
    store = make()

    found = await asyncio.gather(*(store.ensure(model()) for _ in range(10)))

    assert 1 == len(set(found))
    assert 1 == hub.count("GET /cdn/")


async def test_two_processes_fetch_once(make: Make, hub: Hub, tiny: bytes):
    """The second waits for the first's lock, and then finds everything there."""
    hub.granted = len(tiny) // 2
    first, second = make(), make()
    asking = asyncio.ensure_future(first.ensure(model()))
    await until(lambda: hub.count("GET /cdn/"))
    also = asyncio.ensure_future(second.ensure(model()))
    await until(lambda: second.state(model()) == Downloading(0, None, waits=True))
    hub.granted = None

    assert await asking == await also
    assert 1 == hub.count("GET /cdn/")


async def test_a_broken_transfer_goes_on(make: Make, hub: Hub, tiny: bytes):
    """Two connections that end too early cost two requests for what is missing, nothing twice."""
    hub.cuts = [1000, 1000]

    found = await make().ensure(model())

    assert tiny == found.path.read_bytes()
    assert 1 == hub.count("/cdn/", "bytes=1000-")
    assert 1 == hub.count("/cdn/", "bytes=2000-")
    assert len(tiny) == hub.sent


async def test_a_server_without_ranges_is_read_anew(make: Make, hub: Hub, tiny: bytes):
    """A mirror that ignores the range must not lead to a file with its beginning twice."""
    hub.cuts = [1000]
    hub.ranges = False

    found = await make().ensure(model())

    assert tiny == found.path.read_bytes()


async def test_killed_process_goes_on_where_it_was(
    hub: Hub, make: Make, tmp_path: Path, tiny: bytes
):
    """kill -9 of the server, and with it of the child: the next one asks for the rest only."""
    hub.granted = len(tiny) // 2
    parent = _start_server_like(hub, tmp_path)
    await until(lambda: arrived(tmp_path) > 1000)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    await until(lambda: not _children_of(tmp_path))
    size = arrived(tmp_path)
    hub.granted = None
    hub.asked.clear()

    found = await make().ensure(model())

    assert tiny == found.path.read_bytes()
    assert 1 == hub.count("/cdn/", f"bytes={size}-")


async def test_killed_at_any_moment_it_ends_whole(
    make: Make, hub: Hub, tmp_path: Path, tiny: bytes
):
    """Whatever it was doing; nothing that has arrived is asked for again."""
    hub.rate = len(tiny) / 1.5
    store = make()
    kept = []
    moments = random.Random(4)
    for _ in range(10):
        asking = asyncio.ensure_future(store.ensure(model()))
        await asyncio.wait([asking], timeout=moments.uniform(0.0, 1.2))
        asking.cancel()
        await asyncio.wait([asking])
        kept.append(arrived(tmp_path))

    hub.rate = float("inf")
    found = await store.ensure(model())
    asked = [int(line.rpartition("=")[2][:-1]) for line in hub.asked if "bytes=" in line]

    assert tiny == found.path.read_bytes()
    assert kept[-1] == 0 or kept == sorted(kept)  # it ends as no part of a file
    assert asked == sorted(asked)
    assert set(asked) <= set(kept)


async def test_cancelled_download_stops_and_goes_on(
    make: Make, hub: Hub, tmp_path: Path, tiny: bytes
):
    """Who waited is told; what has arrived serves the next attempt."""
    hub.granted = len(tiny) // 2
    store = make()
    asking = asyncio.ensure_future(store.ensure(model()))
    await until(lambda: arrived(tmp_path) > 1000)

    assert await store.cancel(model())
    with pytest.raises(Unavailable, match="cancelled"):
        await asking
    assert isinstance(store.state(model()), Absent)
    assert not await store.cancel(model())
    hub.granted = None
    assert tiny == (await store.ensure(model())).path.read_bytes()
    assert 1 == hub.count("/cdn/", " bytes=")


async def test_last_who_leaves_ends_it(make: Make, hub: Hub, tiny: bytes):
    """One of two may go; when nobody waits any more, nothing is fetched any more."""
    hub.granted = len(tiny) // 2
    store = make()
    first, second = (asyncio.ensure_future(store.ensure(model())) for _ in range(2))
    await until(lambda: hub.sent)

    first.cancel()
    await asyncio.wait([first])
    assert isinstance(store.state(model()), Downloading)
    second.cancel()
    await asyncio.wait([second])
    assert isinstance(store.state(model()), Absent)


async def test_stuck_transfer_is_given_up(make: Make, hub: Hub):
    """A connection that brings nothing for a while is broken, and in the end a reason."""
    hub.stuck = True
    store = make(patience=0.1)

    with pytest.raises(
        Unavailable, match=r"cannot be reached .*times in a row\. Check the network"
    ):
        await store.ensure(model())
    state = store.state(model())
    assert isinstance(state, FetchFailed)
    assert "what has arrived is kept" in state.reason


async def test_silent_hub_is_given_up(make: Make, hub: Hub):
    """A hub that takes the question and never answers is as good as none."""
    hub.silent = True

    with pytest.raises(Unavailable, match="cannot be reached"):
        await make(patience=0.1).ensure(model())
    await until(lambda: hub.count("GET /api/models/") == 6)


async def test_passing_refusals_are_repeated(make: Make, hub: Hub):
    """A hub that is overloaded for a moment delays, no more."""
    hub.statuses = [503, 429]

    await make().ensure(model())

    assert 3 == hub.count("GET /api/models/")


async def test_failed_download_may_be_asked_for_again(make: Make, hub: Hub):
    """The state keeps the reason until somebody asks anew."""
    hub.statuses = [503] * 6
    store = make()
    with pytest.raises(Unavailable, match="answered with status 503, 6 times in a row"):
        await store.ensure(model())
    assert isinstance(store.state(model()), FetchFailed)

    await store.ensure(model())

    assert isinstance(store.state(model()), Ready)


async def test_wrong_bytes_are_not_believed(make: Make, hub: Hub, tmp_path: Path):
    """What has not the hub's checksum is deleted, so that no attempt goes on from it."""
    hub.garbled = True
    store = make()

    with pytest.raises(
        Unavailable, match=r"tiny-F16\.gguf of .* was deleted: it has not the check"
    ):
        await store.ensure(model())
    assert not part_of(tmp_path, model()).exists()
    hub.garbled = False
    await store.ensure(model())


async def test_the_entrys_checksum_goes_before_the_hubs(make: Make, hub: Hub):
    """A repository that was changed since the entry was written is refused before a byte comes."""
    wanted = model(File("tiny-F16.gguf", sha256="0" * 64))

    with pytest.raises(Unavailable, match="is not the file of the catalog's entry"):
        await make().ensure(wanted)
    assert 0 == hub.count("GET /cdn/")


async def test_damaged_models_are_refused(make: Make, hub: Hub, tiny: bytes):
    """A file as published, but no GGUF within: an engine never sees it."""
    hub.repositories[REPOSITORY].files["tiny-F16.gguf"] = tiny[: len(tiny) // 2]

    with pytest.raises(Unavailable, match="cut short"):
        await make().ensure(model())


async def test_missing_file_is_answered_with_those_there_are(make: Make):
    """An entry's slip is mended by reading the message."""
    with pytest.raises(Unavailable, match=r"no file 'b\.gguf'\. It has: tiny-F16\.gguf\."):
        await make().ensure(model(File("b.gguf")))


async def test_unknown_repository_and_revision_are_named(make: Make, hub: Hub):
    """Each says what to check."""
    with pytest.raises(Unavailable, match=r"no repository people/none .* check the name, or give"):
        await make().ensure(model(repository="people/none"))
    with pytest.raises(Unavailable, match="has no revision 'v9'"):
        await make().ensure(model(revision="v9"))


async def test_gated_repository_says_where_to_accept(make: Make, hub: Hub):
    """Without a token, and with one whose account has not accepted; then with one that has."""
    repository = hub.repositories[REPOSITORY]
    repository.gated, repository.allowed = True, frozenset({"hf_good"})
    place = f"{hub.url}/{REPOSITORY}"

    with pytest.raises(
        Unavailable, match=f"gated: accept the licence at {place}, and give a token"
    ):
        await make().ensure(model())
    with pytest.raises(Unavailable, match=f"no access to it: accept the licence at {place}"):
        await make(find_token=lambda: "hf_other").ensure(model())
    await make(find_token=lambda: "hf_good").ensure(model())


async def test_no_token_is_sent_unasked(make: Make, hub: Hub, monkeypatch: pytest.MonkeyPatch):
    """A token in the server's environment reaches the hub only through the setting."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")

    await make().ensure(model())

    assert set() == hub.tokens


async def test_token_is_not_sent_elsewhere(make: Make, hub: Hub):
    """The hub sends us to another host for the weights; that one is not told who we are."""
    hub.weights_host = hub.url.replace("127.0.0.1", "localhost")

    await make(find_token=lambda: "hf_good").ensure(model())

    assert {"hf_good"} == hub.tokens
    assert set() == hub.weights_tokens


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"siblings": 3}', b'"x"', b"\xff"])
async def test_what_is_no_hub_is_named(make: Make, hub: Hub, body: bytes):
    """As the page of a proxy that wants a password."""
    hub.bodies = [body]

    with pytest.raises(Unavailable, match="something that no hub says: check CUPOLA_HUB_ENDPOINT"):
        await make().ensure(model())


async def test_repositories_are_described(make: Make, hub: Hub, tiny: bytes):
    """What adding a model needs to know, without fetching the model."""
    details = {
        "gguf": {"total": 142_848, "context_length": 2048, "chat_template": "{{ messages }}"},
        "cardData": {"license": "mit"},
    }
    hub.repositories[REPOSITORY].details = details
    hub.repositories[REPOSITORY].files["config.json"] = json.dumps(CONFIG).encode()

    described = await make().describe(REPOSITORY)

    assert (142_848, 2048, "{{ messages }}", "mit", CONFIG) == (
        described.parameters,
        described.context_length,
        described.chat_template,
        described.license,
        described.config,
    )
    files = {file.name: file for file in described.files}
    assert (len(tiny), hashlib.sha256(tiny).hexdigest()) == (
        files["tiny-F16.gguf"].size,
        files["tiny-F16.gguf"].sha256,
    )
    assert files["README.md"].blob
    with pytest.raises(Unavailable, match="no repository people/none"):
        await make().describe("people/none")
    with pytest.raises(Unavailable, match="'a b' is no name of a repository"):
        await make().describe("a b")
    assert 0 == hub.count("GET /cdn/")


async def test_full_disk_is_told_with_numbers(make: Make, hub: Hub, tiny: bytes):
    """Before anything is fetched."""
    store = make(MemoryDisk(SPARE_DISK + len(tiny) - 1))

    with pytest.raises(Unavailable, match=r"The disk has 0\.5 GiB free; .* still to come"):
        await store.ensure(model())
    assert 0 == hub.count("GET /cdn/")


async def test_disk_that_fills_up_ends_the_download(make: Make, hub: Hub, tiny: bytes):
    """The database's room is not taken, whoever else fills the disk."""
    hub.rate = SLOW
    disk = MemoryDisk(10 * SPARE_DISK)
    store = make(disk)
    asking = asyncio.ensure_future(store.ensure(model()))
    await until(lambda: hub.sent)

    disk.room = SPARE_DISK - 1
    with pytest.raises(Unavailable, match=r"stay free for the rest of Cupola"):
        await asking
    assert hub.sent < len(tiny)


async def test_offline_nothing_is_asked(make: Make, hub: Hub):
    """The message says how to allow it, and how to do without."""
    store = make(offline=True)
    state = store.state(model())

    assert isinstance(state, Absent)
    assert "unset CUPOLA_OFFLINE" in state.reason
    with pytest.raises(Unavailable, match=r"Or put tiny-F16\.gguf into the home's models folder"):
        await store.ensure(model())
    with pytest.raises(Unavailable, match="CUPOLA_OFFLINE"):
        await store.describe(REPOSITORY)
    assert [] == hub.asked


async def test_unreachable_hub_is_named(make: Make):
    """The mirror that was set is the one that is asked."""
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        await make(endpoint="http://127.0.0.1:9").ensure(model())


async def test_safetensors_come_with_what_belongs_to_them(make: Make, hub: Hub):
    """Configuration and tokenizer, and nothing that could run."""
    name = "people/tiny"
    hub.repositories[name] = Repository(
        {
            "model.safetensors": build_safetensors(),
            "config.json": json.dumps(CONFIG).encode(),
            "tokenizer.json": b"{}",
            "pytorch_model.bin": b"\x80\x04.",
            "modeling_tiny.py": b"print('hello')",
        }
    )
    weights = Weights(Quantisation.BF16, Format.SAFETENSORS, repository=name)
    store = make()
    # Only engines for GGUF choose by themselves yet, so the weights are asked for by their folder.
    found = await store.ensure_weights(weights)

    assert "model.safetensors" == found.path.name
    assert {"config.json", "model.safetensors", "tokenizer.json"} == {
        path.name for path in found.path.parent.iterdir() if not path.name.startswith(".")
    } - {RECEIPT}


@pytest.mark.parametrize("name", ["../tiny.gguf", "/etc/tiny.gguf", "a\\b.gguf", ".hidden.gguf"])
async def test_names_that_lead_elsewhere_are_refused(make: Make, hub: Hub, tiny: bytes, name: str):
    """A repository cannot write outside of its folder."""
    hub.repositories[REPOSITORY].files[name] = tiny

    with pytest.raises(Unavailable, match="unsafe name"):
        await make().ensure(model())


async def test_garbage_is_what_nobody_wants(make: Make, hub: Hub, tmp_path: Path, tiny: bytes):
    """Fetched weights that are kept stay, as do the user's files wherever they lie."""
    store = make()
    hub.repositories[REPOSITORY].files["other.gguf"] = tiny
    kept, other = model(), model(File("other.gguf"))
    await store.ensure(kept)
    found = await store.ensure(other)
    own = tmp_path / "weights" / "mine.gguf"
    note = found.path.with_name("note.txt")
    own.write_text("mine")
    note.write_text("mine too")

    would = store.collect_garbage(kept.weights, dry_run=True)
    assert isinstance(store.state(other), Ready)
    did = store.collect_garbage(kept.weights)

    assert would == did
    assert [(name_folder(other.weights[0]), len(tiny))] == [(each.name, each.size) for each in did]
    assert isinstance(store.state(other), Absent)
    assert isinstance(store.state(kept), Ready)
    assert own.exists()
    assert note.exists()


async def test_garbage_spares_what_is_being_fetched(
    make: Make, hub: Hub, tmp_path: Path, tiny: bytes
):
    """By this process or another; a broken attempt is garbage, too."""
    hub.granted = len(tiny) // 2
    store = make()
    asking = asyncio.ensure_future(store.ensure(model()))
    await until(lambda: arrived(tmp_path))

    assert [] == list(store.collect_garbage(()))
    assert [] == list(make().collect_garbage(()))
    asking.cancel()
    await asyncio.wait([asking])
    assert [True] == [each.size > 0 for each in store.collect_garbage(())]
    assert [] == list(store.collect_garbage(()))


def _start_server_like(hub: Hub, tmp_path: Path) -> subprocess.Popen[bytes]:
    """A process that downloads as a server does."""
    program = f"""
import asyncio
from pathlib import Path
from cupola.catalog.downloads import HubAccess, HubWeightStore
from cupola.catalog.files import File, Format, Quantisation, Weights
from cupola.catalog.store import SystemDisk, WeightFolders

folder = Path({str(tmp_path / "weights")!r})
store = HubWeightStore(folder, WeightFolders(Path("/nowhere"), Path("/nowhere"), folder),
                       HubAccess(endpoint={hub.url!r}), SystemDisk())
weights = Weights(Quantisation.F16, Format.GGUF, (File("tiny-F16.gguf"),), {REPOSITORY!r})
asyncio.run(store.ensure_weights(weights))
"""
    return subprocess.Popen([sys.executable, "-c", program])


def _children_of(tmp_path: Path) -> list[str]:
    """Processes that have the home of this test in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if os.fsencode(tmp_path) in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue  # it has ended, or is another user's
    return found
