"""A vocabulary in which every token but the first three is whole ASCII text.

llama.cpp tells of a token once its text is whole characters, so here it tells of every one; but in
the vocabulary that spells other characters in bytes. No text without a tilde can be cut in two
ways: its characters are its tokens.
"""

import string
from dataclasses import dataclass, replace
from typing import Final

import gguf

BOS, EOS = 1, 2
SPECIAL: Final = (0, BOS, EOS)
TEMPLATE: Final = "{{ bos_token }}{{ messages[-1]['content'] }}"
"""The content is the whole prompt, so a chat asks for the same tokens as a bare generation."""

_CHARACTERS: Final = [chr(code) for code in range(32, 127)]
_PAIR: Final = "~~"
"""Byte-level BPE must have a merge."""
_LONGER: Final = [f"~{first}{second}" for first in "abcde" for second in "vwxyz"]
TEXTS: Final = (*_CHARACTERS, _PAIR, *_LONGER)
_BYTES: Final = range(0x80, 0x100)
PROMPT_IDS: Final = [
    len(SPECIAL) + TEXTS.index(character)
    for character in string.ascii_lowercase + string.digits + " .,"
]
"""What the proof's texts are made of."""


@dataclass(frozen=True)
class Tokenizer:
    """How a family writes its vocabulary."""

    kind: str
    special: tuple[str, str, str]
    space: str
    spells: bool = False
    """Whether there are tokens for bytes."""

    @property
    def size(self) -> int:
        """Tokens."""
        return len(SPECIAL) + len(TEXTS) + (len(_BYTES) if self.spells else 0)


SENTENCEPIECE: Final = Tokenizer("llama", ("<unk>", "<s>", "</s>"), "\u2581")
SPELLING: Final = replace(SENTENCEPIECE, spells=True)
BYTE_LEVEL: Final = Tokenizer("gpt2", ("<|reserved|>", "<|begin_of_text|>", "<|eot_id|>"), "\u0120")


def read_texts(tokenizer: Tokenizer) -> list[str]:
    """What each token says; a byte is `\\xe3`."""
    spelt = [f"\\x{byte:02x}" for byte in _BYTES] if tokenizer.spells else []
    return [*tokenizer.special, *TEXTS, *spelt]


def spell(text: str) -> list[int]:
    """The tokens of a text that need not be ASCII."""
    texts, read = read_texts(SPELLING), bytes.decode
    return [texts.index(read(bytes([byte]), "ascii", "backslashreplace")) for byte in text.encode()]


def add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    """Write the tokens, how text is cut into them, and the chat template."""
    kind = gguf.TokenType
    written = [text.replace(" ", tokenizer.space) for text in TEXTS]
    spelt = [f"<0x{byte:02X}>" for byte in _BYTES] if tokenizer.spells else []
    kinds = [kind.CONTROL] * len(SPECIAL) + [kind.NORMAL] * len(TEXTS) + [kind.BYTE] * len(spelt)
    writer.add_tokenizer_model(tokenizer.kind)
    writer.add_token_list([*tokenizer.special, *written, *spelt])
    writer.add_token_types(kinds)
    if tokenizer is BYTE_LEVEL:
        writer.add_tokenizer_pre("llama-bpe")
        writer.add_token_merges([" ".join(_PAIR)])
    else:
        writer.add_token_scores([-float(rank) for rank in range(tokenizer.size)])
        writer.add_unk_token_id(0)
        writer.add_add_space_prefix(False)
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_add_bos_token(True)
    writer.add_chat_template(TEMPLATE)
