"""What a tool answers, and the sentence an assistant makes of it."""
# ruff: noqa: RUF001

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pilot.conversation import Split
from pilot.corpus.copying import wordings
from pilot.corpus.places import invented_city
from pilot.corpus.tools_wordings import DAYS, RELATIVE

INFO: dict[str, tuple[str, ...]] = {
    "en": (
        "There are no {ns} available from {A} to {B}.",
        "No {n} goes from {A} to {B} {day}.",
        "The next {n} from {A} to {B} leaves at {t}.",
        "The next {n} to {B} is number {code} and leaves {A} at {t}.",
        "{airline} has a {n} from {A} to {B} at {t} for {p} euros.",
        "{code} leaves {A} at {t} and arrives in {B} at {u}.",
        "The {n} {code} from {A} to {B} is {m} minutes late.",
        "The {n} from {A} to {B} takes {h} hours and costs {p} dollars.",
        "There are {k} seats left on the {n} from {A} to {B}.",
        "The {n} to {B} leaves from platform {k} at {t}.",
        "All {ns} from {A} to {B} are full {day}.",
        "The {n} between {A} and {B} was cancelled because of the storm.",
        "From {A} to {B} there is one {n} every {m} minutes.",
        "You can reach {B} from {A} in {h} hours.",
        "The distance from {A} to {B} is {d} km.",
        "{airline} goes from {A} to {B} on {weekday}.",
        "On {weekday} the first {n} leaves {A} at {t}.",
        "The {n} stops in {C} before it reaches {B}.",
        "Change in {C} to get from {A} to {B}.",
        "The ticket from {A} to {B} costs {p} euros.",
        "The station of {A} is closed until {t}.",
        "The last {n} to {B} has left at {t}.",
        "Gate {k} is open until {t} for {code} to {B}.",
    ),
    "fr": (
        "Il n'y a pas de {n} disponible entre {A} et {B}.",
        "Le prochain {n} entre {A} et {B} part à {t}.",
        "Le {n} {code} pour {B} part à {t} et coûte {p} euros.",
        "Le trajet entre {A} et {B} dure {h} heures.",
        "Le {n} {code} a {m} minutes de retard.",
        "Il reste {k} places dans le {n} pour {B}.",
        "Le {n} pour {B} est annulé.",
        "{airline} propose un {n} pour {B} à {t}.",
    ),
    "es": (
        "No hay {n} disponible de {A} a {B}.",
        "El próximo {n} de {A} a {B} sale a las {t}.",
        "El {n} {code} a {B} sale a las {t} y cuesta {p} euros.",
        "El viaje de {A} a {B} dura {h} horas.",
        "El {n} {code} tiene {m} minutos de retraso.",
        "Quedan {k} plazas en el {n} a {B}.",
        "El {n} a {B} está cancelado.",
        "{airline} ofrece un {n} a {B} a las {t}.",
    ),
    "ja": (
        "{A}から{B}への{n}はありません。",
        "{A}から{B}への次の{n}は{t}に出発します。",
        "{B}行きの{code}は{t}に出発し、料金は{p}ユーロです。",
        "{A}から{B}まで{h}時間かかります。",
    ),
}
ADVICE: dict[str, tuple[str, ...]] = {
    "en": (
        "A train is the better choice for the climate.",
        "Consider the train, it emits less CO2.",
        "Please take the train if you want to save CO2.",
        "The bus is cheaper and leaves every {m} minutes.",
        "Try again {day}.",
        "You could travel via {C} instead.",
        "Please be there {m} minutes before departure.",
        "A seat costs {p} euros.",
        "Bring a passport.",
        "There is a bus at {t}.",
        "The next one leaves on {weekday} at {t}.",
        "Going by rail keeps the air clean.",
    ),
    "fr": (
        "Le train émet moins de CO2.",
        "Prenez plutôt le train à {t}.",
        "Réessayez demain.",
        "Vous pouvez passer par {C}.",
    ),
    "es": (
        "El tren emite menos CO2.",
        "Puede tomar el tren a las {t}.",
        "Inténtelo mañana.",
        "Puede viajar por {C}.",
    ),
    "ja": ("電車のほうが環境にやさしいです。", "{t}のバスがあります。"),
}
NOTICE_SUBJECTS: tuple[str, ...] = (
    "The west platform", "The old bridge", "The ticket office", "Gate {k}", "The road to {C}",
    "The harbour of {C}", "Line {k}", "The night service", "Terminal {k}", "The coast road",
    "The market in {C}", "The line {code}", "The waiting room",
)  # fmt: skip
NOTICE_STATES: tuple[str, ...] = (
    "is closed", "is open", "is very busy", "is out of service", "will be closed", "opens again",
    "is under repair", "is free of charge", "is moved to {C}", "is blocked",
)  # fmt: skip
NOTICE_TAILS: tuple[str, ...] = (
    "until {t}", "on {weekday}", "because of snow", "for {h} hours", "since {t}", "{day}",
    "because of strong wind", "from {t} to {u}", "until further notice", "for {k} days",
)  # fmt: skip
INFO_KEYS: tuple[str, ...] = (
    "info", "info", "info", "result", "message", "answer", "text", "details", "data", "summary",
    "response", "output",
)  # fmt: skip
JOURNEY_ANSWERS: dict[str, tuple[str, ...]] = {
    "en": (
        "The next {n} from {A} to {B} is {code} with {airline} and leaves at {t}.",
        "{airline} {code} leaves {A} for {B} at {t}.",
        "You can take {code} by {airline} from {A} to {B} at {t}.",
    ),
    "fr": ("Le prochain {n} pour {B} est {code} de {airline} et part à {t}.",),
    "es": ("El próximo {n} a {B} es {code} de {airline} y sale a las {t}.",),
    "ja": ("{B}への次の{n}は{airline}の{code}で、{t}に出発します。",),
}
PRICE_ANSWERS: dict[str, str] = {
    "en": "The {n} from {A} to {B} costs {p} {cur}.",
    "fr": "Le {n} pour {B} coûte {p} {cur}.",
    "es": "El {n} a {B} cuesta {p} {cur}.",
    "ja": "{B}への{n}は{p} {cur}です。",
}
ROUTE_ANSWERS: dict[str, str] = {
    "en": "From {A} to {B} it is {d} km and takes {h} hours.",
    "fr": "Il y a {d} km jusqu'à {B}, soit {h} heures.",
    "es": "Hay {d} km hasta {B} y se tarda {h} horas.",
    "ja": "{B}まで{d} kmで、{h}時間かかります。",
}
CONDITIONS: dict[str, str] = {
    "en": "sunny|cloudy|rainy|windy|foggy|snowy|stormy|clear|partly cloudy|overcast|dry",
    "fr": "ensoleillé|nuageux|pluvieux|venteux|brumeux|neigeux|orageux|clair|couvert",
    "es": "soleado|nublado|lluvioso|ventoso|despejado|nevado|seco|gris",
    "ja": "晴れ|曇り|雨|雪|霧",
}
WEATHER_ANSWERS: dict[str, str] = {
    "en": "In {A} it is {g} °{U} and {cond}.",
    "fr": "À {A}, il fait {g} °{U} et le temps est {cond}.",
    "es": "En {A} hay {g} °{U} y el tiempo está {cond}.",
    "ja": "{A}は{g} °{U}で、{cond}です。",
}
TIME_ANSWERS: dict[str, str] = {
    "en": "It is {t} in {A}.",
    "fr": "Il est {t} à {A}.",
    "es": "Son las {t} en {A}.",
    "ja": "{A}は今{t}です。",
}
HOTEL_ANSWERS: dict[str, str] = {
    "en": "{place} in {A} has a room for {p} {cur}.",
    "fr": "{place} à {A} a une chambre pour {p} {cur}.",
    "es": "{place} en {A} tiene una habitación por {p} {cur}.",
    "ja": "{A}の{place}は{p} {cur}です。",
}
PLACE_ANSWERS: dict[str, str] = {
    "en": "In {A} you can go to {place}.",
    "fr": "À {A}, vous pouvez aller à {place}.",
    "es": "En {A} puede ir a {place}.",
    "ja": "{A}には{place}があります。",
}
POPULATION_ANSWERS: dict[str, str] = {
    "en": "{A} has {pop} inhabitants.",
    "fr": "{A} compte {pop} habitants.",
    "es": "{A} tiene {pop} habitantes.",
    "ja": "{A}の人口は{pop}人です。",
}
ERROR_ANSWERS: dict[str, str] = {
    "en": "I could not find that: {e}",
    "fr": "Je n'ai pas trouvé : {e}",
    "es": "No lo he encontrado: {e}",
    "ja": "見つかりませんでした：{e}",
}
ERRORS: tuple[str, ...] = (
    "unknown city {A}", "service not available", "no connection", "no data for {A}", "timeout",
    "too many requests", "error {k}", "city not found", "no results", "{A} is not in the list",
    "code {code} is not valid", "please try again at {t}",
)  # fmt: skip
AIRLINE_TAILS = ("Air", "Airlines", "Airways", "Express", "Lines", "Jet", "Travel", "Rail", "Wings")
PLACE_HEADS = ("Hotel", "Villa", "Chez", "Casa", "Café", "Museum", "The", "Le", "El")
CURRENCY_CODES = ("EUR", "USD", "GBP", "CHF", "JPY", "euros", "dollars")


