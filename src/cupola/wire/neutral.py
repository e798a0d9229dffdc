"""Fields that several dialects know and no engine here can do: only harmless values are accepted.

When an engine learns one of these, its field moves to `wire.chat` and fills an attribute of
`ChatRequest`.
"""

from collections.abc import Mapping

from cupola.wire.fields import Field, boolean, ignored, neutral

PARALLEL = Field("parallel_tool_calls", boolean, {"type": "boolean", "default": True})
METADATA = Field("", ignored, {"type": "object", "description": "Accepted, not kept."})

SAMPLING: Mapping[str, Field] = {
    "n": Field("", neutral(1, "1"), {"const": 1}),
    "logprobs": Field("", neutral(False, "false"), {"const": False}),
    "top_logprobs": Field("", neutral(0, "0"), {"const": 0}),
    "prediction": Field("", neutral(), {"type": "null"}),
    "reasoning_effort": Field("", neutral("none"), {"const": "none"}),
}
