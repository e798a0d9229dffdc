"""Small facts in four languages: one fixed answer each, many wordings of the question."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from pilot.conversation import Check, Conversation, Split
from pilot.corpus import facts_en, facts_es, facts_fr, facts_ja, systems
from pilot.corpus.facts_capitals import CAPITALS, CORES, answer_of, capital_of, place_forms
from pilot.corpus.wording import LANGUAGES, dress, of_split

LANGUAGE_WEIGHTS = (48, 22, 20, 10)
FACT_WEIGHTS = {"languages": 10}

TABLES = {
    "en": facts_en.FACTS,
    "fr": facts_fr.FACTS,
    "es": facts_es.FACTS,
    "ja": facts_ja.FACTS,
}
COUNT_TABLES = {"en": facts_en, "fr": facts_fr, "es": facts_es}
COUNT_WORDS = ("de ", "d'", "cuántos ", "cuántas ")
"""What stands before the counted noun in French and Spanish wordings, but not in answers."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact in one language."""

    key: str
    language: str
    cores: tuple[str, ...]
    """Wordings of the question, in the notation of `pilot.corpus.wording`."""
    answer: str
    short: str
    key_words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A fact with one question that asks for it."""

    question: str
    answer: str
    short: str
    """The bare answer ("Paris", "7,000"); empty where there is none."""
    language: str
    fact: str
    """The key of the fact: the same in every language."""
    key_words: tuple[str, ...]
    """What a right answer contains."""


def _plain_facts(language: str) -> Iterator[Fact]:
    for key, short, key_words, answer, cores in TABLES[language]:
        words = tuple((key_words or short).split("|"))
        yield Fact(key, language, cores, answer, short, words)


def _bare(things: str) -> str:
    for word in COUNT_WORDS:
        things = things.removeprefix(word)
    return things


def _count_facts(language: str) -> Iterator[Fact]:
    if language not in COUNT_TABLES:
        return
    table = COUNT_TABLES[language]
    for key, things, whole, number in table.COUNTS:
        forms = {"things": things, "bare": _bare(things), "whole": whole}
        forms["Whole"] = whole[:1].upper() + whole[1:]
        cores = tuple(core.format(**forms) for core in table.COUNT_CORES)
        answer = table.COUNT_ANSWER.format(number=number, **forms)
        yield Fact(key, language, cores, answer, number, (f"{number} {forms['bare']}",))


def _capital_facts(language: str) -> Iterator[Fact]:
    for row in CAPITALS:
        forms = place_forms(row, language)
        city = capital_of(row, language)
        cores = tuple(core.format(**forms) for core in CORES[language])
        answer = answer_of(row, language)
        yield Fact(f"capital.{row[0]}", language, cores, answer, city, (city,))


@cache
def facts(language: str) -> dict[str, Fact]:
    """All facts of a language by key."""
    every = (*_plain_facts(language), *_count_facts(language), *_capital_facts(language))
    return {fact.key: fact for fact in every}


@cache
def _pool(split: Split, language: str) -> tuple[tuple[Fact, ...], tuple[int, ...]]:
    """The facts that have a wording in this split, and their weights."""
    pool = tuple(fact for fact in facts(language).values() if cores_of(split, fact))
    return pool, tuple(FACT_WEIGHTS.get(fact.key, 1) for fact in pool)


@cache
def cores_of(split: Split, fact: Fact) -> tuple[str, ...]:
    """The wordings of a fact that belong to the split."""
    return of_split(split, f"{fact.language}:{fact.key}", fact.cores, always=False)


def draw_language(rng: random.Random) -> str:
    """A language, as often as the corpus uses it."""
    return rng.choices(LANGUAGES, LANGUAGE_WEIGHTS)[0]


def ask(fact: Fact, split: Split, rng: random.Random) -> Drawn:
    """One question for this fact; training wordings where the split has none of its own."""
    cores = cores_of(split, fact) or cores_of("train", fact)
    question = dress(rng.choice(cores), fact.language, split, rng)
    return Drawn(question, fact.answer, fact.short, fact.language, fact.key, fact.key_words)


def draw(split: Split, rng: random.Random, language: str | None = None) -> Drawn:
    """A random fact with a question for it."""
    pool, weights = _pool(split, language or draw_language(rng))
    return ask(rng.choices(pool, weights)[0], split, rng)


def check(drawn: Drawn | Fact) -> Check:
    """What a reply to the question must contain."""
    return Check(contains_all=drawn.key_words, no_call=True)


def conversations(split: Split, rng: random.Random) -> Iterator[Conversation]:
    """Single questions with their fixed answers, without end."""
    while True:
        drawn = draw(split, rng)
        system = systems.neutral(split, rng, drawn.language)
        turns = systems.messages(drawn.question, drawn.answer, system=system)
        yield Conversation(f"facts.{drawn.language}", turns, check(drawn))