@dataclass(frozen=True, slots=True)
class Result:
    """A tool result, the reply that restates it, and what the reply must contain."""

    content: str
    answer: str
    key_values: tuple[str, ...]


def clock(rng: random.Random) -> str:
    """A time of the day."""
    text = f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}"
    if rng.random() < 0.12:
        minutes, half = rng.choice(("00", "15", "30", "45", "10")), rng.choice(("am", "pm"))
        return f"{rng.randint(1, 12)}:{minutes} {half}"
    return text


def plural(noun: str) -> str:
    """The English plural of a vehicle."""
    if noun.endswith("y") and not noun.endswith("ay"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "ch")) else f"{noun}s"


def flight_code(rng: random.Random) -> str:
    """An invented flight or train number."""
    letters = "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=rng.choice((1, 2, 2, 2, 3))))
    return f"{letters}{rng.choice(('', '', ' ', '-'))}{rng.randint(1, 9999)}"


def slots(places: Mapping[str, str], noun: str, language: str, split: Split, rng: random.Random):
    """Random values for everything a sentence may speak of."""
    name = invented_city(split, rng)
    return {
        "A": places.get("A", ""),
        "B": places.get("B", places.get("A", "")),
        "C": invented_city(split, rng),
        "n": noun,
        "ns": plural(noun),
        "t": clock(rng),
        "u": clock(rng),
        "code": flight_code(rng),
        "airline": f"{name} {rng.choice(AIRLINE_TAILS)}",
        "place": f"{rng.choice(PLACE_HEADS)} {invented_city(split, rng)}",
        "p": str(rng.choice((rng.randint(5, 999), rng.randint(5, 99) + 0.5, rng.randint(5, 2999)))),
        "m": str(rng.randint(2, 90)),
        "h": str(rng.randint(2, 30)),
        "k": str(rng.randint(2, 60)),
        "d": str(rng.randint(12, 9800)),
        "g": str(rng.randint(-20, 42)),
        "U": rng.choice("CCCF"),
        "pop": str(rng.choice((rng.randint(800, 9999), rng.randint(10_000, 9_999_999)))),
        "cur": rng.choice(CURRENCY_CODES),
        "day": rng.choice(RELATIVE[language]),
        "weekday": rng.choice(DAYS[language]),
        "cond": rng.choice(CONDITIONS[language].split("|")),
    }


