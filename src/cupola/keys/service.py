"""The verbs of keys: show an endpoint's pair, and digest what a caller presents."""

from cupola.keys.model import KeyPair, Lineage, derive, digest
from cupola.keys.ports import SecretStore


class Keyring:
    """Derives keys from the installation's secret, which it reads once."""

    def __init__(self, store: SecretStore) -> None:
        self._secret = store.ensure_secret()

    def get_pair(self, lineage: Lineage, primary: int, secondary: int) -> KeyPair:
        """The keys of an endpoint at these generations."""
        return KeyPair(
            primary=derive(self._secret, lineage, "primary", primary),
            secondary=derive(self._secret, lineage, "secondary", secondary),
        )

    def digest(self, key: str) -> bytes:
        """What `gateway.directory.Snapshot.keys` is looked up by."""
        return digest(self._secret, key)
