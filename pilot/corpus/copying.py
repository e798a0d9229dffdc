"""Short drills in copying: the reply stands in the prompt and has only to be found and repeated.

What they teach is what a call's arguments and a restated result need: taking a name, a number or
a code over letter by letter, though it was never seen before. Held-out drills use held-out
wordings and held-out words only.
"""
# ruff: noqa: RUF001, SIM905

import random
from collections.abc import Callable, Iterator
from functools import cache

from pilot.conversation import Check, Conversation, Split
from pilot.corpus.places import city, draw_in_split, is_held_out, word

WORD_HELD_OUT_PERCENT = 20
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"

REPEAT_WORDINGS: tuple[str, ...] = (
    "Repeat: {x}",
    "Repeat after me: {x}",
    "Repeat this exactly: {x}",
    "Say this back to me: {x}",
    "Say: {x}",
    "Write only this: {x}",
    "Copy this text: {x}",
    "Copy the line below.\n{x}",
    "Please repeat: {x}",
    "Answer with exactly this text: {x}",
    "Echo: {x}",
    "echo {x}",
    "Reply with these words and nothing else: {x}",
    "Répète : {x}",
    "Répète exactement : {x}",
    "Recopie ce texte : {x}",
    "Écris seulement ceci : {x}",
    "Repite: {x}",
    "Repite exactamente: {x}",
    "Copia este texto: {x}",
    "次の言葉をくり返してください：{x}",
)
NAME_WORDINGS: tuple[str, ...] = (
    "Spell back the name {x}.",
    "Which name do I say here: {x}?",
    "The name is {x}. What is the name?",
    "I live in {x}. Where do I live?",
    "My city is called {x}. What is it called?",
    "Remember the name {x}. Which name should you remember?",
    "The password is {x}. What is the password?",
    "My code is {x}. What is my code?",
    "I was born in {x}. Which place was I born in?",
    "The word of the day is {x}. Which word is it?",
    "J'habite à {x}. Où est-ce que j'habite ?",
    "Le mot est {x}. Quel est le mot ?",
    "Le code est {x}. Quel est le code ?",
    "Vivo en {x}. ¿Dónde vivo?",
    "El código es {x}. ¿Cuál es el código?",
    "La palabra es {x}. ¿Cuál es la palabra?",
)
QUOTE_WORDINGS: tuple[str, ...] = (
    'Quote: "{x}"',
    'What stands between the quotation marks? "{x}"',
    "What stands between the brackets? ({x})",
    'Give me the text in quotation marks: "{x}"',
    "Read out the text in the brackets: [{x}]",
    "Take the text out of the quotation marks: '{x}'",
    "Cite le texte entre guillemets : « {x} »",
    "Que dice entre comillas: «{x}»?",
    "Remove the tags: <b>{x}</b>",
    "Which text is between the stars? *{x}*",
)
RECALL_WORDINGS: tuple[str, ...] = (
    "{pairs}. {k}?",
    "{pairs}. What is {k}?",
    "Here are some values: {pairs}. Which value has {k}?",
    "{pairs}. Give me {k}.",
    "Given {pairs}, what does {k} stand for?",
    "{pairs}. Quelle est la valeur de {k} ?",
    "{pairs}. ¿Cuál es el valor de {k}?",
    "Look at this list: {pairs}. Read out {k}.",
    "{pairs}\n{k} =",
    "{pairs}. Tell me the value of {k}.",
)
PAIR_WORDINGS: tuple[tuple[str, str], ...] = (
    ("From {a} to {b}. Where does it start?", "a"),
    ("From {a} to {b}. Where does it end?", "b"),
    ("I go from {a} to {b}. Where do I come from?", "a"),
    ("I go from {a} to {b}. Where do I go?", "b"),
    ("I go to {b} from {a}. Where do I come from?", "a"),
    ("I go to {b} from {a}. Where do I go?", "b"),
    ("I am in {a} and want to be in {b}. Where am I?", "a"),
    ("I am in {a} and want to be in {b}. Where do I want to be?", "b"),
    ("We leave {a} for {b}. Which place do we leave?", "a"),
    ("We leave {a} for {b}. Which place do we go to?", "b"),
    ("The train to {b} starts in {a}. Where does it start?", "a"),
    ("The train to {b} starts in {a}. Where does it go?", "b"),
    ("De {a} à {b}. Quel est le départ ?", "a"),
    ("De {a} à {b}. Quelle est l'arrivée ?", "b"),
    ("De {a} a {b}. ¿Cuál es el origen?", "a"),
    ("De {a} a {b}. ¿Cuál es el destino?", "b"),
    ("First {a}, then {b}. Which is first?", "a"),
    ("First {a}, then {b}. Which is second?", "b"),
)
COMMON_WORDS: tuple[str, ...] = tuple(
    "the a red green old small house river bread train window paper quick never always light "
    "stone garden music under over between seven north apple silver ticket morning winter cloud "
    "street open closed happy quiet letter number water fire bridge and or with without for "
    "la le maison fleuve pain verde casa puerta libro grande petit soleil luna".split()
)
SEPARATORS: tuple[tuple[str, str], ...] = (("=", "; "), (" = ", "; "), (": ", ", "), (": ", "\n"))


