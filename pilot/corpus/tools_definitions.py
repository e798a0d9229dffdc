"""The tools that conversations offer: names, parameters and descriptions, put together from
tables, so that almost no definition is seen twice and a model has to read it.

The held-out split uses names and pairs of parameters that training never produces; the tool of the
reference documents is the same in both.
"""

import random
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pilot.conversation import Split
from pilot.corpus import tools_wordings as w
from pilot.corpus.copying import wordings
from pilot.corpus.places import is_held_out, word

ROUTE_MODES = ("flight", "flight", "flight", "train", "train", "bus", "ferry", "ride", "route")
SINGLE_MODES = ("weather", "weather", "weather", "time", "hotel", "restaurant", "population",
                "museum")  # fmt: skip
OTHER_MODES = ("convert", "reminder", "stock")
REFERENCE_NAME = "get_flight_info"
REFERENCE_PAIR = ("origin_city", "destination_city")
NAME_PERCENT = 12


@dataclass(frozen=True, slots=True)
class Tool:
    """A definition, and what each of its parameters stands for."""

    mode: str
    definition: Mapping[str, Any]
    roles: tuple[tuple[str, str, bool], ...]
    """Parameter name, role ("A", "B", "date" ...), required or not; in schema order."""

    @property
    def name(self) -> str:
        return self.definition["function"]["name"]


def _joined(parts: list[str], rng: random.Random) -> str:
    """Parts as snake_case, camelCase, PascalCase or kebab-case."""
    words = [x for part in parts if part for x in part.split("_")]
    style = rng.random()
    if style < 0.66:
        return "_".join(words)
    if style < 0.88:
        return words[0] + "".join(x.capitalize() for x in words[1:])
    if style < 0.95:
        return "".join(x.capitalize() for x in words)
    return "-".join(words)


def _tool_name(
    nouns: Mapping[str, tuple[str, ...]], suffixes: tuple[str, ...], rng: random.Random
) -> str:
    language = rng.choices(("en", "fr", "es"), (84, 8, 8))[0]
    if language not in nouns:
        language = "en"
    verb = rng.choice(w.VERBS[language])
    noun = rng.choice(nouns[language])
    suffix = rng.choice(suffixes) if language == "en" else ""
    shape = rng.random()
    parts = [verb, noun] if shape < 0.35 else [verb, noun, suffix]
    if shape > 0.75:
        parts = [noun, suffix or verb]
    if shape > 0.93:
        parts = [rng.choice(w.PREFIXES) if rng.random() < 0.5 else word(rng)[:6], *parts]
    name = _joined(parts, rng)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return plain or verb


def _is_held_out_name(name: str) -> bool:
    return name != REFERENCE_NAME and is_held_out(name, NAME_PERCENT)


def _name_in_split(make: Callable[[random.Random], str], split: Split, rng: random.Random) -> str:
    while True:
        name = make(rng)
        if _is_held_out_name(name) == (split == "heldout") and name != REFERENCE_NAME:
            return name


def _composed_pair(rng: random.Random) -> tuple[str, str]:
    first, second = rng.choice(w.PAIR_STEMS)
    head = rng.choice(w.PAIR_HEADS)
    style = rng.random()
    if style < 0.5:
        return f"{first}_{head}", f"{second}_{head}"
    if style < 0.7:
        return f"{head}_{first}", f"{head}_{second}"
    big = "".join(x.capitalize() for x in head.split("_"))
    return first + big, second + big


def _pair_names(split: Split, rng: random.Random) -> tuple[tuple[str, str], bool]:
    """Names for origin and destination, and whether only the descriptions tell which is which."""
    while True:
        pick = rng.random()
        neutral = pick < 0.06
        if neutral:
            pair = rng.choice(w.NEUTRAL_PAIRS)
        else:
            pair = rng.choice(w.FIXED_PAIRS) if pick < 0.6 else _composed_pair(rng)
        held = pair != REFERENCE_PAIR and is_held_out("/".join(pair), NAME_PERCENT)
        if held == (split == "heldout"):
            return pair, neutral


def _definition(
    name: str, description: str, properties: Mapping[str, Any], required: list[str]
) -> Mapping[str, Any]:
    parameters = {"type": "object", "properties": dict(properties), "required": required}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


EXTRAS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "date": (
        ("date", "day", "when", "travel_date", "departure_date", "fecha"),
        {"type": "string", "description": "The day of the trip, as the user says it"},
    ),
    "class": (
        ("travel_class", "cabin", "class", "seat_class"),
        {"type": "string", "description": "The class of the seat", "enum": list(w.CLASSES)},
    ),
    "passengers": (
        ("passengers", "travellers", "people", "seats", "num_passengers"),
        {"type": "integer", "description": "How many people travel"},
    ),
    "price": (
        ("max_price", "budget", "price_limit", "maxPrice"),
        {"type": "integer", "description": "The highest price"},
    ),
    "nights": (
        ("nights", "num_nights", "number_of_nights", "stay"),
        {"type": "integer", "description": "How many nights"},
    ),
    "unit": (
        ("unit", "units", "scale"),
        {
            "type": "string",
            "description": "Unit of the temperature",
            "enum": ["celsius", "fahrenheit"],
        },
    ),
}
EXTRA_ROLES: dict[str, tuple[str, ...]] = {
    "flight": ("date", "date", "class", "passengers", "price"),
    "train": ("date", "date", "class", "passengers"),
    "bus": ("date", "date", "passengers", "price"),
    "ferry": ("date", "passengers"),
    "ride": ("date", "passengers"),
    "route": (),
    "weather": ("date", "unit", "unit"),
    "hotel": ("nights", "nights", "date"),
}


