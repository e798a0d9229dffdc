"""A hub as the fetching process sees it: describe a repository, fetch files, check them.

Only that process imports this module, and with it huggingface_hub. Faults of the network are
repeated with pauses that double; each byte that arrives makes the count begin anew. Everything else
ends the job with a sentence that says what to do.
"""

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import msgspec
from huggingface_hub import HfApi, constants, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError: its client's
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # made on demand

from cupola.catalog.fetch_events import (
    Described,
    Done,
    Event,
    Fetch,
    Job,
    Listed,
    Planned,
    Progressed,
    Waiting,
)
from cupola.catalog.files import File, Format, is_safe_name
from cupola.catalog.inspection import CONFIG, check_file, is_wanted
from cupola.catalog.layout import PART, PLAN, Receipt, find_whole, locked, write_receipt
from cupola.engines.gguf_file import BadModelFile

T = TypeVar("T")
Tell = Callable[[Event], None]

ATTEMPTS: Final = 6
"""In a row without one byte; with the first pause of a second, half a minute."""
_PASSING: Final = {408, 425, 429, 500, 502, 503, 504}
_TOLD_EVERY: Final = 0.2
"""Seconds between two events of progress."""
_MOST_FILES: Final = 10_000
_MOST_CONFIG: Final = 1024 * 1024


class CutOff(Exception):
    """A transfer ended before its end, and brought nothing."""


class Refused(Exception):
    """The job ends; the text is for people."""