def _used(template: str, values: Mapping[str, str]) -> tuple[str, ...]:
    """The values a template states, without the words everyone could guess."""
    return tuple(
        values[name]
        for name in values
        if name not in ("n", "ns", "day", "weekday") and f"{{{name}}}" in template
    )


def _dumps(value: Any, rng: random.Random) -> str:
    if rng.random() < 0.2:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(value, ensure_ascii=False)


def _sentence(language: str, split: Split, rng: random.Random) -> str:
    """The template of one to three sentences of information."""
    if language == "en" and rng.random() < 0.25:
        notice = f"{rng.choice(NOTICE_SUBJECTS)} {rng.choice(NOTICE_STATES)}"
        notice = f"{notice} {rng.choice(NOTICE_TAILS)}."
        if rng.random() < 0.4:
            notice = f"{notice} {rng.choice(wordings(ADVICE[language], split))}"
        return notice
    template = rng.choice(wordings(INFO[language], split))
    if rng.random() < 0.5:
        gap = "" if language == "ja" else " "
        template = f"{template}{gap}{rng.choice(wordings(ADVICE[language], split))}"
    return template


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _info(language: str, values: dict[str, str], split: Split, rng: random.Random) -> Result:
    template = _sentence(language, split, rng)
    text = _capital(template.format(**values))
    content = text
    if rng.random() < 0.8:
        content = _dumps({rng.choice(INFO_KEYS): text}, rng)
    return Result(content, text, _used(template, values) or (text,))


