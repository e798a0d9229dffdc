"""What users ask of the tools: a question that states what a tool needs, and the arguments that it
comes to.

Wordings and places of the held-out split are none of training's.
"""
# ruff: noqa: RUF001, SIM905

import random
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pilot.conversation import Split
from pilot.corpus import tools_wordings as w
from pilot.corpus.copying import wordings
from pilot.corpus.places import city, city_pair, draw_in_split, japanese_city
from pilot.corpus.tools_definitions import EXTRA_ROLES, EXTRAS, NAME_PERCENT, OTHER_MODES, Tool
from pilot.corpus.tools_phrases import composed
from pilot.corpus.tools_results import clock, plural

LANGUAGES = ("en",) * 68 + ("fr",) * 14 + ("es",) * 12 + ("ja",) * 6
REFERENCE_QUESTION = "When is the next {n} from {A} to {B}?"
COMPOSED_SHARE = 0.45


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that a tool answers, and the call it leads to."""

    tool: Tool
    text: str
    arguments: Mapping[str, Any]
    language: str
    places: Mapping[str, str]
    noun: str


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


def dressed(text: str, language: str, rng: random.Random) -> str:
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
    text = dressed(text, language, rng)
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
