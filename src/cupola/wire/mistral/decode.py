"""Names that Mistral's chat API knows beyond `wire.chat.FIELDS`.

The safety switch has three spellings in Microsoft's and Mistral's documents; all mean the same.
"""

from collections.abc import Mapping

from cupola.wire.fields import Field, ignored, integer, neutral
from cupola.wire.neutral import METADATA, PARALLEL, SAMPLING

_SAFE = Field("", neutral(False, "false"), {"const": False})

FIELDS: Mapping[str, Field] = {
    **SAMPLING,
    "random_seed": Field("seed", integer(0), {"type": "integer", "minimum": 0}),
    "parallel_tool_calls": PARALLEL,
    "safe_prompt": _SAFE,
    "safe_mode": _SAFE,
    "safemode": _SAFE,
    "min_tokens": Field("", neutral(0), {"const": 0}),
    "top_k": Field("", neutral(0, -1), {"enum": [0, -1]}),
    "repetition_penalty": Field("", neutral(1), {"const": 1}),
    "ignore_eos": Field("", neutral(False), {"const": False}),
    "prompt_logprobs": Field("", neutral(False, 0), {"const": False}),
    "top_prompt_logprobs": Field("", neutral(0), {"const": 0}),
    "prompt_mode": Field("", neutral(), {"type": "null"}),
    "guardrails": Field("", neutral([]), {"type": "array", "maxItems": 0}),
    "metadata": METADATA,
    "prompt_cache_key": Field("", ignored, {"type": "string"}),
    "service_tier": Field(
        "",
        neutral("auto", "default", "standard_only"),
        {"enum": ["auto", "default", "standard_only"]},
    ),
}
