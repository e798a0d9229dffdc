"""What a catalog entry says about a model."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from cupola.catalog.architecture import Architecture
from cupola.catalog.files import Quantisation, Weights
from cupola.ids import ModelName

LEAST_CONTEXT: Final = 4096
"""Tokens of conversation for which memory is reckoned."""
_ENGINE_BYTES: Final = 512 * 1024**2
"""The engine's own code and buffers."""


class Task(StrEnum):
    """What a model is for, spelt as `/info` gives it in `model_type`."""

    CHAT_COMPLETIONS = "chat-completions"
    TEXT_GENERATION = "text-generation"
    """A base model: it continues text, and knows no turns."""


class Capability(StrEnum):
    """What a model was trained to do, beyond answering in text.

    What an endpoint takes is another thing: a decoder can hold any model to JSON or to calls.
    """

    STREAMING = "streaming"
    TOOLS = "tools"
    JSON = "json"
    SYSTEM = "system"
    """Its layout has a place for system text; without, that text becomes part of the user's."""
    VISION = "vision"


class ToolSyntax(StrEnum):
    """How calls are written in a model's text. Each of our chat templates speaks one."""

    MISTRAL_V2 = "mistral-v2"
    """`[TOOL_CALLS]`, a JSON array of `name` and `arguments`; results go by name."""
    MISTRAL_V3 = "mistral-v3"
    """The same, with an `id` in each call; results go by it."""
    MISTRAL_V7 = "mistral-v7"
    """As v3; text may stand before the calls, and results are plain text."""
    LLAMA_JSON = "llama-json"
    """`{"name": ..., "parameters": ...}`, one call a turn; after `<|python_tag|>`, the functions
    that the model knows by heart: `brave_search.call(query="...")`."""
    PLAIN_JSON = "plain-json"
    """For models trained without any: functions told in words, one call a turn as `llama-json`."""


DeploymentKind: TypeAlias = Literal["serverless", "managed"]
"""As `deployments.model.EndpointKind`, which lies above this room."""


@dataclass(frozen=True, slots=True)
class Price:
    """Of 1,000 tokens, in the currency that the installation reckons in."""

    input: Decimal = Decimal(0)
    """Of the prompt."""
    output: Decimal = Decimal(0)
    """Of the completion."""


@dataclass(frozen=True, slots=True)
class Model:
    """One entry. Nothing in it depends on the machine it is read on."""

    name: ModelName
    """As clients, `/info` and replies give it."""
    publisher: str
    """Who made it, spelt as `/info` gives it in `model_provider_name`."""
    collection: str
    """The family it belongs to."""
    summary: str
    """One or two plain sentences on what to expect of it."""
    task: Task
    license: str
    """An SPDX identifier; `LicenseRef-...` where SPDX has none."""
    terms: str
    """The address of the licence's text."""
    preview: bool
    """Labelled as a preview: no promise of service, not for production."""
    languages: tuple[str, ...]
    """ISO 639-1 codes, best first."""
    context_length: int
    """Tokens of prompt and completion together."""
    capabilities: frozenset[Capability]
    engines: tuple[str, ...]
    """Engines that can run it, preferred first."""
    deployments: tuple[DeploymentKind, ...]
    """The kinds of endpoint it is offered for."""
    default_temperature: float
    """Used when a request gives none."""
    parameters: int | None = None
    """None: not published."""
    tool_syntax: ToolSyntax | None = None
    """None: it is never shown tools."""
    chat_template: str | None = None
    """The file in `templates/` that serves where the model file has no template of its own."""
    extra_parameters: tuple[str, ...] = ()
    """Fields beyond the Azure schema that the model takes (`extra-parameters: pass-through`)."""
    price: Price = Price()
    architecture: Architecture | None = None
    """None: not published."""
    weights: tuple[Weights, ...] = ()
    """Preferred first; none: they are closed."""

    def least_memory(self, quantisation: Quantisation) -> int | None:
        """Bytes to serve one conversation of `LEAST_CONTEXT` tokens; None: not to be known.

        Reckoned, not measured: the parameters at the quantisation's size, the cache of keys and
        values, and half a gibibyte for the engine.
        """
        if self.parameters is None or self.architecture is None:
            return None
        context = min(LEAST_CONTEXT, self.context_length)
        parameters = int(self.parameters * quantisation.bits / 8)
        return parameters + self.architecture.cache_bytes(context) + _ENGINE_BYTES
