"""How replies to clients that speak Mistral's dialect look."""

from cupola.wire.completion import Style

STYLE = Style(call_id=False, usage="last")
"""A stream's last chunk carries usage, asked for or not."""
