import string
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cupola.keys.model import Lineage, derive, digest

SECRET = bytes(range(32))
PILOT = Lineage("pilot")
SEEDED = Lineage("pilot", "default", "sed_1")


def test_same_inputs_same_key():
    """A restart shows the keys that were handed out before it."""
    assert derive(SECRET, PILOT, "primary", 1) == derive(SECRET, PILOT, "primary", 1)


def test_keys_are_pinned():
    """A new version of Cupola must not change the keys that callers hold."""
    assert "IPAxvuR5VcQ42AGb4eSfFYG9Ea6A1CrS" == derive(SECRET, PILOT, "primary", 1)
    assert "ohLGxe7kh7Uk5d6GNIfmoLE4KoR4E1hu" == derive(SECRET, SEEDED, "primary", 1)


@given(secret=st.binary(min_size=32, max_size=32), name=st.text(), generation=st.integers(1, 9999))
def test_form_of_a_key(secret: bytes, name: str, generation: int):
    """A key is 32 characters that need no quoting anywhere."""
    key = derive(secret, Lineage(name), "secondary", generation)

    assert 32 == len(key)
    assert set(key) <= set(string.ascii_letters + string.digits)


def test_every_input_counts():
    """Another installation, endpoint, slot or generation has another key."""
    keys = {
        derive(SECRET, PILOT, "primary", 1),
        derive(bytes(32), PILOT, "primary", 1),
        derive(SECRET, Lineage("pilot2"), "primary", 1),
        derive(SECRET, PILOT, "secondary", 1),
        derive(SECRET, PILOT, "primary", 2),
        derive(SECRET, PILOT, "primary", 21),
        derive(SECRET, SEEDED, "primary", 1),
        derive(SECRET, replace(SEEDED, project="other"), "primary", 1),
        derive(SECRET, replace(SEEDED, seed="sed_2"), "primary", 1),
    }

    assert 9 == len(keys)


@given(text=st.text(st.characters(), max_size=200))
def test_any_text_has_a_digest(text: str):
    """Whatever a caller sends as a key can be looked up, so that it is refused in good order."""
    assert 32 == len(digest(SECRET, text))


def test_digest_belongs_to_the_installation():
    """A table of digests is of no use with another secret."""
    assert digest(SECRET, "key") != digest(bytes(32), "key")
