"""What the server and the process that talks to the hub tell each other: a line of JSON each."""

from typing import TypeAlias

import msgspec

from cupola.catalog.files import File


class Job(msgspec.Struct, frozen=True):
    """What is to be done: the child's first line of input. The token is in no other place."""

    repository: str
    revision: str | None
    token: str | None
    pause: float
    """Seconds before the first repetition after a fault of the network; doubles."""
    patience: float
    """Seconds without a byte after which a connection counts as broken."""
    fetch: "Fetch | None"
    """None: only describe the repository."""


class Fetch(msgspec.Struct, frozen=True):
    """Files to bring here."""

    folder: str
    format: str
    files: tuple[File, ...]
    """What the entry says; none: all that belong to the format."""


class Waiting(msgspec.Struct, tag=True):
    """Another process fetches the same."""


class Planned(msgspec.Struct, tag=True):
    """The files are known; nothing is fetched until the parent says `go`."""

    total: int
    bytes: int
    """That are here already."""


class Progressed(msgspec.Struct, tag=True):
    """More has arrived."""

    bytes: int


class Done(msgspec.Struct, tag=True):
    """Everything is here, checked, with its receipt."""


class Failed(msgspec.Struct, tag=True):
    """It ends here; what has arrived stays."""

    reason: str
    """For people."""


class Listed(msgspec.Struct, frozen=True):
    """A file of a repository."""

    name: str
    size: int | None
    sha256: str | None
    blob: str | None
    """Git's own checksum, of files that are small enough for git."""


class Described(msgspec.Struct, tag=True, frozen=True):
    """What a hub says of a repository; numbers it does not know are None."""

    revision: str
    files: tuple[Listed, ...]
    gated: bool = False
    license: str | None = None
    parameters: int | None = None
    context_length: int | None = None
    chat_template: str | None = None
    config: dict[str, object] | None = None
    """The repository's config.json, if it has one that may be read."""


Event: TypeAlias = Waiting | Planned | Progressed | Done | Failed | Described
