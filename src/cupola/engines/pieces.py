"""What the tokens of a GGUF vocabulary say, as bytes.

SentencePiece (`llama`) writes a space as U+2581 and a byte that is no character of its own as
`<0x0A>`. Byte-level BPE (`gpt2`) writes every byte as a printable character: those that are
printable in Latin-1 as themselves, the others as the characters from U+0100 on, in order.
"""

import re
from collections.abc import Sequence
from typing import Final

UNKNOWN, CONTROL, USER_DEFINED, BYTE = 2, 3, 4, 6
"""Types of tokens, as GGUF numbers them."""

_SPACE: Final = "\u2581"
_BYTE: Final = re.compile("<0x([0-9A-Fa-f]{2})>")
_PRINTABLE: Final = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_OTHERS: Final = [byte for byte in range(256) if byte not in _PRINTABLE]
_BYTES: Final = {
    **{chr(byte): byte for byte in _PRINTABLE},
    **{chr(0x100 + i): byte for i, byte in enumerate(_OTHERS)},
}


def read_pieces(texts: Sequence[str], types: Sequence[int], tokenizer: str) -> tuple[bytes, ...]:
    """What each token says; control tokens and the like say their own name."""
    read = _read_byte_level if tokenizer == "gpt2" else _read_sentencepiece
    return tuple([read(text, kind) for text, kind in zip(texts, types, strict=True)])


def _read_sentencepiece(text: str, kind: int) -> bytes:
    if kind == BYTE and (byte := _BYTE.fullmatch(text)):
        return bytes.fromhex(byte[1])
    return _plain(text if kind in (CONTROL, UNKNOWN) else text.replace(_SPACE, " "))


def _read_byte_level(text: str, kind: int) -> bytes:
    if kind in (CONTROL, UNKNOWN, USER_DEFINED):
        return _plain(text)
    try:
        return bytes([_BYTES[character] for character in text])
    except KeyError:  # no byte-level text: said as it stands
        return _plain(text)


def _plain(text: str) -> bytes:
    return text.encode(errors="replace")
