"""ETags: the version of what was read, and of what may be changed."""

import re
from typing import Annotated, Final

from fastapi import Depends, Header, Response

from cupola.kit.errors import Invalid, Stale

_TAG: Final = re.compile(r'"([^"]*)"')
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_NO_VERSION: Final = -1
"""What no resource has."""


def mark(response: Response, version: int) -> None:
    """Say which version the reply holds."""
    response.headers["etag"] = f'"{version}"'


def read_expected(
    if_match: Annotated[
        str | None,
        Header(
            description="The ETag that the resource must still have, else the reply is 412.",
            examples=['"3"'],
        ),
    ] = None,
) -> int | None:
    """The version that must still be there; None: whichever. Raises: Invalid."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        raise Invalid('If-Match should be one ETag as it was given, with its quotes: "3".')
    digits = found[1]
    return int(digits) if _NUMBER.fullmatch(digits) else _NO_VERSION


Expected = Annotated[int | None, Depends(read_expected)]


def require(expected: int | None, version: int, what: str) -> None:
    """Raises: Stale."""
    if expected not in (None, version):
        raise Stale(f"{what} was changed meanwhile. Read it again.")
