"""The checks of `cupola doctor`. None changes anything, not even by making the home."""

import asyncio
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

from cupola.app.state import FIRST_MODEL, find_fault, open_catalog, open_upstreams
from cupola.catalog.files import FoundWeights, describe_mismatch
from cupola.catalog.model import Model
from cupola.catalog.service import Catalog
from cupola.engines.gguf import BadModelFile, read_header
from cupola.home import Home
from cupola.http.server import PortUnusable, listen
from cupola.kit.errors import CupolaError
from cupola.settings import Settings, usable_cores

_GIB = 1024**3
_LITTLE_MEMORY = _GIB // 2
"""The included model, its server and the engine together stay below this."""


class Level(StrEnum):
    """How bad a finding is, mildest first."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: Level
    subject: str
    text: str
    mend: str = ""


def run_checks(settings: Settings) -> Iterator[Finding]:
    """All findings, one after another, so that a slow check does not hide the quick ones."""
    home = Home(settings.home)
    catalog = open_catalog(home)
    yield _check_python()
    yield from _check_engine()
    yield _check_cores()
    yield _check_memory()
    yield _check_disk(home.folder)
    yield _check_home(home)
    for fault in catalog.list_faults():
        yield Finding(Level.WARN, "models", fault)
    for model in catalog.list_models():
        yield from _check_weights(catalog, model)
    yield from _check_upstreams(home)
    yield _check_port(settings, home)


def _check_python() -> Finding:
    number = ".".join(map(str, sys.version_info[:3]))
    return Finding(Level.OK, "python", f"{number} at {sys.executable}")


def _check_engine() -> Iterator[Finding]:
    """Import the engine's parts as its process will."""
    for package in ("xllamacpp", "llguidance"):
        try:
            __import__(package)
        except ImportError as error:
            mend = "Run `make setup` again; on another kind of machine the package must be built."
            yield Finding(Level.FAIL, "engine", f"{package} cannot be loaded: {error}", mend)
        else:
            yield Finding(Level.OK, "engine", f"{package} {version(package)}")


def _check_cores() -> Finding:
    return Finding(Level.OK, "cores", f"{usable_cores()} for the server and its engines")


def _check_memory() -> Finding:
    available = _available_memory()
    text = f"{available / _GIB:.1f} GiB available"
    if available < _LITTLE_MEMORY:
        return Finding(Level.WARN, "memory", text, "End other programs; 0.5 GiB is enough.")
    return Finding(Level.OK, "memory", text)


def _available_memory() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except FileNotFoundError:  # not Linux: what is installed must do
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    sizes = dict(line.split(":") for line in lines)
    return int(sizes["MemAvailable"].split()[0]) * 1024


def _check_disk(folder: Path) -> Finding:
    from cupola.catalog.downloads import SPARE_DISK

    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / _GIB:.1f} GiB free at {existing}"
    if free < SPARE_DISK:  # nothing can be fetched any more
        return Finding(Level.WARN, "disk", text, "Free some, or choose another home with --home.")
    return Finding(Level.OK, "disk", text)


def _check_home(home: Home) -> Finding:
    if not home.folder.exists():
        return Finding(Level.OK, "home", f"{home.folder} will be made by `cupola up`")
    for path, allowed in ((home.folder, 0o700), (home.secret, 0o600)):
        if path.exists() and (mode := stat.S_IMODE(path.stat().st_mode)) & ~allowed:
            text = f"{path} is open to others (mode {mode:o})"
            return Finding(Level.FAIL, "home", text, f"chmod {allowed:o} '{path}'")
    if not os.access(home.folder, os.W_OK):
        text = f"{home.folder} cannot be written to"
        return Finding(Level.FAIL, "home", text, "Mend its owner or mode, or choose another.")
    return Finding(Level.OK, "home", f"{home.folder}")


def _check_weights(catalog: Catalog, model: Model) -> Iterator[Finding]:
    """Most models' weights are elsewhere, and nothing is said of them; the first must be here."""
    found = catalog.find_weights(model)
    if found is None:
        if model.name == FIRST_MODEL:
            name = model.weights[0].describe()
            mend = f"Get {name} with a fresh clone, or put it into the home's models."
            yield Finding(Level.FAIL, "model", f"{model.name}: {name} is missing", mend)
        return
    if fault := _find_fault(found):
        mend = f"Replace {found.path}."
        yield Finding(Level.FAIL, "model", f"{model.name}: {fault}", mend)
        return
    origin = "your own weights" if found.own else "as shipped"
    yield Finding(Level.OK, "model", f"{model.name}: {found.path} ({origin})")


def _find_fault(found: FoundWeights) -> str | None:
    try:
        read_header(found.path)
    except BadModelFile as error:
        return error.public
    if found.own:
        return None
    if fault := describe_mismatch(found.file, found.path.stat().st_size):
        return fault
    if found.file.sha256 is not None and _checksum(found.path) != found.file.sha256:
        return "the checksum is not the catalog's"
    return None


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_upstreams(home: Home) -> Iterator[Finding]:
    """Whether each has its key and takes connections; nothing is asked of it, so nothing costs."""
    try:
        upstreams = open_upstreams(home)
    except CupolaError as error:
        yield Finding(Level.FAIL, "upstream", error.public, f"Mend {home.upstreams}.")
        return
    for name, upstream in upstreams.items():
        if fault := asyncio.run(find_fault(upstream)):
            mend = f"Mend that, or the table [{name}] in {home.upstreams}."
            yield Finding(Level.FAIL, "upstream", f"{name}: {fault}", mend)
        elif upstream.key is not None and upstream.target.exposes_key:
            text = f"{name}: its key goes over the network in the clear"
            yield Finding(Level.WARN, "upstream", text, "Use https:// in its 'url'.")
        else:
            yield Finding(Level.OK, "upstream", f"{name}: takes connections")


def _check_port(settings: Settings, home: Home) -> Finding:
    if server := home.find_server():
        return Finding(Level.OK, "server", f"running at {server.url} (process {server.pid})")
    try:
        with listen(settings.host, settings.port):
            text = f"not running; {settings.host}, port {settings.port} is free for it"
            return Finding(Level.OK, "server", text)
    except PortUnusable as error:
        return Finding(Level.FAIL, "port", error.public, "")