@cache
def wordings(table: tuple, split: Split) -> tuple:
    """The wordings of one split: one in ten is held out, and at least one (a single one serves)."""
    if len(table) == 1:
        return table
    ranked = sorted(table, key=lambda x: (not is_held_out(str(x), 10), str(x)[::-1]))
    count = max(1, len(table) // 10)
    return tuple(ranked[:count]) if split == "heldout" else tuple(ranked[count:])


def code(rng: random.Random) -> str:
    """An invented code of letters and digits."""
    shape = rng.choice(
        ("AA000", "AA0000", "AAA-000", "0000", "A00A", "00:00", "AAAA", "000.0", "aa00")
    )
    return "".join(
        rng.choice(LETTERS)
        if c == "A"
        else rng.choice(LETTERS).lower()
        if c == "a"
        else rng.choice(DIGITS)
        if c == "0"
        else c
        for c in shape
    )


def _styled_word(rng: random.Random) -> str:
    text = word(rng)
    style = rng.random()
    return text if style < 0.55 else text.capitalize() if style < 0.9 else text.upper()


def piece(split: Split, rng: random.Random) -> str:
    """One word, place or code of `split`."""
    pick = rng.random()
    if pick < 0.35:
        return city(split, rng)
    make: Callable[[random.Random], str] = code if pick < 0.55 else _styled_word
    return draw_in_split(make, split, rng, WORD_HELD_OUT_PERCENT)


def phrase(split: Split, rng: random.Random, longest: int) -> str:
    """A few pieces, mixed with common words; at least one piece is never a common word."""
    count = rng.randint(1, longest)
    parts = [
        rng.choice(COMMON_WORDS) if rng.random() < 0.4 else piece(split, rng) for _ in range(count)
    ]
    parts[rng.randrange(count)] = piece(split, rng)
    return " ".join(parts)


def _drill(kind: str, question: str, answer: str) -> Conversation:
    messages = (
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    )
    return Conversation(kind=kind, messages=messages, check=Check(contains_all=(answer,)))


def _repeat(split: Split, rng: random.Random) -> Conversation:
    text = phrase(split, rng, 8)
    return _drill("copy.repeat", rng.choice(wordings(REPEAT_WORDINGS, split)).format(x=text), text)


def _name(split: Split, rng: random.Random) -> Conversation:
    text = piece(split, rng)
    return _drill("copy.name", rng.choice(wordings(NAME_WORDINGS, split)).format(x=text), text)


def _quote(split: Split, rng: random.Random) -> Conversation:
    text = phrase(split, rng, 6)
    question = rng.choice(wordings(QUOTE_WORDINGS, split)).format(x=text)
    if rng.random() < 0.3:
        question = f"{question}\n{phrase(split, rng, 4)}"
    return _drill("copy.quote", question, text)


def _recall(split: Split, rng: random.Random) -> Conversation:
    count = rng.randint(2, 4)
    values: dict[str, str] = {}
    while len(values) < count:
        key = rng.choice(LETTERS.lower()) if rng.random() < 0.4 else rng.choice(COMMON_WORDS)
        values[key] = piece(split, rng)
    equals, between = rng.choice(SEPARATORS)
    pairs = between.join(f"{k}{equals}{v}" for k, v in values.items())
    key = rng.choice(list(values))
    template = rng.choice(wordings(RECALL_WORDINGS, split))
    return _drill("copy.recall", template.format(pairs=pairs, k=key), values[key])


def _pair(split: Split, rng: random.Random) -> Conversation:
    first, second = city(split, rng), city(split, rng)
    template, asked = rng.choice(wordings(PAIR_WORDINGS, split))
    answer = first if asked == "a" else second
    return _drill("copy.pair", template.format(a=first, b=second), answer)


MAKERS: tuple[Callable[[Split, random.Random], Conversation], ...] = (
    _repeat,
    _name,
    _quote,
    _recall,
    _pair,
)


def conversations(split: Split, rng: random.Random) -> Iterator[Conversation]:
    """Endless random drills of `split`."""
    while True:
        yield rng.choice(MAKERS)(split, rng)
