"""What must be known of a model's tokens to ask llama.cpp for a completion and to read it."""

import re
from dataclasses import dataclass

from cupola.engines.by_heart import PythonTokens, find_python_tokens
from cupola.engines.gguf import Header


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Drawn from the model's file once."""

    bos: tuple[str, int] | None
    """Text and id of the token that begins a prompt."""
    banned: tuple[int, ...]
    """Tokens that no text may hold: all control tokens but those that end a reply."""
    control_texts: tuple[str, ...]
    tool_calls_token: int | None
    python: PythonTokens | None
    """The tokens around calls of functions that the model knows by heart."""
    tokens: tuple[bytes, ...]
    """What each token says."""
    special: frozenset[int]
    """Tokens that llama.cpp leaves out of the text it sends."""
    ends: frozenset[int]
    """Tokens that end a reply."""
    end: bytes
    """What the token that ends a reply says."""
    longest_token: int
    """Bytes, at most: so a text has at least its length divided by this in tokens."""
    leading_space: bool
    """SentencePiece: after a control token, text begins with one space that is not the text's."""
    adds_space: bool
    """The tokenizer puts that space before every piece of prompt by itself."""
    spaced: re.Pattern[str]
    """A control token and a space, at the end of a text."""
    spaced_inside: re.Pattern[str]
    """The same, with more text behind it."""


def read_vocabulary(header: Header) -> Vocabulary:
    """The vocabulary of the model whose file begins with `header`."""
    control = header.control_tokens
    names = "|".join(map(re.escape, sorted(control, key=len, reverse=True))) or "(?!)"
    kept_out = {*control.values(), *header.unknown_ids} - header.end_ids
    return Vocabulary(
        bos=header.bos,
        banned=tuple(sorted(kept_out)),
        control_texts=tuple(control),
        tokens=header.tokens,
        special=frozenset([*control.values(), *header.unknown_ids]),
        ends=header.end_ids,
        end=header.eos[0].encode(errors="replace") if header.eos else b"",
        tool_calls_token=control.get("[TOOL_CALLS]"),
        python=find_python_tokens(header.tokenizer, control),
        longest_token=header.longest_token,
        leading_space=header.tokenizer == "llama",
        adds_space=header.tokenizer == "llama" and header.add_space_prefix,
        spaced=re.compile(f"({names}) $"),
        spaced_inside=re.compile(f"({names}) (?=[^ ])"),
    )
