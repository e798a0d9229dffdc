"""Names that OpenAI's chat API knows beyond `wire.chat.FIELDS`."""

from collections.abc import Mapping

from cupola.wire import sampling
from cupola.wire.chat import read_stream_options
from cupola.wire.fields import Field, ignored, integer, neutral
from cupola.wire.sampling import METADATA, PARALLEL

FIELDS: Mapping[str, Field] = {
    **sampling.FIELDS,
    "max_completion_tokens": Field(
        "max_tokens", integer(0), {"type": "integer", "minimum": 0, "description": "max_tokens."}
    ),
    "parallel_tool_calls": PARALLEL,
    "stream_options": Field(
        "include_usage",
        read_stream_options,
        {"type": "object", "properties": {"include_usage": {"type": "boolean"}}},
    ),
    "metadata": METADATA,
    "user": Field("", ignored, {"type": "string"}),
    "safety_identifier": Field("", ignored, {"type": "string"}),
    "prompt_cache_key": Field("", ignored, {"type": "string"}),
    "prompt_cache_retention": Field("", ignored, {"type": "string"}),
    "store": Field("", neutral(False), {"const": False}),
    "service_tier": Field("", neutral("auto", "default"), {"enum": ["auto", "default"]}),
    "modalities": Field("", neutral(["text"]), {"const": ["text"]}),
    "verbosity": Field("", neutral("medium"), {"const": "medium"}),
    "audio": Field("", neutral(), {"type": "null"}),
    "web_search_options": Field("", neutral(), {"type": "null"}),
    "functions": Field("", neutral([]), {"type": "array", "maxItems": 0}),
    "function_call": Field("", neutral("none"), {"const": "none"}),
}
