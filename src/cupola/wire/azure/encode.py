"""How replies of the Azure dialect differ from the others: nothing but what its samples show."""

from cupola.wire.completion import Style

STYLE = Style(call_id=True, usage="last")
"""Whole calls carry `"call_id": null` as the service's do; a stream's last chunk carries usage."""
