from cupola.keys.memory import MemorySecret
from cupola.keys.model import Lineage, digest
from cupola.keys.service import Keyring


def test_pair_of_an_endpoint():
    """The two keys differ, and each is as it was when asked again."""
    keyring = Keyring(MemorySecret())
    pair = keyring.get_pair(Lineage("pilot"), primary=1, secondary=1)

    assert pair.primary != pair.secondary
    assert pair == keyring.get_pair(Lineage("pilot"), primary=1, secondary=1)


def test_regenerating_one_keeps_the_other():
    """Callers can move to the secondary key before the primary one is changed."""
    keyring = Keyring(MemorySecret())
    before = keyring.get_pair(Lineage("pilot"), primary=1, secondary=1)
    after = keyring.get_pair(Lineage("pilot"), primary=2, secondary=1)

    assert after.primary != before.primary
    assert after.secondary == before.secondary


def test_digest_uses_the_secret_of_the_store():
    """The keyring and the gateway agree on what a key is looked up by."""
    keyring = Keyring(MemorySecret(bytes(32)))

    assert keyring.digest("key") == digest(bytes(32), "key")
