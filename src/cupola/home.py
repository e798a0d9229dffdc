"""The home: the folder that holds all state of one installation.

    secret.key          what every key is derived from (keys.store); never leaves the home
    cupola.db           endpoints (db); SQLite, with its -wal and -shm beside it while in use
    ledger.db           usage (metering), unless it lies in PostgreSQL; beside it the same two
    ledger/             requests in progress, and records that wait for a database that is away
    upstreams.toml      models that others run, if you write it (engines.upstream.config)
    identity.toml       a sign-in provider (identity.mapping), and whose tokens call managed
                        endpoints (tokens.schemas), if you write it
    models.d/           entries of your own, for models that the catalog has not (catalog.store)
    models/             weights of your own; searched before the ones that come with Cupola
    weights/            weights that were fetched (catalog.layout); may be deleted
    tls/                a certificate authority of the home's own, if asked for (http.authority)
    logs/               cupola.log, and ENDPOINT-DEPLOYMENT-INSTANCE.log of each engine
    run/lock            held by the running server, so that a second one stays out
    run/server.json     the running server's process id and address, for the commands
    run/console.token   what this machine's own commands present to it (identity.console)

Everything in `run/` may be deleted while no server runs. The home is readable by its owner alone,
which is why the files in it need no further protection.
"""

import fcntl
import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cupola.kit.errors import CupolaError


class HomeUnusable(CupolaError):
    """The folder cannot be used. Said to the person who runs Cupola, so it may name paths."""


class BadFile(CupolaError):
    """A file that an operator wrote cannot be read. Said to them, so it may name paths."""


class HomeInUse(CupolaError):
    """Another server runs on this home. Said to the person who runs Cupola."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """What a server says about itself to commands on the same machine."""

    pid: int
    url: str
    version: str
    certificate: str | None = None
    """The PEM file that it shows, if its URL begins with `https`; commands believe it alone."""


class Home:
    """The layout of one home folder; nothing exists until `prepare`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secret = folder / "secret.key"
        self.database = folder / "cupola.db"
        self.entries = folder / "models.d"
        self.ledger = folder / "ledger.db"
        self.journals = folder / "ledger"
        self.tls = folder / "tls"
        self.models = folder / "models"
        self.weights = folder / "weights"
        self.upstreams = folder / "upstreams.toml"
        self.identity = folder / "identity.toml"
        self.logs = folder / "logs"
        self.run = folder / "run"
        self.console_token = self.run / "console.token"
        self._lock = self.run / "lock"
        self._note = self.run / "server.json"

    def prepare(self) -> None:
        """Make the folders, closed to others."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            for folder in (self.models, self.logs, self.run, self.journals):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise HomeUnusable(
                f"The home {self.folder} cannot be used: {error.strerror}. Choose another folder "
                "with --home or CUPOLA_HOME, or mend its permissions."
            ) from error

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep other servers out; the kernel lets go when the process ends, however it ends."""
        with self._lock.open("a") as file:
            if not _try_lock(file.fileno(), fcntl.LOCK_EX):
                raise HomeInUse(self._explain_holder())
            yield

    @contextmanager
    def announce(self, server: RunningServer) -> Iterator[None]:
        """Tell commands where the server is, while the block runs."""
        write_whole(self._note, json.dumps(asdict(server)))
        try:
            yield
        finally:
            self._note.unlink(missing_ok=True)

    def find_server(self) -> RunningServer | None:
        """The server that runs on this home; a note that a killed one left is not believed."""
        return self._read_note() if self._is_held() else None

    def _is_held(self) -> bool:
        try:
            with self._lock.open("r") as file:
                return not _try_lock(file.fileno(), fcntl.LOCK_SH)
        except FileNotFoundError:
            return False

    def _read_note(self) -> RunningServer | None:
        try:
            return RunningServer(**json.loads(self._note.read_text()))
        except FileNotFoundError:
            return None

    def _explain_holder(self) -> str:
        server = self._read_note()
        who = f"process {server.pid}, at {server.url}" if server else "it is still starting"
        return (
            f"Another Cupola already runs on the home {self.folder} ({who}). Stop it first, or "
            "give this one a home of its own with --home."
        )


def read_tables(file: Path) -> dict[str, Any]:
    """What stands in a TOML file that an operator may write; nothing if it is not there.

    Raises:
        BadFile: It is there, and cannot be read.
    """
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise BadFile(f"{file} cannot be read: {error}. Mend it, or take it away.") from None


def write_whole(path: Path, text: str) -> None:
    """Write `path` so that a reader sees nothing or all of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)


def _try_lock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
