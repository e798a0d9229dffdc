"""In what the dialects differ, as seen by one who calls: a table, not branches."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cupola.wire.azure.decode import FIELDS as AZURE_FIELDS
from cupola.wire.text import FIELDS as TEXT_FIELDS

Name: TypeAlias = Literal["azure", "mistral", "openai"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How requests are written for an upstream."""

    versioned: bool
    """Whether paths begin with `/v1`."""
    query: str = ""
    """Appended to the path unless the operator's URL has a query of its own."""
    api_key: bool = False
    """Whether the key is sent as `api-key`, too: older and newer services look at either."""
    seed: str = "seed"
    required: str = "required"
    """The word of `tool_choice` for "it must call"."""
    asks_usage: bool = False
    """Whether usage in a stream must be asked for."""
    native: bool = False
    """Mistral's own: it can continue a prefix, fill in, and knows the safe prompt."""
    completes_text: bool = True
    """Whether there is a route for text completions."""
    known: frozenset[str] | None = None
    """Names beyond which `extra-parameters: pass-through` must be said; None: never."""


DIALECTS: dict[Name, Dialect] = {
    "azure": Dialect(
        versioned=False,
        query="api-version=2024-05-01-preview",
        api_key=True,
        known=frozenset({*AZURE_FIELDS, *TEXT_FIELDS}),
    ),
    "mistral": Dialect(
        versioned=True, seed="random_seed", required="any", native=True, completes_text=False
    ),
    "openai": Dialect(versioned=True, asks_usage=True),
}
