"""What a GGUF file says of its model: what must be known to prompt it, and no more."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cupola.engines.by_heart import find_python_tokens
from cupola.engines.gguf_file import BadModelFile, read_metadata
from cupola.engines.pieces import CONTROL, UNKNOWN, USER_DEFINED, read_pieces
from cupola.engines.port import Profile

__all__ = ["BadModelFile", "Header", "profile", "read_header"]

_UNKNOWN, _CONTROL, _USER_DEFINED = UNKNOWN, CONTROL, USER_DEFINED
_END_KEYS: Final = ("eos_token_id", "eot_token_id", "eom_token_id")
_END_TEXTS: Final = ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|im_end|>", "<|end|>")
"""Control tokens that llama.cpp takes for the end of a reply by their text alone."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is kept of a model file."""

    architecture: str
    name: str
    context_length: int
    chat_template: str
    """Empty: the file has none."""
    tokenizer: str
    """`llama` is SentencePiece, `gpt2` is byte-level BPE."""
    tokens: tuple[bytes, ...]
    """What each token says, as UTF-8 of which it may hold a part of a character."""
    longest_token: int
    """Bytes."""
    bos: tuple[str, int] | None
    """Text and id."""
    eos: tuple[str, int] | None
    end_ids: frozenset[int]
    """Tokens that end a reply."""
    control_tokens: dict[str, int]
    unknown_ids: tuple[int, ...]
    user_defined: tuple[str, ...]
    """Texts that the tokenizer cuts out first; they are not control tokens."""
    add_space_prefix: bool


def read_header(path: Path) -> Header:
    """Check the file at `path` and keep what prompting needs.

    Raises:
        BadModelFile: it is unreadable, cut short, damaged, or has no tokenizer.
    """
    return _interpret(_Metadata(read_metadata(path)))


def profile(header: Header, context_length: int | None = None) -> Profile:
    """What the gateway must know of the model, served with at most `context_length` tokens."""
    longest = header.context_length
    return Profile(
        context_length=min(context_length or longest, longest),
        chat_template=header.chat_template,
        bos_token=header.bos[0] if header.bos else "",
        eos_token=header.eos[0] if header.eos else "",
        control_tokens=header.control_tokens,
        tool_calls_token=header.control_tokens.get("[TOOL_CALLS]"),
        grammar=True,
        calls_by_heart=find_python_tokens(header.tokenizer, header.control_tokens) is not None,
    )


class _Metadata:
    """Typed look-ups: a value of a wrong type is a damaged file."""

    def __init__(self, pairs: dict[str, Any]) -> None:
        self._pairs = pairs

    def find(self, key: str, kind: type) -> Any:
        value = self._pairs.get(key)
        if value is not None and type(value) is not kind:
            raise BadModelFile(f"The model file's {key!r} has a wrong type.")
        return value

    def get(self, key: str, kind: type) -> Any:
        value = self.find(key, kind)
        if value is None or value == [] or value == "":
            raise BadModelFile(f"The model file has no {key!r}.")
        return value


def _interpret(metadata: _Metadata) -> Header:
    architecture: str = metadata.get("general.architecture", str)
    tokenizer: str = metadata.get("tokenizer.ggml.model", str)
    texts: list[str] = metadata.get("tokenizer.ggml.tokens", list)
    types: list[int] = metadata.get("tokenizer.ggml.token_type", list)
    context_length: int = metadata.get(f"{architecture}.context_length", int)
    add_space_prefix: bool | None = metadata.find("tokenizer.ggml.add_space_prefix", bool)
    if len(types) != len(texts) or not isinstance(texts[0], str) or context_length < 1:
        raise BadModelFile("The model file's tokenizer or context length is damaged.")
    control = {text: i for i, text in enumerate(texts) if types[i] == _CONTROL}
    ends = [_find_token(metadata, key, texts) for key in _END_KEYS]
    return Header(
        architecture=architecture,
        name=metadata.find("general.name", str) or "",
        context_length=context_length,
        chat_template=metadata.find("tokenizer.chat_template", str) or "",
        tokenizer=tokenizer,
        tokens=read_pieces(texts, types, tokenizer),
        longest_token=max(len(text.encode(errors="replace")) for text in texts),
        bos=_find_token(metadata, "bos_token_id", texts),
        eos=ends[0],
        end_ids=frozenset(
            [end[1] for end in ends if end] + [control[t] for t in _END_TEXTS if t in control]
        ),
        control_tokens=control,
        unknown_ids=tuple(i for i, kind in enumerate(types) if kind == _UNKNOWN),
        user_defined=tuple(t for t, k in zip(texts, types, strict=True) if k == _USER_DEFINED),
        add_space_prefix=tokenizer == "llama" if add_space_prefix is None else add_space_prefix,
    )


def _find_token(metadata: _Metadata, key: str, texts: list[str]) -> tuple[str, int] | None:
    number: int | None = metadata.find(f"tokenizer.ggml.{key}", int)
    if number is None:
        return None
    if not 0 <= number < len(texts):
        raise BadModelFile(f"The model file's {key!r} is no token of its vocabulary.")
    return texts[number], number
