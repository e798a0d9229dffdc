"""Where a person is signed in: one file in their configuration, readable by them alone.

It holds a token for each server that `cupola login` was told of, and which of them was the last.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import platformdirs

from cupola.cli.failure import Failed


def profile_file() -> Path:
    """`~/.config/cupola/profile.json`, or the platform's like."""
    return platformdirs.user_config_path("cupola") / "profile.json"


@dataclass(frozen=True, slots=True)
class Profile:
    """The sign-ins of one person."""

    current: str | None = None
    """The server that commands ask if none is named."""
    tokens: Mapping[str, str] = field(default_factory=dict)
    """By server."""
    certificates: Mapping[str, str] = field(default_factory=dict)
    """By server: the file of the authority that it is trusted by."""

    @classmethod
    def read(cls, file: Path) -> Self:
        """An empty one, if there is no file."""
        try:
            return cls(**json.loads(file.read_text("utf-8")))
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError, OSError):
            raise Failed(
                f"{file} cannot be read as a profile. Remove it, and sign in with `cupola login`."
            ) from None

    def with_token(self, server: str, token: str, certificate: str | None) -> "Profile":
        """Signed in to `server`, which is current from now on."""
        certificates = {key: each for key, each in self.certificates.items() if key != server}
        if certificate:
            certificates[server] = certificate
        return Profile(server, {**self.tokens, server: token}, certificates)

    def without(self, server: str) -> "Profile":
        """Signed out of `server`."""
        tokens = {key: each for key, each in self.tokens.items() if key != server}
        certificates = {key: each for key, each in self.certificates.items() if key != server}
        return Profile(None if self.current == server else self.current, tokens, certificates)

    def write(self, file: Path) -> None:
        """Whole, and closed to others from its first byte."""
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as target:
            json.dump(
                {
                    "current": self.current,
                    "tokens": dict(self.tokens),
                    "certificates": dict(self.certificates),
                },
                target,
                indent=2,
            )
        draft.replace(file)
