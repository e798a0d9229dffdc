"""Tokens of both kinds of vocabularies, as the bytes they say."""

import pytest

from cupola.engines.pieces import BYTE, CONTROL, read_pieces

NORMAL = 1


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("▁Paris", NORMAL, b" Paris"),
        ("é", NORMAL, "é".encode()),
        ("<0xC3>", BYTE, b"\xc3"),
        ("[INST]", CONTROL, b"[INST]"),
    ],
)
def test_sentencepiece(text: str, kind: int, said: bytes):
    """A space is U+2581, a byte is written in hexadecimal."""
    assert (said,) == read_pieces([text], [kind], "llama")


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("ĠParis", NORMAL, b" Paris"),
        ("Ã©", NORMAL, "é".encode()),
        ("Ċ", NORMAL, b"\n"),
        ("Ń", NORMAL, b"\xad"),
        ("<|eot_id|>", CONTROL, b"<|eot_id|>"),
        ("日", NORMAL, "日".encode()),
    ],
)
def test_byte_level(text: str, kind: int, said: bytes):
    """Every byte is a character; what is none stands for itself."""
    assert (said,) == read_pieces([text], [kind], "gpt2")


def test_every_byte_has_its_character():
    """The alphabet is the whole of 256 bytes, each once."""
    alphabet = [chr(i) for i in [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x144)]]

    assert set(range(256)) == {piece[0] for piece in read_pieces(alphabet, [1] * 256, "gpt2")}
