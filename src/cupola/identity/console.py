"""The local console: commands on this machine, by its owner, without signing in.

Who can read the home owns the installation anyway. So the server writes a fresh random token into
a file that only its owner can open, at each start, and takes it from this machine alone. It stands
for an administrator who is no row of the database, and so can be neither disabled nor guessed.
"""

import ipaddress
import os
import secrets
from pathlib import Path
from typing import Final

from cupola.identity.model import Origin, Principal, User
from cupola.identity.tokens import new_token
from cupola.ids import UserId

NAME: Final = "console"
"""Nobody else may be called so."""

CONSOLE: Final = User(UserId(NAME), NAME, Origin.LOCAL, created=0, administrator=True)
PRINCIPAL: Final = Principal(CONSOLE, source=NAME)


def write_console_token(file: Path) -> str:
    """A fresh token, in `file` with mode 0600, in place of the one of an earlier start."""
    token = new_token()
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as opened:
        opened.write(token)
    draft.replace(file)
    return token


def is_this_machine(source: str) -> bool:
    """Whether a caller's address is of the loopback."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
