"""Conversations with tools: calling the right one with the right arguments, leaving it alone when
the question is about something else, and saying what a result says.

Tool names, parameter names, descriptions and questions are put together from tables, so that
almost no definition is seen twice and a model has to read it. The held-out split uses tool names,
parameter pairs, wordings and places that training never produces; `tools.reference` is the
exception in that its tool is the one of the reference documents in both splits.
"""
# ruff: noqa: RUF001, SIM905

import random
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pilot.conversation import Check, Conversation, Split
from pilot.corpus import tools_wordings as w
from pilot.corpus.copying import wordings
from pilot.corpus.facts import draw
from pilot.corpus.places import city, city_pair, draw_in_split, is_held_out, japanese_city, word
from pilot.corpus.tools_phrases import composed
from pilot.corpus.tools_results import Result, clock, plural, result

ROUTE_MODES = ("flight", "flight", "flight", "train", "train", "bus", "ferry", "ride", "route")
SINGLE_MODES = ("weather", "weather", "weather", "time", "hotel", "restaurant", "population",
                "museum")  # fmt: skip
OTHER_MODES = ("convert", "reminder", "stock")
LANGUAGES = ("en",) * 68 + ("fr",) * 14 + ("es",) * 12 + ("ja",) * 6
REFERENCE_NAME = "get_flight_info"
REFERENCE_PAIR = ("origin_city", "destination_city")
REFERENCE_QUESTION = "When is the next {n} from {A} to {B}?"
ID_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
NAME_PERCENT = 12
COMPOSED_SHARE = 0.45
THANKS: dict[str, tuple[str, str]] = {
    "en": ("Thank you!", "You're welcome!"),
    "fr": ("Merci beaucoup !", "Avec plaisir !"),
    "es": ("¡Muchas gracias!", "¡De nada!"),
    "ja": ("ありがとうございます", "どういたしまして。"),
}


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


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that a tool answers, and the call it leads to."""

    tool: Tool
    text: str
    arguments: Mapping[str, Any]
    language: str
    places: Mapping[str, str]
    noun: str


# --- definitions ---------------------------------------------------------------------------------


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


# --- questions -----------------------------------------------------------------------------------


def _elided(name: str) -> str:
    """French "de" before a name."""
    first = unicodedata.normalize("NFKD", name[0])[0].lower()
    return f"d'{name}" if first in "aeiouœæø" else f"de {name}"


def _date(language: str, rng: random.Random) -> tuple[str, str]:
    """A phrase that states a day, and the day as stated."""
    phrase = rng.choice(w.DATE_PHRASES[language])
    if "{r}" in phrase:
        value = rng.choice(w.RELATIVE[language])
        return phrase.format(r=value), value
    day, month = rng.randint(1, 28), rng.choice(w.MONTHS[language])
    pick = rng.random()
    if language == "ja":
        value = rng.choice((rng.choice(w.DAYS["ja"]), f"{month}{day}日"))
    elif pick < 0.4:
        value = rng.choice(w.DAYS[language])
    elif language == "en" and pick < 0.55:
        value = f"{month} {day}"
    elif pick < 0.7:
        value = f"{rng.randint(2025, 2030)}-{rng.randint(1, 12):02d}-{day:02d}"
    else:
        value = f"{day} {month}"
    return phrase.format(v=value), value


def _stated(role: str, language: str, rng: random.Random) -> tuple[str, Any] | None:
    """A phrase that states a value of this role, and the value; None where there is no wording."""
    if role == "date":
        return _date(language, rng)
    if not _sayable(role, language):
        return None
    value: Any
    if role == "class":
        value = rng.choice(w.CLASSES)
    elif role == "passengers":
        value = rng.randint(2, 12)
    elif role == "price":
        value = rng.choice((rng.randint(20, 999), rng.randint(2, 40) * 10))
    elif role == "nights":
        value = rng.randint(2, 14)
    else:
        value = rng.choice(("celsius", "fahrenheit"))
    return rng.choice(PHRASES[role][language]).format(v=value), value


PHRASES: dict[str, Mapping[str, tuple[str, ...]]] = {
    "date": w.DATE_PHRASES,
    "class": w.CLASS_PHRASES,
    "passengers": w.PASSENGER_PHRASES,
    "price": w.PRICE_PHRASES,
    "nights": w.NIGHT_PHRASES,
    "unit": w.UNIT_PHRASES,
}


def _sayable(role: str, language: str) -> bool:
    """Whether a value of this role can be stated in the language."""
    return role not in PHRASES or language in PHRASES[role]


def _with_phrase(template: str, phrase: str) -> str:
    """Put a phrase into a template: at its slot, or before its last mark."""
    if "{x}" in template:
        return template.replace("{x}", phrase)
    body = template.rstrip(" ?.!")
    return body + phrase + template[len(body) :]


def _dressed(text: str, language: str, rng: random.Random) -> str:
    """Add an opener or a closer, or take the last mark away."""
    pick = rng.random()
    if pick < 0.16:
        opener = rng.choice(w.OPENERS[language])
        keeps = text[0] in "¿¡" or text.startswith(("I ", "I'"))
        if opener.rstrip()[-1] in ",:" and not keeps and text[1:2].islower():
            head = text.split(" ")[0]
            text = text[0].lower() + text[1:] if head in LOWERABLE else text
        return opener + text
    if pick < 0.22 and text[-1] in ".?!？。":
        return text + rng.choice(w.CLOSERS[language])
    if pick < 0.32:
        return text.rstrip(" ?.!？。")
    if pick < 0.36 and language == "en" and text.split(" ")[0] in PLEASE:
        return f"Please {text[0].lower()}{text[1:]}"
    return text


PLEASE = frozenset("Find Show Tell Check Look Give Get Plan Book Call List Convert Remind".split())
LOWERABLE = PLEASE | frozenset(
    "When What Which Is Are Can How Does Who Where Will Do Should From Quand Quel Quelle Y Comment "
    "Est-ce Je Nous Depuis Trouve Busco Necesito Quiero Estoy Encuentra Dime Combien Quels".split()
)


def _templates(mode: str, language: str, split: Split) -> tuple[str, ...]:
    if mode in w.SINGLE_QUESTIONS:
        return wordings(w.SINGLE_QUESTIONS[mode][language], split)
    return wordings(w.SPECIFIC[mode][language], split)


def _template(mode: str, language: str, split: Split, rng: random.Random) -> str:
    """A question of this mode; for routes mostly one that names the vehicle."""
    if mode in w.SPOKEN and split == "train" and rng.random() < COMPOSED_SHARE:
        template = composed(language, rng)
        if template is not None:
            return template
    if mode in w.SPOKEN and rng.random() < 0.75:
        template = rng.choice(wordings(w.GENERIC[language], split))
        if template != REFERENCE_QUESTION or split == "train":
            return template
    return rng.choice(_templates(mode, language, split))


def _places(mode: str, language: str, split: Split, rng: random.Random) -> dict[str, str]:
    japanese = language == "ja" and rng.random() < 0.7
    if mode in w.MODE_NOUNS:
        first, second = city_pair(split, rng, japanese)
        return {"A": first, "B": second}
    return {"A": (japanese_city if japanese else city)(split, rng)}


def ask(tool: Tool, split: Split, rng: random.Random, template: str | None = None) -> Asked:
    """A question that leads to a call of this tool."""
    if tool.mode in OTHER_MODES:
        return _ask_other(tool, split, rng)
    language = "en" if template else rng.choice(LANGUAGES)
    if not all(_sayable(role, language) for _, role, needed in tool.roles if needed):
        language = "en"
    places = _places(tool.mode, language, split, rng)
    template = template or _template(tool.mode, language, split, rng)
    lowered = language == "en" and rng.random() < 0.04
    if lowered:
        places = {key: name.lower() for key, name in places.items()}
    values: dict[str, Any] = dict(places)
    said = ""
    for _, role, needed in tool.roles:
        stated = None
        if role in EXTRAS and (needed or rng.random() < 0.6):
            stated = _stated(role, language, rng)
        if stated:
            said, values[role] = stated
    if not said and tool.mode in EXTRA_ROLES and not _has(tool, "date") and rng.random() < 0.06:
        said = _date(language, rng)[0]
    noun = rng.choice(w.SPOKEN[tool.mode][language]) if tool.mode in w.SPOKEN else ""
    text = _filled(template, said, noun, places, language)
    if lowered and rng.random() < 0.6:
        text = text.lower()
        values = {k: v.lower() if isinstance(v, str) else v for k, v in values.items()}
    text = _dressed(text, language, rng)
    return Asked(tool, text, _arguments(tool, values), language, places, noun or tool.mode)


def _has(tool: Tool, role: str) -> bool:
    return any(x == role for _, x, _ in tool.roles)


def _filled(template: str, said: str, noun: str, places: Mapping[str, str], language: str) -> str:
    """The template with what is said in addition and every slot filled."""
    if language == "ja" and "{x}" not in template:
        with_said = f"{said.removesuffix('に')}、{template}" if said else template
    else:
        with_said = _with_phrase(template, said)
    slots = {"B": "", **places}
    return with_said.format(n=noun, ns=plural(noun), dA=_elided(places["A"]), **slots)


def _arguments(tool: Tool, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[role] for name, role, _ in tool.roles if role in values}


def _ask_other(tool: Tool, split: Split, rng: random.Random) -> Asked:
    """A question for a tool that is not about places; always in the words of its table."""
    values: dict[str, Any]
    if tool.mode == "convert":
        first, second = rng.sample(w.CURRENCIES, 2)
        value = rng.choice((rng.randint(2, 99), rng.randint(100, 9999), rng.randint(1, 50) * 10))
        values = {"value": value, "F": first, "T": second}
        text = rng.choice(wordings(w.CONVERT_QUESTIONS, split)).format(v=value, F=first, T=second)
    elif tool.mode == "reminder":
        task = f"{rng.choice(w.TASK_VERBS)} {rng.choice(w.TASK_OBJECTS)}"
        values = {"s": task, "t": clock(rng)}
        text = rng.choice(wordings(w.REMINDER_QUESTIONS, split)).format(**values)
    else:
        symbol = draw_in_split(_symbol, split, rng, NAME_PERCENT)
        values = {"S": symbol}
        text = rng.choice(wordings(w.STOCK_QUESTIONS, split)).format(S=symbol)
    return Asked(tool, text, _arguments(tool, values), "en", {}, tool.mode)


def _symbol(rng: random.Random) -> str:
    return "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=rng.randint(2, 4)))


# --- conversations -------------------------------------------------------------------------------


def call_id(rng: random.Random) -> str:
    """A tool-call id of nine characters."""
    return "".join(rng.choices(ID_CHARACTERS, k=9))


def call_message(asked: Asked, rng: random.Random) -> dict[str, Any]:
    """The assistant's call."""
    function = {"name": asked.tool.name, "arguments": dict(asked.arguments)}
    call = {"id": call_id(rng), "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


def _start(rng: random.Random, split: Split, share: float = 0.65) -> list[dict[str, Any]]:
    """At times a system message."""
    if rng.random() > share:
        return []
    if rng.random() < 0.15:
        return [{"role": "system", "content": w.REFERENCE_SYSTEM}]
    return [{"role": "system", "content": rng.choice(wordings(w.SYSTEMS, split))}]


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _call_check(asked: Asked) -> Check:
    return Check(call=(asked.tool.name, dict(asked.arguments)))


def _call(split: Split, rng: random.Random) -> Conversation:
    """One tool is offered and fits."""
    tool = tool_of(draw_mode(rng), split, rng)
    asked = ask(tool, split, rng)
    messages = (*_start(rng, split), _user(asked.text), call_message(asked, rng))
    return Conversation("tools.call", messages, _call_check(asked), (tool.definition,))


def _reference(split: Split, rng: random.Random) -> Conversation:
    """The tool of the reference documents."""
    tool = reference_tool()
    exact = split == "train" and rng.random() < 0.35
    asked = ask(tool, split, rng, REFERENCE_QUESTION if exact else None)
    start = _start(rng, split)
    if rng.random() < 0.5:
        start = [{"role": "system", "content": w.REFERENCE_SYSTEM}]
    messages = (*start, _user(asked.text), call_message(asked, rng))
    return Conversation("tools.reference", messages, _call_check(asked), (tool.definition,))


NEAR_MODES = {"ride": ("route",), "route": ("ride",), "weather": ("time", "museum")}


def _other_mode(mode: str, rng: random.Random) -> str:
    """A second mode whose tool cannot answer a question of the first."""
    while True:
        other = rng.choice(ROUTE_MODES[2:-1]) if rng.random() < 0.6 else draw_mode(rng)
        if other != mode and other not in NEAR_MODES.get(mode, ()):
            return other


def _two_tools(split: Split, rng: random.Random) -> tuple[Tool, Tool, tuple[Mapping, ...]]:
    """The tool asked for, another one, and the definitions of both in either order."""
    mode = draw_mode(rng)
    reference = mode == "flight" and split == "train" and rng.random() < 0.06
    tool = reference_tool() if reference else tool_of(mode, split, rng)
    other = tool_of(_other_mode(mode, rng), split, rng)
    while other.name == tool.name:
        other = tool_of(_other_mode(mode, rng), split, rng)
    pair = [tool.definition, other.definition]
    rng.shuffle(pair)
    return tool, other, tuple(pair)


def _two(split: Split, rng: random.Random) -> Conversation:
    """Two tools are offered, one of them fits."""
    tool, _, definitions = _two_tools(split, rng)
    asked = ask(tool, split, rng)
    messages = (*_start(rng, split), _user(asked.text), call_message(asked, rng))
    return Conversation("tools.two", messages, _call_check(asked), definitions)


def _offered(split: Split, rng: random.Random) -> tuple[Mapping[str, Any], ...]:
    """One or two tools, none of which knows plain facts."""
    pick = rng.random()
    if pick < 0.15:
        return (reference_tool().definition,)
    if pick < 0.65:
        mode = draw_mode(rng)
        while mode == "population":
            mode = draw_mode(rng)
        return (tool_of(mode, split, rng).definition,)
    tool, other, definitions = _two_tools(split, rng)
    if "population" in (tool.mode, other.mode):
        return (tool_of("flight", split, rng).definition,)
    return definitions


def plain_exchange(split: Split, rng: random.Random) -> tuple[str, str, tuple[str, ...]]:
    """A question that needs no tool, its answer, and the words the answer must have."""
    pick = rng.random()
    if pick < 0.17:
        question, answer = rng.choice(wordings(w.SMALL_TALK, split))
        return question, answer, ()
    if pick < 0.32:
        question, answer, key = rng.choice(wordings(w.TRAVEL_FACTS, split))
        return question, answer, (key,)
    drawn = draw(split, rng)
    return drawn.question, drawn.answer, tuple(drawn.key_words)


def _unfit(split: Split, rng: random.Random) -> Conversation:
    """A question for another kind of tool than the one offered."""
    modes = [ROUTE_MODES, SINGLE_MODES + OTHER_MODES]
    rng.shuffle(modes)
    offered = tool_of(rng.choice(modes[0]), split, rng)
    asked = ask(tool_of(rng.choice(modes[1]), split, rng), split, rng)
    reply = w.CANNOT[asked.language]
    messages = (*_start(rng, split), _user(asked.text), _assistant(reply))
    return Conversation("tools.unfit", messages, Check(no_call=True), (offered.definition,))


def _unclear(split: Split, rng: random.Random) -> Conversation:
    """A question that leaves out one of the places."""
    mode = rng.choice(tuple(w.SPOKEN))
    template, reply = rng.choice(wordings(w.UNCLEAR, split))
    noun = rng.choice(w.SPOKEN[mode]["en"])
    text = _dressed(template.format(n=noun, B=city(split, rng)), "en", rng)
    messages = (*_start(rng, split), _user(text), _assistant(reply))
    definitions = (tool_of(mode, split, rng).definition,)
    return Conversation("tools.unclear", messages, Check(no_call=True), definitions)


def _none(split: Split, rng: random.Random) -> Conversation:
    """Tools are offered, but the question is about something else."""
    question, answer, keys = plain_exchange(split, rng)
    messages = (*_start(rng, split), _user(question), _assistant(answer))
    check = Check(contains_all=keys, no_call=True)
    return Conversation("tools.none", messages, check, _offered(split, rng))


def _reference_result(asked: Asked, rng: random.Random) -> Result:
    """The result of the reference documents, for these places."""
    text = (
        f"There are no flights available from {asked.places['A']} to {asked.places['B']}. You "
        "should take a train, specially if it helps to reduce CO2 emissions."
    )
    gap = ": " if rng.random() < 0.8 else ":"
    keys = (asked.places["A"], asked.places["B"], "train")
    return Result(f'{{"info"{gap}"{text}"}}', text, keys)


def _round_trip(
    asked: Asked, split: Split, rng: random.Random
) -> tuple[list[dict[str, Any]], Result]:
    """Question, call, result and the sentence made of it."""
    if asked.tool.name == REFERENCE_NAME and asked.language == "en" and rng.random() < 0.4:
        found = _reference_result(asked, rng)
    else:
        noun = asked.noun if asked.noun != asked.tool.mode else asked.tool.mode
        if asked.language == "ja" and asked.tool.mode == "route":
            noun = "ルート"
        found = result(asked.tool.mode, asked.places, noun, asked.language, split, rng)
    call = call_message(asked, rng)
    answered = {
        "role": "tool",
        "tool_call_id": call["tool_calls"][0]["id"],
        "content": found.content,
    }
    return [_user(asked.text), call, answered, _assistant(found.answer)], found


def _asked_for_result(split: Split, rng: random.Random) -> Asked:
    mode = rng.choice(ROUTE_MODES) if rng.random() < 0.7 else rng.choice(SINGLE_MODES)
    if rng.random() < 0.1:
        return ask(reference_tool(), split, rng)
    return ask(tool_of(mode, split, rng), split, rng)


def _result(split: Split, rng: random.Random) -> Conversation:
    """A result is put into a sentence."""
    asked = _asked_for_result(split, rng)
    turns, found = _round_trip(asked, split, rng)
    check = Check(contains_all=found.key_values, no_call=True)
    messages = (*_start(rng, split), *turns)
    return Conversation("tools.result", messages, check, (asked.tool.definition,))


def _second(split: Split, rng: random.Random) -> Conversation:
    """After a finished round trip: a second question, a plain one, or thanks."""
    asked = _asked_for_result(split, rng)
    other = tool_of(_other_mode(asked.tool.mode, rng), split, rng)
    turns, _ = _round_trip(asked, split, rng)
    definitions: tuple[Mapping[str, Any], ...] = (asked.tool.definition,)
    next_tool = asked.tool
    if rng.random() < 0.45 and other.name != asked.tool.name:
        pair = [asked.tool.definition, other.definition]
        rng.shuffle(pair)
        definitions = tuple(pair)
        next_tool = other if rng.random() < 0.6 else asked.tool
    start = (*_start(rng, split), *turns)
    pick = rng.random()
    if pick < 0.12:
        thanks, reply = THANKS[asked.language]
        messages = (*start, _user(thanks), _assistant(reply))
        return Conversation("tools.second", messages, Check(no_call=True), definitions)
    if pick < 0.24:
        drawn = draw(split, rng)
        messages = (*start, _user(drawn.question), _assistant(drawn.answer))
        check = Check(contains_all=tuple(drawn.key_words), no_call=True)
        return Conversation("tools.second", messages, check, definitions)
    again = ask(next_tool, split, rng)
    messages = (*start, _user(again.text), call_message(again, rng))
    return Conversation("tools.second", messages, _call_check(again), definitions)


def fresh(rng: random.Random) -> Conversation:
    """One tool or two, and a question in words that were kept apart from everything."""
    tool, _, definitions = _two_tools("heldout", rng)
    while tool.mode not in w.SPOKEN:
        tool, _, definitions = _two_tools("heldout", rng)
    asked = ask(tool, "heldout", rng, rng.choice(w.FRESH))
    messages = (*_start(rng, "heldout"), _user(asked.text), call_message(asked, rng))
    offered = definitions if rng.random() < 0.5 else (tool.definition,)
    return Conversation("tools.pairs_fresh", messages, _call_check(asked), offered)


MAKERS: tuple[Callable[[Split, random.Random], Conversation], ...] = (
    _call, _two, _none, _result, _second, _reference, _unfit, _unclear,
)  # fmt: skip
MAKER_WEIGHTS = (220, 480, 80, 130, 45, 40, 3, 2)


def conversations(split: Split, rng: random.Random) -> Iterator[Conversation]:
    """Endless random tool conversations of `split`."""
    while True:
        yield rng.choices(MAKERS, MAKER_WEIGHTS)[0](split, rng)
