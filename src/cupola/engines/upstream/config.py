"""What an operator writes down of upstreams: one TOML file, a table for each endpoint.

    [mistral-large]                            # the endpoint's name
    model = "Mistral-Large-2407"               # what callers know the model as
    dialect = "mistral"                        # what the upstream speaks
    url = "https://api.mistral.ai"
    upstream_model = "mistral-large-2407"      # what the upstream knows it as, if that differs
    key_variable = "MISTRAL_API_KEY"           # or key_file; the key itself never stands here

docs/reference/upstreams.md describes each field; a test compares.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from cupola.engines.port import CAPABILITIES, FILL, LOGPROBS, SAFE_PROMPT, TEXT, TOOLS
from cupola.engines.upstream.address import Target, read_url
from cupola.engines.upstream.dialect import DIALECTS, Dialect, Name
from cupola.engines.upstream.key import KeyFile, KeySource, KeyVariable
from cupola.kit.errors import CupolaError, Invalid

JSON: Final = "json"
JSON_SCHEMA: Final = "json_schema"
_OF_BEAMS: Final = {"use_beam_search", "length_penalty", "early_stopping"}
"""A search's answers come ranked and together, which no dialect can say."""
OPTIONS: Final = tuple(name for name in CAPABILITIES if name not in {LOGPROBS, *_OF_BEAMS})
FEATURES: Final = (TOOLS, JSON, JSON_SCHEMA, TEXT, FILL, LOGPROBS, *OPTIONS)
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN: Final = frozenset(
    ("messages", "model", "stream", "stream_options", "prompt", "tools", "tool_choice",
     "response_format", "max_tokens", "n", SAFE_PROMPT)
)  # fmt: skip
"""What the engine writes itself, and so no extra may replace."""


class BadUpstreams(CupolaError):
    """The file cannot be used. Said to the person who runs Cupola, so it may name paths."""


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One table of the file, as it stands there."""

    model: str
    dialect: Name
    url: str
    upstream_model: str = ""
    key_variable: str = ""
    key_file: str = ""
    ca_file: str = ""
    publisher: str = ""
    context_length: int = 0
    features: tuple[str, ...] = (TOOLS, JSON, JSON_SCHEMA)
    extra_parameters: tuple[str, ...] = ()
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    default_temperature: float | None = None
    timeout: float = 300.0
    trace_context: Literal["none", "parent", "full"] = "parent"


@dataclass(frozen=True, slots=True)
class Upstream:
    """One upstream, checked."""

    endpoint: str
    model: str
    dialect: Dialect
    target: Target
    upstream_model: str
    key: KeySource | None
    publisher: str
    """Empty: as the catalog says."""
    context_length: int
    """0: as the catalog says."""
    features: frozenset[str]
    extra_parameters: frozenset[str]
    limit_field: str = "max_tokens"
    default_temperature: float | None = None
    """None: the upstream's own, whatever it is."""
    timeout: float = 300.0
    """Seconds without a byte after which the upstream is given up."""
    trace_context: Literal["none", "parent", "full"] = "parent"
    """What it is told of a request's trace: nothing, the ids, or also what others noted in it."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What the gateway may ask for."""
        native = {SAFE_PROMPT} if self.dialect.native else set()
        return self.features | self.extra_parameters | native


def read_upstreams(file: Path) -> tuple[Upstream, ...]:
    """The upstreams in `file`, sorted by name; none if there is no such file.

    Raises:
        BadUpstreams: It cannot be used; the message says which table, and what is wrong.
    """
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise BadUpstreams(f"{file} cannot be read: {error}") from None
    return tuple([_read(name, tables[name], file) for name in sorted(tables)])


def _read(name: str, table: Any, file: Path) -> Upstream:
    try:
        entry = msgspec.convert(table, Entry)
        return _check(name, entry, file.parent)
    except (msgspec.ValidationError, Invalid) as error:
        raise BadUpstreams(f"{file}, table [{name[:64]}]: {error}") from None


def _check(name: str, entry: Entry, folder: Path) -> Upstream:
    if not _NAME.fullmatch(name):
        raise Invalid("An endpoint's name has 1 to 63 characters of a-z, 0-9 and inner '-'.")
    if not entry.model.isprintable() or not entry.model:
        raise Invalid("'model' must be a name.")
    if entry.timeout <= 0 or entry.context_length < 0:
        raise Invalid("'timeout' must be above 0, and 'context_length' not below.")
    dialect = DIALECTS[entry.dialect]
    _check_features(entry, dialect)
    ca_file = str(folder / entry.ca_file) if entry.ca_file else None
    try:
        target = read_url(entry.url, dialect, ca_file)
    except Invalid as error:
        raise Invalid(f"'url' cannot be used. {error}") from None
    return Upstream(
        endpoint=name,
        model=entry.model,
        dialect=dialect,
        target=target,
        upstream_model=entry.upstream_model or entry.model,
        key=_find_key(entry, folder),
        publisher=entry.publisher,
        context_length=entry.context_length,
        features=frozenset(entry.features),
        extra_parameters=frozenset(entry.extra_parameters),
        limit_field=entry.limit_field,
        default_temperature=entry.default_temperature,
        timeout=entry.timeout,
        trace_context=entry.trace_context,
    )


def _check_features(entry: Entry, dialect: Dialect) -> None:
    if unknown := sorted(set(entry.features) - set(FEATURES)):
        raise Invalid(f"'features' has {unknown[0]!r}. It may have: {', '.join(FEATURES)}.")
    routes = {TEXT: dialect.completes_text, FILL: dialect.native}
    for feature, has_route in routes.items():
        if feature in entry.features and not has_route:
            raise Invalid(f"'features' has '{feature}', but the dialect has no route for it.")
    if own := sorted(_OWN & set(entry.extra_parameters)):
        raise Invalid(f"'extra_parameters' may not have {own[0]!r}: Cupola writes it itself.")
    if named := sorted(set(FEATURES) & set(entry.extra_parameters)):
        raise Invalid(f"'extra_parameters' may not have {named[0]!r}: it belongs in 'features'.")


def _find_key(entry: Entry, folder: Path) -> KeySource | None:
    if entry.key_variable and entry.key_file:
        raise Invalid("Give either 'key_variable' or 'key_file', not both.")
    if entry.key_file:
        return KeyFile(folder / entry.key_file)
    if not entry.key_variable:
        return None
    if not _VARIABLE.fullmatch(entry.key_variable):
        # Whoever wrote the key itself here must not find it in a message, nor in a log.
        raise Invalid("'key_variable' must be the name of an environment variable.")
    return KeyVariable(entry.key_variable)
