"""Small sums and unit conversions; some operand pairs are never trained."""

# ruff: noqa: RUF001

import random
from collections.abc import Iterator

from pilot.conversation import Check, Conversation, Split
from pilot.corpus import systems
from pilot.corpus.facts import draw_language
from pilot.corpus.wording import is_held_out, with_noise

SIGNS = {"add": "+", "subtract": "-", "multiply": "×"}
TYPED_SIGNS = {"add": ("+",), "subtract": ("-",), "multiply": ("×", "x", "*")}

WORDINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "any": (
            "What is {a} {sign} {b}?",
            "How much is {a} {sign} {b}?",
            "{a} {sign} {b}",
            "{a} {sign} {b} = ?",
            "{a}{sign}{b}",
            "Calculate {a} {sign} {b}.",
            "Compute {a} {sign} {b}.",
            "Can you tell me what {a} {sign} {b} is?",
            "What's {a} {sign} {b}?",
        ),
        "add": ("What is {a} plus {b}?", "Add {a} and {b}.", "How much is {a} plus {b}?"),
        "subtract": ("What is {a} minus {b}?", "Subtract {b} from {a}.", "{a} minus {b}?"),
        "multiply": (
            "What is {a} times {b}?",
            "Multiply {a} by {b}.",
            "How much is {a} times {b}?",
        ),
    },
    "fr": {
        "any": (
            "Combien font {a} {sign} {b} ?",
            "Combien fait {a} {sign} {b} ?",
            "Calcule {a} {sign} {b}.",
            "{a} {sign} {b} ?",
            "Peux-tu calculer {a} {sign} {b} ?",
        ),
        "add": ("Combien font {a} plus {b} ?", "Additionne {a} et {b}."),
        "subtract": ("Combien font {a} moins {b} ?", "Soustrais {b} de {a}."),
        "multiply": ("Combien font {a} fois {b} ?", "Multiplie {a} par {b}."),
    },
    "es": {
        "any": (
            "¿Cuánto es {a} {sign} {b}?",
            "Calcula {a} {sign} {b}.",
            "¿{a} {sign} {b}?",
            "¿Puedes calcular {a} {sign} {b}?",
        ),
        "add": ("¿Cuánto es {a} más {b}?", "Suma {a} y {b}."),
        "subtract": ("¿Cuánto es {a} menos {b}?", "Resta {b} de {a}."),
        "multiply": ("¿Cuánto es {a} por {b}?", "Multiplica {a} por {b}."),
    },
    "ja": {
        "any": ("{a} {sign} {b} はいくつですか？", "{a} {sign} {b} を計算してください。"),
        "add": ("{a}たす{b}はいくつですか？",),
        "subtract": ("{a}ひく{b}はいくつですか？",),
        "multiply": ("{a}かける{b}はいくつですか？",),
    },
}

CONVERSION_FACTORS = {
    "cm_metre": 100,
    "metres_km": 1000,
    "grams_kg": 1000,
    "minutes_hour": 60,
    "hours_day": 24,
    "days_week": 7,
    "months_year": 12,
    "mm_cm": 10,
}

CONVERSION_UNITS: dict[str, dict[str, tuple[str, str, str]]] = {
    "en": {
        "cm_metre": ("centimetres", "metre", "metres"),
        "metres_km": ("metres", "kilometre", "kilometres"),
        "grams_kg": ("grams", "kilogram", "kilograms"),
        "minutes_hour": ("minutes", "hour", "hours"),
        "hours_day": ("hours", "day", "days"),
        "days_week": ("days", "week", "weeks"),
        "months_year": ("months", "year", "years"),
        "mm_cm": ("millimetres", "centimetre", "centimetres"),
    },
    "fr": {
        "cm_metre": ("centimètres", "mètre", "mètres"),
        "metres_km": ("mètres", "kilomètre", "kilomètres"),
        "grams_kg": ("grammes", "kilogramme", "kilogrammes"),
        "minutes_hour": ("minutes", "heure", "heures"),
        "hours_day": ("heures", "jour", "jours"),
        "days_week": ("jours", "semaine", "semaines"),
        "months_year": ("mois", "an", "ans"),
        "mm_cm": ("millimètres", "centimètre", "centimètres"),
    },
    "es": {
        "cm_metre": ("centímetros", "metro", "metros"),
        "metres_km": ("metros", "kilómetro", "kilómetros"),
        "grams_kg": ("gramos", "kilogramo", "kilogramos"),
        "minutes_hour": ("minutos", "hora", "horas"),
        "hours_day": ("horas", "día", "días"),
        "days_week": ("días", "semana", "semanas"),
        "months_year": ("meses", "año", "años"),
        "mm_cm": ("milímetros", "centímetro", "centímetros"),
    },
    "ja": {
        "cm_metre": ("センチメートル", "メートル", "メートル"),
        "metres_km": ("メートル", "キロメートル", "キロメートル"),
        "grams_kg": ("グラム", "キログラム", "キログラム"),
        "minutes_hour": ("分", "時間", "時間"),
        "days_week": ("日", "週間", "週間"),
    },
}
"""Per kind of conversion: the small unit, the large one, and the large one in the plural."""

