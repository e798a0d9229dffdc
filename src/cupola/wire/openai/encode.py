"""How replies to clients that speak OpenAI's dialect look."""

from cupola.wire.completion import Style

STYLE = Style(call_id=False, usage="own")
"""Asked for with `stream_options`, usage comes in a chunk of its own, which has no choice."""