def describe(job: Job) -> Described:
    """What the hub says of the job's repository. Raises: Refused."""
    api = HfApi(token=job.token or False)
    try:
        info = _repeat(
            job,
            lambda: api.model_info(
                job.repository, revision=job.revision, files_metadata=True, timeout=job.patience
            ),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # the library trusts a hub
        raise Refused(
            f"{constants.ENDPOINT} answered with something that no hub says: check "
            "CUPOLA_HUB_ENDPOINT."
        ) from error
    siblings = info.siblings or []
    if len(siblings) > _MOST_FILES:
        raise Refused(f"{job.repository} has {len(siblings):,} files: that is no model.")
    files = tuple(
        Listed(each.rfilename, each.size, each.lfs.sha256 if each.lfs else None, each.blob_id)
        for each in siblings
    )
    gguf = info.gguf or {}
    card = info.card_data
    license = card.get("license") if card else None
    return Described(
        revision=str(info.sha),
        files=files,
        gated=bool(info.gated),
        license=license if isinstance(license, str) else None,
        parameters=_number(gguf.get("total"))
        or (info.safetensors.total if info.safetensors else None),
        context_length=_number(gguf.get("context_length")),
        chat_template=str(gguf["chat_template"]) if gguf.get("chat_template") else None,
        config=_read_config(job, str(info.sha), files) if job.fetch is None else None,
    )


def fetch(job: Job, wanted: Fetch, tell: Tell, wait: Callable[[], None]) -> None:
    """Bring the wanted files into their folder, and write the receipt. Raises: Refused."""
    folder = Path(wanted.folder)
    try:
        with locked(folder, wait=False) as free:
            if free:
                return _fetch_alone(job, wanted, folder, tell, wait)
        tell(Waiting())
        with locked(folder, wait=True):
            _fetch_alone(job, wanted, folder, tell, wait)
    except OSError as error:
        _refuse_disk(error)


def _fetch_alone(
    job: Job, wanted: Fetch, folder: Path, tell: Tell, wait: Callable[[], None]
) -> None:
    if find_whole(folder):  # another process fetched it while we waited for the lock
        return tell(Done())
    described = describe(job)
    files = _choose(job, wanted, described.files)
    total = sum(each.size or 0 for each in files)
    here = [_size(folder / each.name) or _size(_part(folder, each)) for each in files]
    tell(Planned(total=total, bytes=sum(here)))
    wait()
    expected = tuple(File(each.name, each.size, each.sha256) for each in files)
    write_receipt(folder, Receipt(job.repository, described.revision, expected), PLAN)
    tally = _Tally(tell)
    whole = tuple(_bring(job, described.revision, folder, each, tally) for each in files)
    write_receipt(folder, Receipt(job.repository, described.revision, whole))
    return tell(Done())


def _choose(job: Job, wanted: Fetch, listed: Sequence[Listed]) -> Sequence[Listed]:
    """The repository's files that are wanted, as the entry and the hub agree on them."""
    for each in listed:
        if not is_safe_name(each.name) and is_wanted(each.name, Format(wanted.format)):
            raise Refused(f"{job.repository} has a file of an unsafe name: {each.name!r}.")
    known = {each.name: each for each in listed if is_wanted(each.name, Format(wanted.format))}
    if not wanted.files:
        if not any(name.endswith(wanted.format) for name in known):
            raise Refused(f"{job.repository} has no {wanted.format} file.")
        # Weights first: the first file is what a receipt's weights are called by.
        weights = [each for name, each in sorted(known.items()) if name.endswith(wanted.format)]
        return [*weights, *(each for each in known.values() if each not in weights)]
    return [_agree(job, file, known) for file in wanted.files]


def _agree(job: Job, file: File, known: dict[str, Listed]) -> Listed:
    listed = known.get(file.name)
    if listed is None:
        names = ", ".join(sorted(known)) or "none of that format"
        raise Refused(f"{job.repository} has no file {file.name!r}. It has: {names}.")
    if file.size not in (None, listed.size) or (
        file.sha256 and listed.sha256 and file.sha256 != listed.sha256
    ):
        raise Refused(
            f"{file.name} in {job.repository} is not the file of the catalog's entry: size or "
            "checksum differ. It was changed since; correct the entry if you trust the new one."
        )
    return msgspec.structs.replace(listed, sha256=file.sha256 or listed.sha256)


class _Tally:
    """Bytes of all files, told now and then."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._before = 0
        self._told = 0.0

    def put(self, size: int, *, ends: bool = False) -> None:
        """The file under way has `size` bytes now; `ends`: it is whole."""
        now = time.monotonic()
        if ends or now - self._told >= _TOLD_EVERY:
            self._tell(Progressed(self._before + size))
            self._told = now
        if ends:
            self._before += size


def _bring(job: Job, revision: str, folder: Path, listed: Listed, tally: _Tally) -> File:
    """One file, from wherever it is now to whole and checked."""
    path, part = folder / listed.name, _part(folder, listed)
    part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.is_file():
        _download(job, revision, listed, part, tally)
        source = part
    else:
        source = path  # whole when an earlier attempt ended at another file; checked again
    digest = _check(listed, source, job.repository)
    with source.open("rb") as file:
        os.fsync(file.fileno())  # before the receipt: it must not outlive what it says
    source.replace(path)
    size = path.stat().st_size
    tally.put(size, ends=True)
    return File(listed.name, size, digest)


def _download(job: Job, revision: str, listed: Listed, part: Path, tally: _Tally) -> None:
    """Go on with `part` until it has the size that the hub says."""

    def attempt() -> bool:
        """Whether it is whole; False if the connection ended too early, but brought something."""
        before = _size(part)
        try:
            _append(job, revision, listed, part, tally)
        except HTTPError as error:
            if isinstance(error, HfHubHTTPError):
                raise  # an answer, if a refusing one
            if _size(part) > before:
                return False
            raise
        if listed.size is None or _size(part) >= listed.size:
            return True
        if _size(part) > before:
            return False
        raise CutOff

    if listed.size is not None and _size(part) > listed.size:
        part.unlink()
    while (listed.size is None or _size(part) < listed.size) and not _repeat(job, attempt):
        time.sleep(job.pause)  # a server that hangs up on every reply is not hammered


def _append(job: Job, revision: str, listed: Listed, part: Path, tally: _Tally) -> None:
    headers = {**build_hf_headers(token=job.token or False), "Accept-Encoding": "identity"}
    begin = _size(part) if listed.size is not None else 0
    if begin:
        headers["Range"] = f"bytes={begin}-"
    url = hf_hub_url(job.repository, listed.name, revision=revision)
    with get_session().stream("GET", url, headers=headers, timeout=job.patience) as response:
        hf_raise_for_status(response)
        resumed = begin and response.status_code == HTTPStatus.PARTIAL_CONTENT
        with part.open("ab" if resumed else "wb") as file:
            size = begin if resumed else 0
            for chunk in response.iter_raw():
                file.write(chunk)
                file.flush()
                size += len(chunk)
                if listed.size is not None and size > listed.size:
                    raise Refused(f"{listed.name} is longer than {job.repository} says it is.")
                tally.put(size)


def _check(listed: Listed, path: Path, repository: str) -> str:
    """The SHA-256 of the file. A file that fails a check is deleted: no attempt may build on it."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if listed.sha256 is not None:
            matches = digest == listed.sha256
        else:
            matches = listed.blob is None or _git_checksum(path) == listed.blob
        if not matches:
            raise BadModelFile("it has not the checksum that it should have")
        check_file(path, listed.name)
    except BadModelFile as error:
        path.unlink(missing_ok=True)
        raise Refused(
            f"{listed.name} of {repository} cannot be used, and was deleted: {error.public} "
            "Try again; if it stays so, the repository or the mirror is damaged."
        ) from error
    return digest


def _git_checksum(path: Path) -> str:
    """What git calls a file by, for those that a repository keeps without a SHA-256."""
    data = path.read_bytes()
    digest = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
    return digest.hexdigest()


def _read_config(job: Job, revision: str, files: Sequence[Listed]) -> dict[str, object] | None:
    """The model's shape, where there is one and we may read it."""
    if not any(each.name == CONFIG and (each.size or 0) <= _MOST_CONFIG for each in files):
        return None
    url = hf_hub_url(job.repository, CONFIG, revision=revision)
    headers = build_hf_headers(token=job.token or False)

    def get() -> bytes:
        response = get_session().get(url, headers=headers, timeout=job.patience)
        hf_raise_for_status(response)
        return response.content

    config = msgspec.json.decode(_repeat(job, get))
    return config if isinstance(config, dict) else None


def _repeat(job: Job, work: Callable[[], T]) -> T:
    """The result of `work`, repeated while only the network is at fault. Raises: Refused."""
    pauses = _iter_pauses(job.pause)
    while True:
        try:
            return work()
        except HfHubHTTPError as error:
            if error.response.status_code not in _PASSING:
                _refuse_answer(job, error)
            fault = f"{constants.ENDPOINT} answered with status {error.response.status_code}"
        except (HTTPError, CutOff) as error:
            fault = f"{constants.ENDPOINT} cannot be reached ({type(error).__name__})"
        except HFValidationError as error:
            raise Refused(f"{job.repository!r} is no name of a repository.") from error
        pause = next(pauses, None)
        if pause is None:
            raise Refused(
                f"{fault}, {ATTEMPTS} times in a row. Check the network and CUPOLA_HUB_ENDPOINT, "
                "then try again: what has arrived is kept."
            )
        time.sleep(pause)


def _iter_pauses(first: float) -> Iterator[float]:
    for attempt in range(ATTEMPTS - 1):
        yield first * 2**attempt


def _refuse_answer(job: Job, error: HfHubHTTPError) -> NoReturn:
    address = f"{constants.ENDPOINT}/{job.repository}"
    match error:
        case GatedRepoError() if job.token:
            text = (
                f"{job.repository} is gated, and the token's account has no access to it: accept "
                f"the licence at {address} with that account, then try again."
            )
        case GatedRepoError():
            text = (
                f"{job.repository} is gated: accept the licence at {address}, and give a token of "
                "your account there (the variable HF_TOKEN, or CUPOLA_HUB_TOKEN_FILE)."
            )
        case RevisionNotFoundError():
            text = f"{job.repository} has no revision {job.revision!r}."
        case EntryNotFoundError():
            text = f"{job.repository} lacks a file that it lists. Try again later."
        case RepositoryNotFoundError():
            text = (
                f"There is no repository {job.repository} at {constants.ENDPOINT}, or it is "
                "private: check the name, or give a token (HF_TOKEN or CUPOLA_HUB_TOKEN_FILE)."
            )
        case _:
            text = f"{address} answered with status {error.response.status_code}."
    raise Refused(text) from error


def _refuse_disk(error: OSError) -> NoReturn:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise Refused("The disk is full. Free some space, then try again.") from error
    raise Refused(f"The weights cannot be written: {error.strerror or error}.") from error


def _part(folder: Path, listed: Listed) -> Path:
    return folder / (listed.name + PART)


def _size(path: Path) -> int:
    """0 if it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
