"""The provider of `identity.toml`, if there is one: imports what it needs only then."""

from cupola.identity.mapping import BadIdentity, OidcConfig
from cupola.identity.ports import Provider
from cupola.kit.clock import Clock


def open_provider(config: OidcConfig, clock: Clock) -> Provider:
    """The provider. Asks it nothing yet.

    Raises:
        BadIdentity: The extra `oidc` is not installed.
    """
    try:
        from cupola.identity.oidc import OidcProvider  # noqa: PLC0415  0.2 s, and an extra
    except ImportError as error:
        raise BadIdentity(
            "identity.toml needs the extra 'oidc': pip install 'cupola[oidc]'.", private=str(error)
        ) from error
    return OidcProvider(config, clock)
