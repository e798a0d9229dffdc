"""One line of the audit log. Lines are appended in the transaction of the change that they tell of,
and never changed or deleted: a change without its line, or a line without its change, cannot be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cupola.ids import ProjectName


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change."""

    time: float
    """Seconds since the Unix epoch."""
    actor: str
    """The user's name; `cupola` for what the platform does by itself."""
    action: str
    """A verb on a kind of thing: `endpoints.create`, `keys.regenerate`."""
    target: str
    """Which one: a name within its project."""
    project: ProjectName | None
    """None: it concerns the platform."""
    source: str
    """Where the request came from: an address, `console`, or `cupola`."""
    before: Mapping[str, Any] | None = None
    """What it was, without secrets; None: it was not."""
    after: Mapping[str, Any] | None = None
    """What it has become; None: it is no more."""
    sequence: int = 0
    """Its place in the log, given by the store; 0: not appended yet."""
