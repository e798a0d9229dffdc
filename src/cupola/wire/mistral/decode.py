"""Names that Mistral's chat API knows beyond `wire.chat.FIELDS`.

The safety switch has three spellings in Microsoft's and Mistral's documents; all mean the same.
"""

from collections.abc import Mapping

from cupola.wire import sampling
from cupola.wire.fields import Field, boolean, ignored, integer, neutral
from cupola.wire.sampling import METADATA, PARALLEL

_SAFE = Field("safe_prompt", boolean, {"type": "boolean", "default": False})

FIELDS: Mapping[str, Field] = {
    **sampling.FIELDS,
    "random_seed": Field("seed", integer(0), {"type": "integer", "minimum": 0}),
    "parallel_tool_calls": PARALLEL,
    "safe_prompt": _SAFE,
    "safe_mode": _SAFE,
    "safemode": _SAFE,
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
