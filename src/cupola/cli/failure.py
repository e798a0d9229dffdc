"""How a command ends that fails: one message, and a status that says what kind of failure it was.

    0    done                              4    not there, or not to be seen
    1    refused, or it failed             5    it exists already, or changed meanwhile
    2    bad use of the command            6    cannot be reached, or not in time
    3    not signed in, or not allowed     130  Ctrl-C

docs/reference/cli.md promises them; a test compares.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cupola.kit.errors import CupolaError, Kind

if TYPE_CHECKING:
    from cupola import sdk

REFUSED: Final = 1
NOT_ALLOWED: Final = 3
NOT_FOUND: Final = 4
CONFLICT: Final = 5
UNAVAILABLE: Final = 6
INTERRUPTED: Final = 130

_BY_KIND: Final[Mapping[Kind, int]] = {
    Kind.UNAUTHENTICATED: NOT_ALLOWED,
    Kind.FORBIDDEN: NOT_ALLOWED,
    Kind.NOT_FOUND: NOT_FOUND,
    Kind.CONFLICT: CONFLICT,
    Kind.RATE_LIMITED: UNAVAILABLE,
    Kind.TOO_SLOW: UNAVAILABLE,
    Kind.UNAVAILABLE: UNAVAILABLE,
}


class Failed(CupolaError):
    """A command could not do what it was asked; `status` is the process's."""

    def __init__(self, public: str, status: int = REFUSED) -> None:
        super().__init__(public)
        self.status = status


def choose_status(error: CupolaError) -> int:
    """The status with which a command ends that raised `error`."""
    return error.status if isinstance(error, Failed) else _BY_KIND.get(error.kind, REFUSED)


def explain(error: "sdk.CupolaError") -> Failed:
    """What the management API's client raised, for people."""
    from cupola import sdk

    statuses: Mapping[type[Exception], int] = {
        sdk.Unauthenticated: NOT_ALLOWED,
        sdk.Forbidden: NOT_ALLOWED,
        sdk.NotFound: NOT_FOUND,
        sdk.Conflict: CONFLICT,
        sdk.RateLimited: UNAVAILABLE,
        sdk.Unavailable: UNAVAILABLE,
        sdk.Unreachable: UNAVAILABLE,
    }
    kinds = (status for kind, status in statuses.items() if isinstance(error, kind))
    return Failed(_spell(error), next(kinds, REFUSED))


def _spell(error: "sdk.CupolaError") -> str:
    from cupola import sdk

    if not isinstance(error, sdk.Refused):
        return str(error)
    faults = [str(each.get("message", "")) for each in error.details]
    lines = [error.message, *(each for each in faults if each and each not in error.message)]
    if error.mend and error.mend not in error.message:
        lines.append(error.mend)
    if isinstance(error, sdk.Unauthenticated):
        lines.append("Sign in with `cupola login`.")
    if isinstance(error, sdk.ServerFailed) and error.request_id:
        lines.append(f"The server's log names it {error.request_id}.")
    return "\n".join(lines)