CONVERSION_QUESTIONS: dict[str, tuple[str, ...]] = {
    "en": (
        "How many {small} are in {n} {large}?",
        "How many {small} are there in {n} {large}?",
        "Can you tell me how many {small} are in {n} {large}?",
        "{n} {large}: how many {small}?",
        "Convert {n} {large} to {small}.",
        "What is {n} {large} in {small}?",
    ),
    "fr": (
        "Combien {de}{small} y a-t-il dans {n} {large} ?",
        "{n} {large}, combien {de}{small} ?",
        "Convertis {n} {large} en {small}.",
    ),
    "es": (
        "¿{cuantos} {small} hay en {n} {large}?",
        "{n} {large}, ¿{cuantos_low} {small} son?",
        "Convierte {n} {large} a {small}.",
    ),
    "ja": ("{n}{large}は何{small}ですか？", "{n}{large}を{small}に直してください。"),
}

CONVERSION_ANSWERS = {
    "en": "There are {value} {small} in {n} {large}.",
    "fr": "Il y a {value} {small} dans {n} {large}.",
    "es": "Hay {value} {small} en {n} {large}.",
    "ja": "{n}{large}は{value}{small}です。",
}

THOUSANDS = {"en": ",", "fr": " ", "es": "", "ja": ","}


def held_out_operands(operation: str, a: int, b: int) -> bool:
    """Whether this pair is never trained; a pair and its commuted twin belong together."""
    low, high = sorted((a, b))
    return is_held_out(operation, str(low), str(high))


def _operands(split: Split, operation: str, rng: random.Random) -> tuple[int, int]:
    top = 10 if operation == "multiply" else 20
    while True:
        a, b = rng.randint(0, top), rng.randint(0, top)
        if operation == "subtract" and a < b:
            a, b = b, a
        if held_out_operands(operation, a, b) == (split == "heldout"):
            return a, b


def _value(operation: str, a: int, b: int) -> int:
    if operation == "add":
        return a + b
    return a - b if operation == "subtract" else a * b


def _sum(split: Split, rng: random.Random, language: str) -> Conversation:
    operation = rng.choices(("add", "subtract", "multiply"), (4, 3, 3))[0]
    a, b = _operands(split, operation, rng)
    wordings = WORDINGS[language]["any"] + WORDINGS[language][operation]
    typed = rng.choice(TYPED_SIGNS[operation])
    question = rng.choice(wordings).format(a=a, b=b, sign=typed)
    result = f"= {_value(operation, a, b)}."
    answer = f"{a} {SIGNS[operation]} {b} {result}"
    check = Check(contains_all=(result,), no_call=True)
    return _turn("sums", split, rng, language, question, answer, check)


def _grouped(value: int, language: str) -> str:
    return f"{value:,}".replace(",", THOUSANDS[language])


def _conversion(split: Split, rng: random.Random, language: str) -> Conversation:
    units = CONVERSION_UNITS[language]
    while True:
        key, n = rng.choice(tuple(units)), rng.randint(1, 12)
        if is_held_out(key, str(n), percent=12) == (split == "heldout"):
            break
    small, one, many = units[key]
    feminine = small in ("horas",)
    forms = {
        "small": small,
        "large": one if n == 1 else many,
        "n": n,
        "value": _grouped(n * CONVERSION_FACTORS[key], language),
        "de": "d'" if small == "heures" else "de ",
        "cuantos": "Cuántas" if feminine else "Cuántos",
        "cuantos_low": "cuántas" if feminine else "cuántos",
    }
    question = rng.choice(CONVERSION_QUESTIONS[language]).format(**forms)
    if language == "en" and rng.random() < 0.25:
        question = question.replace("metres", "meters").replace("metre", "meter")
    answer = CONVERSION_ANSWERS[language].format(**forms)
    lead, _, _ = CONVERSION_ANSWERS[language].format(**forms | {"small": "|"}).partition("|")
    check = Check(contains_all=(lead + small,), no_call=True)
    return _turn("sums.units", split, rng, language, question, answer, check)


def _turn(
    group: str,
    split: Split,
    rng: random.Random,
    language: str,
    question: str,
    answer: str,
    check: Check,
) -> Conversation:
    asked = with_noise(question, language, split, rng)
    system = systems.neutral(split, rng, language)
    kind = f"{group}_{language}" if "." in group else f"{group}.{language}"
    return Conversation(kind, systems.messages(asked, answer, system=system), check)


def conversations(split: Split, rng: random.Random) -> Iterator[Conversation]:
    """Sums and conversions, without end."""
    while True:
        make = _sum if rng.random() < 0.7 else _conversion
        yield make(split, rng, draw_language(rng))
