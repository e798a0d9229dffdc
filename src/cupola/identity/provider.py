"""The provider of `identity.toml`, if there is one: imports what it needs only then."""

from collections.abc import Collection
from pathlib import Path

from cupola.identity.mapping import BadIdentity, OidcConfig, read_identity
from cupola.identity.ports import Provider
from cupola.kit.clock import Clock


def open_provider(
    file: Path, roles: Collection[str], clock: Clock
) -> tuple[Provider, OidcConfig] | None:
    """The provider and what its groups mean; None if there is no file. Asks it nothing yet.

    Raises:
        BadIdentity: The file cannot be used, or the extra `oidc` is not installed.
    """
    config = read_identity(file, roles)
    if config is None:
        return None
    try:
        from cupola.identity.oidc import OidcProvider  # noqa: PLC0415  0.2 s, and an extra
    except ImportError as error:
        raise BadIdentity(
            f"{file} needs the extra 'oidc': pip install 'cupola[oidc]'.", private=str(error)
        ) from error
    return OidcProvider(config, clock), config
