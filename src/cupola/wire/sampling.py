"""Fields beyond `wire.chat.FIELDS` that choose among tokens and replies, as vLLM named them.

They are extra parameters on the Azure route and plain fields on the others. This table is also the
list of what may be passed through to a model: a name that is in no table never reaches an engine.
"""

from collections.abc import Mapping
from typing import Any

from cupola.kit.errors import Malformed
from cupola.wire.canonical import LogprobsAsked
from cupola.wire.fields import (
    Field,
    Path,
    array,
    boolean,
    ignored,
    integer,
    mapping,
    neutral,
    number,
)

MOST_CHOICES = 16
MOST_ALTERNATIVES = 20
MOST_TOKENS = 1024
"""In `logit_bias` and `stop_token_ids`."""
_HIGHEST_ID = 2**31 - 1

PARALLEL = Field("parallel_tool_calls", boolean, {"type": "boolean", "default": True})
METADATA = Field("", ignored, {"type": "object", "description": "Accepted, not kept."})


def read_logprobs(value: Any, path: Path) -> LogprobsAsked | None:
    """True or false, as chat APIs have it; or the number of alternatives, as Llama's had it."""
    if type(value) is bool or value in ("true", "false"):
        return LogprobsAsked() if boolean(value, path) else None
    return LogprobsAsked(integer(0, MOST_ALTERNATIVES)(value, path), with_chosen=True)


def read_logit_bias(value: Any, path: Path) -> tuple[tuple[int, float], ...]:
    """Token id -> bias, of at most 100 either way."""
    biases = mapping(value, path)
    if len(biases) > MOST_TOKENS:
        raise _too_many(path)
    read_id, read_bias = integer(0, _HIGHEST_ID), number(-100, 100)
    return tuple([(read_id(k, (*path, k)), read_bias(v, (*path, k))) for k, v in biases.items()])


def read_token_ids(value: Any, path: Path) -> tuple[int, ...]:
    """Token ids."""
    ids = array(value, path)
    if len(ids) > MOST_TOKENS:
        raise _too_many(path)
    return tuple([integer(0, _HIGHEST_ID)(item, (*path, i)) for i, item in enumerate(ids)])


def _read_top_k(value: Any, path: Path) -> int:
    """-1 and 0 both mean: no limit."""
    limit: int = integer(-1, _HIGHEST_ID)(value, path)
    return max(0, limit)


def _read_penalty(value: Any, path: Path) -> float:
    penalty: float = number(0, 2)(value, path)
    if penalty == 0:
        raise Malformed("Input should be greater than 0", code="greater_than",
                        context={"gt": 0}, path=path, value=value)  # fmt: skip
    return penalty


def _read_early_stopping(value: Any, path: Path) -> bool:
    return False if value == "never" else boolean(value, path)


def _too_many(path: Path) -> Malformed:
    return Malformed(
        f"Value error, at most {MOST_TOKENS} tokens can be named here", code="too_long", path=path
    )


def _count(lowest: int, highest: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": lowest, "maximum": highest}


_FLAG = {"type": "boolean", "default": False}
_IDS = {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": MOST_TOKENS}

FIELDS: Mapping[str, Field] = {
    "n": Field("n", integer(1, MOST_CHOICES), _count(1, MOST_CHOICES)),
    "best_of": Field("best_of", integer(1, MOST_CHOICES), _count(1, MOST_CHOICES)),
    "logprobs": Field("logprobs", read_logprobs, {"oneOf": [_FLAG, _count(0, MOST_ALTERNATIVES)]}),
    "top_logprobs": Field(
        "top_logprobs", integer(0, MOST_ALTERNATIVES), _count(0, MOST_ALTERNATIVES)
    ),
    "logit_bias": Field(
        "logit_bias",
        read_logit_bias,
        {
            "type": "object",
            "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100},
        },
        option=True,
    ),
    "top_k": Field("top_k", _read_top_k, {"type": "integer", "minimum": -1}, option=True),
    "min_p": Field(
        "min_p", number(0, 1), {"type": "number", "minimum": 0, "maximum": 1}, option=True
    ),
    "repetition_penalty": Field(
        "repetition_penalty",
        _read_penalty,
        {"type": "number", "exclusiveMinimum": 0, "maximum": 2},
        option=True,
    ),
    "ignore_eos": Field("ignore_eos", boolean, _FLAG, option=True),
    "stop_token_ids": Field("stop_token_ids", read_token_ids, _IDS, option=True),
    "skip_special_tokens": Field(
        "skip_special_tokens", boolean, {"type": "boolean", "default": True}, option=True
    ),
    "use_beam_search": Field("use_beam_search", boolean, _FLAG, option=True),
    "length_penalty": Field("length_penalty", number(-10, 10), {"type": "number"}, option=True),
    "early_stopping": Field(
        "early_stopping",
        _read_early_stopping,
        {"oneOf": [_FLAG, {"const": "never"}]},
        option=True,
    ),
    "min_tokens": Field("min_tokens", integer(0), {"type": "integer", "minimum": 0}, option=True),
    "prediction": Field("", neutral(), {"type": "null"}),
    "reasoning_effort": Field("", neutral("none"), {"const": "none"}),
}
