"""Log-probabilities in the shape of chat replies (OpenAI's, which vLLM and Mistral share).

    {"content": [{"token", "logprob", "bytes", "token_id",
                  "top_logprobs": [{"token", "logprob", "bytes", "token_id"}]}]}

A token need not be whole characters: `bytes` are exact, `token` has U+FFFD for what is no text.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.json import Encoder

from cupola.wire.canonical import Candidate, TokenLogprob

LOWEST = -9999.0
"""Stands for minus infinity, which JSON lacks; vLLM's value."""


class _Told(Struct, omit_defaults=True, kw_only=True):
    token: str
    logprob: float
    bytes: list[int]
    token_id: int | None = None
    """Mistral's clients drop log-probabilities without it; the others do not mind."""


class _Place(_Told, kw_only=True):
    top_logprobs: list[_Told]


class _Content(Struct):
    content: list[_Place]


_json = Encoder().encode


def encode_logprobs(logprobs: Sequence[TokenLogprob], chosen_too: bool) -> bytes:
    """The value of the key `logprobs`.

    Args:
        chosen_too: Whether the chosen token is told among the alternatives in any case.
    """
    return _json(_Content([_place(one, chosen_too) for one in logprobs]))


def finite(logprob: float) -> float:
    """`logprob` as JSON can have it."""
    return max(logprob, LOWEST)


def _place(one: TokenLogprob, chosen_too: bool) -> _Place:
    chosen = _tell(one.chosen)
    top = [_tell(candidate) for candidate in one.alternatives]
    if chosen_too and one.chosen not in one.alternatives:
        top.append(chosen)
    return _Place(
        token=chosen.token,
        logprob=chosen.logprob,
        bytes=chosen.bytes,
        token_id=chosen.token_id,
        top_logprobs=top,
    )


def _tell(candidate: Candidate) -> _Told:
    text = candidate.text.decode("utf-8", "replace")
    return _Told(
        token=text,
        logprob=finite(candidate.logprob),
        bytes=list(candidate.text),
        token_id=candidate.token,
    )