def _extra(mode: str, rng: random.Random) -> tuple[str, str, dict[str, Any], bool] | None:
    """At times a further parameter: name, role, schema, required."""
    roles = EXTRA_ROLES.get(mode, ())
    if not roles or rng.random() > 0.3:
        return None
    role = rng.choice(roles)
    names, schema = EXTRAS[role]
    return rng.choice(names), role, schema, rng.random() < 0.35


def _text_parameter(text: str, rng: random.Random) -> dict[str, str]:
    if rng.random() < 0.12 or not text:
        return {"type": "string"}
    return {"type": "string", "description": text}


def route_tool(mode: str, split: Split, rng: random.Random) -> Tool:
    """A tool that answers about a way from one place to another."""
    name = _name_in_split(lambda r: _tool_name(w.MODE_NOUNS[mode], w.SUFFIXES, r), split, rng)
    (origin, destination), neutral = _pair_names(split, rng)
    language = rng.choices(("en", "fr", "es"), (88, 6, 6))[0]
    described = rng.choice(w.DESCRIBED[mode][language])
    description = rng.choice(wordings(w.DESCRIPTIONS[language], split)).format(d=described)
    texts = rng.choice(w.ORIGIN_TEXTS), rng.choice(w.DESTINATION_TEXTS)
    schemas = [
        {"type": "string", "description": x} if neutral else _text_parameter(x, rng) for x in texts
    ]
    entries = [(origin, "A", schemas[0], True), (destination, "B", schemas[1], True)]
    if rng.random() < 0.2:
        entries.reverse()
    extra = _extra(mode, rng)
    if extra and extra[0] not in (origin, destination):
        entries.insert(2 if rng.random() < 0.8 else 0, extra)
    return _tool(mode, name, description, entries)


def _tool(
    mode: str, name: str, description: str, entries: list[tuple[str, str, dict[str, Any], bool]]
) -> Tool:
    properties = {key: schema for key, _, schema, _ in entries}
    required = [key for key, _, _, needed in entries if needed]
    roles = tuple((key, role, needed) for key, role, _, needed in entries)
    return Tool(mode, _definition(name, description, properties, required), roles)


def reference_tool() -> Tool:
    """The tool of the reference documents, word for word."""
    entries = [
        (
            "origin_city",
            "A",
            {"type": "string", "description": "The name of the city where the flight originates"},
            True,
        ),
        (
            "destination_city",
            "B",
            {"type": "string", "description": "The flight destination city"},
            True,
        ),
    ]
    return _tool("flight", REFERENCE_NAME, w.REFERENCE_DESCRIPTION, entries)


def single_tool(mode: str, split: Split, rng: random.Random) -> Tool:
    """A tool that answers about one place."""
    nouns = {"en": w.SINGLE_NOUNS[mode]}
    name = _name_in_split(lambda r: _tool_name(nouns, w.PLACE_SUFFIXES, r), split, rng)
    parameter = rng.choice(wordings(w.PLACE_PARAMETERS, split))
    entries = [(parameter, "A", _text_parameter(rng.choice(w.PLACE_TEXTS), rng), True)]
    extra = _extra(mode, rng)
    if extra and extra[0] != parameter:
        entries.append(extra)
    return _tool(mode, name, rng.choice(w.SINGLE_DESCRIPTIONS[mode]), entries)


OTHER_TOOLS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[tuple, ...]]] = {
    "convert": (
        ("currency", "money", "exchange_rate", "currencies", "amount"),
        ("Converts an amount from one currency to another", "Exchange rates between currencies."),
        (
            ("value", ("amount", "value", "sum"), "integer", "The amount of money"),
            ("F", ("from", "from_currency", "source", "base"), "string", "Currency to change"),
            ("T", ("to", "to_currency", "target", "quote"), "string", "Currency to get"),
        ),
    ),
    "reminder": (
        ("reminder", "alarm", "note", "reminders"),
        ("Sets a reminder for the user", "Reminds the user of something at a given time."),
        (
            ("s", ("text", "task", "message", "what"), "string", "What to remember"),
            ("t", ("time", "at", "when", "clock_time"), "string", "The time"),
        ),
    ),
    "stock": (
        ("stock", "stock_price", "share_price", "shares"),
        ("Returns the price of a stock", "Look up a share on the stock market."),
        (("S", ("symbol", "ticker", "stock", "code"), "string", "Symbol of the stock"),),
    ),
}


def other_tool(mode: str, split: Split, rng: random.Random) -> Tool:
    """A tool that has nothing to do with places."""
    nouns, descriptions, parameters = OTHER_TOOLS[mode]
    name = _name_in_split(lambda r: _tool_name({"en": nouns}, w.PLACE_SUFFIXES[:-2], r), split, rng)
    entries = [
        (rng.choice(names), role, {"type": kind, "description": text}, True)
        for role, names, kind, text in parameters
    ]
    return _tool(mode, name, rng.choice(descriptions), entries)


def tool_of(mode: str, split: Split, rng: random.Random) -> Tool:
    """A tool of the given mode."""
    if mode in w.MODE_NOUNS:
        return route_tool(mode, split, rng)
    if mode in w.SINGLE_NOUNS:
        return single_tool(mode, split, rng)
    return other_tool(mode, split, rng)


def draw_mode(rng: random.Random) -> str:
    """A mode, as often as the corpus uses it."""
    modes = rng.choices((ROUTE_MODES, SINGLE_MODES, OTHER_MODES), (68, 24, 8))[0]
    return rng.choice(modes)
