"""A real PostgreSQL for tests: a cluster of its own on a socket of its own, gone afterwards."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg

from tests.acceptance.missing import give_up
from tests.patience import PATIENCE, wait_until
from tests.robustness.processes import children_of, is_running

_DEBIAN = Path("/usr/lib/postgresql")
_OPTIONS = (
    *("-c", "listen_addresses="),
    *("-c", "fsync=off"),  # what tests write need not outlive the machine
    *("-c", "max_connections=50"),
)


_REMEMBER = """
DO $$ DECLARE name text; BEGIN
    CREATE SCHEMA seed;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('CREATE TABLE seed.%1$I AS TABLE public.%1$I', name);
    END LOOP;
END $$"""
_EMPTY = """
DO $$ DECLARE name text; BEGIN
    SET LOCAL session_replication_role = replica;  -- no triggers, no foreign keys
    SET LOCAL lock_timeout = '5s';
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('DELETE FROM public.%I', name);
        EXECUTE format(
            'INSERT INTO public.%1$I OVERRIDING SYSTEM VALUE SELECT * FROM seed.%1$I', name);
    END LOOP;
    FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER SEQUENCE public.%I RESTART', name);
    END LOOP;
END $$"""


class Cluster:
    """A server that can be stopped and started, and databases in it."""

    def __init__(self, folder: Path, user: str, line: Sequence[str]) -> None:
        self._folder = folder
        self._user = user
        self._line = line
        self._server: subprocess.Popen[bytes] | None = None
        self._made = 0
        self._empty: list[str] = []
        """Databases that can be lent again."""

    def start(self) -> None:
        """Returns when it answers."""
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(self._line, stdout=subprocess.DEVNULL, stderr=log)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self._server.poll() is not None:
                break
            try:
                _wait_for(self._execute("SELECT 1"))
            except (OSError, asyncpg.PostgresError):
                time.sleep(0.1)
            else:
                return
        log_text = (self._folder / "log").read_text()
        raise AssertionError(f"PostgreSQL does not start:\n{log_text}")

    def stop(self) -> None:
        """At once, whoever is connected: as when its machine goes."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(PATIENCE)
            self._server = None

    def kill(self) -> None:
        """All its processes at once, with -9."""
        if self._server is not None:
            family = {self._server.pid} | children_of(self._server.pid)
            for pid in family:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._server.wait(PATIENCE)
            self._server = None
            assert wait_until(lambda: not any(map(is_running, family)))

    def create(self, template: str = "template1") -> str:
        """The URL of a new database, a copy of `template`."""
        self._made += 1
        name = f"test{self._made}"
        _wait_for(self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        return self.url(name)

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of a database of the newest schema with nothing in it.

        Emptied afterwards and lent again: to copy one takes a hundred times as long, and all of
        the copies would have to be deleted in the end.
        """
        if not self._empty:
            url = self.create(template="test1")
            _wait_for(self._execute(_REMEMBER, url.partition("?")[0].rpartition("/")[2]))
            self._empty.append(url)
        url = self._empty.pop()
        yield url
        with suppress(asyncpg.PostgresError):  # still in use, or changed: not for anybody else
            _wait_for(self._execute(_EMPTY, url.partition("?")[0].rpartition("/")[2]))
            self._empty.append(url)

    def url(self, database: str) -> str:
        return f"postgresql://{self._user}@/{database}?host={self._folder}"

    async def _execute(self, statement: str, database: str = "postgres") -> None:
        connection = await asyncpg.connect(
            host=str(self._folder), user=self._user, database=database
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Skips, or fails in CI, where PostgreSQL is not installed."""
    programs = _find_programs()
    as_whom, user = _choose_user()
    folder = Path(tempfile.mkdtemp(prefix="cupola-postgresql-"))
    try:
        if as_whom:
            shutil.chown(folder, user)
        data = folder / "data"
        line = [str(programs / "initdb"), "--auth=trust", "--encoding=UTF8", "--locale=C"]
        _run([*as_whom, *line, f"--username={user}", f"--pgdata={data}"])
        serve = [str(programs / "postgres"), "-D", str(data), "-k", str(folder), *_OPTIONS]
        found = Cluster(folder, user, [*as_whom, *serve])
        try:
            found.start()
            yield found
        finally:
            found.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(work: Coroutine[Any, Any, None]) -> None:
    """In a thread: whoever asks may be in an event loop already."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def _find_programs() -> Path:
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    for folder in sorted(_DEBIAN.glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    return give_up("PostgreSQL is not installed (no initdb)")


def _choose_user() -> tuple[Sequence[str], str]:
    """PostgreSQL refuses to run as root, so then another user must."""
    if os.getuid() != 0:
        return (), pwd.getpwuid(os.getuid()).pw_name
    for name in ("postgres", "nobody"):
        try:
            who = pwd.getpwnam(name)
        except KeyError:
            continue
        change = ("setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups")
        return change, name
    return give_up("PostgreSQL will not run as root, and there is no other user")


def _run(line: Sequence[str]) -> None:
    done = subprocess.run(line, capture_output=True, text=True, cwd="/", check=False)
    if done.returncode:
        raise AssertionError(f"{line} failed:\n{done.stdout}{done.stderr}")