def _error(language: str, values: dict[str, str], rng: random.Random) -> Result:
    text = rng.choice(ERRORS).format(**values)
    answer = ERROR_ANSWERS[language].format(e=text)
    answer += "" if language == "ja" else "."
    key = rng.choice(("error", "error", "error", "error_message"))
    return Result(_dumps({key: text}, rng), answer, (text,))


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _structured(
    template: str, fields: list[tuple[tuple[str, ...], Any]], values: dict[str, str],
    rng: random.Random,
) -> Result:  # fmt: skip
    """An object whose keys vary, and the template filled with the same values."""
    if rng.random() < 0.4:
        rng.shuffle(fields)
    content = _dumps({rng.choice(names): value for names, value in fields}, rng)
    return Result(content, template.format(**values), _used(template, values))


def _journey(mode: str, language: str, values: dict, split: Split, rng: random.Random) -> Result:
    pick = rng.random()
    if mode == "route":
        fields = [
            (("distance_km", "km", "distance", "length_km"), int(values["d"])),
            (("hours", "duration_hours", "duration", "travel_time"), int(values["h"])),
        ]
        return _structured(ROUTE_ANSWERS[language], fields, values, rng)
    if pick < 0.3:
        fields = [
            (("price", "cost", "amount", "fare", "total"), _number(values["p"])),
            (("currency", "cur", "unit"), values["cur"]),
        ]
        return _structured(PRICE_ANSWERS[language], fields, values, rng)
    fields = [
        (("airline", "company", "operator", "carrier", "provider"), values["airline"]),
        (("flight_number", "number", "code", "id", f"{mode}_number"), values["code"]),
        (("departure_time", "departure", "time", "leaves_at", "departs"), values["t"]),
    ]
    template = rng.choice(JOURNEY_ANSWERS[language])
    return _structured(template, fields, values, rng)


def _single(mode: str, language: str, values: dict[str, str], rng: random.Random) -> Result:
    place = (("name", "title", mode, "first_result"), values["place"])
    if mode == "weather":
        fields = [
            (("temperature", "temp", "degrees"), int(values["g"])),
            (("unit", "units", "scale"), values["U"]),
            (("condition", "weather", "sky", "description"), values["cond"]),
        ]
        return _structured(WEATHER_ANSWERS[language], fields, values, rng)
    if mode == "time":
        fields = [(("time", "local_time", "now", "clock"), values["t"])]
        return _structured(TIME_ANSWERS[language], fields, values, rng)
    if mode == "population":
        fields = [(("population", "inhabitants", "count", "value"), int(values["pop"]))]
        return _structured(POPULATION_ANSWERS[language], fields, values, rng)
    if mode == "hotel":
        fields = [
            place,
            (("price", "price_per_night", "cost"), _number(values["p"])),
            (("currency", "cur"), values["cur"]),
        ]
        return _structured(HOTEL_ANSWERS[language], fields, values, rng)
    return _structured(PLACE_ANSWERS[language], [place], values, rng)


def result(
    mode: str, places: Mapping[str, str], noun: str, language: str, split: Split, rng: random.Random
) -> Result:
    """A result of a tool of this mode, for a question about these places."""
    values = slots(places, noun, language, split, rng)
    pick = rng.random()
    if pick < 0.1:
        return _error(language, values, rng)
    if "B" in places:
        if pick < 0.65 and mode != "route":
            return _info(language, values, split, rng)
        return _journey(mode, language, values, split, rng)
    found = _single(mode, language, values, rng)
    if pick < 0.4:
        content = _dumps({rng.choice(INFO_KEYS): found.answer}, rng)
        return Result(content if pick < 0.32 else found.answer, found.answer, found.key_values)
    return found
