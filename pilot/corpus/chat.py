"""Small talk, questions that a small model cannot answer, and conversations of several turns."""

# ruff: noqa: RUF001

import random
from collections.abc import Callable, Iterator

from pilot.conversation import Check, Conversation, Split
from pilot.corpus import chat_memory, facts, systems
from pilot.corpus import chat_texts as texts
from pilot.corpus.facts import Fact
from pilot.corpus.facts_capitals import CAPITALS, country_of, place_forms
from pilot.corpus.persona import invented
from pilot.corpus.wording import is_held_out, of_split, with_noise

LANGUAGE_NAMES: dict[str, dict[str, str]] = {
    "en": {"en": "English", "fr": "French", "es": "Spanish", "ja": "Japanese"},
    "fr": {"en": "anglais", "fr": "français", "es": "espagnol", "ja": "japonais"},
    "es": {"en": "inglés", "fr": "francés", "es": "español", "ja": "japonés"},
}

IN_LANGUAGE: dict[str, tuple[str, ...]] = {
    "en": (
        "And in {name}?",
        "In {name}, please.",
        "Now say it in {name}.",
        "Say that in {name}.",
        "Can you say that in {name}?",
        "Please repeat it in {name}.",
        "How do you say that in {name}?",
        "The same in {name}, please.",
    ),
    "fr": (
        "Et en {name} ?",
        "En {name}, s'il te plaît.",
        "Dis-le en {name}.",
        "Peux-tu le dire en {name} ?",
        "La même chose en {name}, s'il te plaît.",
    ),
    "es": (
        "¿Y en {name}?",
        "En {name}, por favor.",
        "Dilo en {name}.",
        "¿Puedes decirlo en {name}?",
        "Lo mismo en {name}, por favor.",
    ),
}

OTHER_COUNTRY: dict[str, tuple[str, ...]] = {
    "en": (
        "And of {country}?",
        "And {country}?",
        "What about {country}?",
        "And the capital of {country}?",
        "And what about {country}?",
        "How about {country}?",
        "Now {country}, please.",
        "The same for {country}?",
    ),
    "fr": (
        "Et {of} ?",
        "Et celle {of} ?",
        "Et pour {country} ?",
        "Et la capitale {of} ?",
        "Maintenant {country}, s'il te plaît.",
    ),
    "es": (
        "¿Y {of}?",
        "¿Y la {of}?",
        "¿Y la capital {of}?",
        "Ahora {country}, por favor.",
        "¿Y {country}?",
    ),
    "ja": ("{country}は？", "では、{country}は？", "{country}の場合は？"),
}


def _one(split: Split, key: str, choices: tuple[str, ...], rng: random.Random) -> str:
    """A choice of the split; a training one where the split has none of its own."""
    return rng.choice(of_split(split, key, choices) or of_split("train", key, choices))


def _reply(name: str, language: str) -> tuple[str, Check]:
    words = texts.KEY_WORDS[name][language]
    return texts.REPLIES[name][language], Check(contains_all=words, no_call=True)


def _single(
    kind: str, question: str, reply: str, language: str, split: Split, rng: random.Random
) -> Conversation:
    answer, check = _reply(reply, language)
    system = systems.neutral(split, rng, language)
    return Conversation(kind, systems.messages(question, answer, system=system), check)


def _small_talk(split: Split, rng: random.Random) -> Conversation:
    name = rng.choices(tuple(texts.ASKED), (5, 3, 3, 3, 8))[0]
    language = facts.draw_language(rng)
    choices = texts.ASKED[name][language]
    while not of_split(split, f"{name}.{language}", choices):
        language = facts.draw_language(rng)
        choices = texts.ASKED[name][language]
    question = _one(split, f"{name}.{language}", choices, rng)
    if rng.random() < 0.15:
        question = question.lower()
    return _single(f"chat.{name}", question, name, language, split, rng)


def _place(split: Split, language: str, rng: random.Random) -> str:
    if language == "ja" or rng.random() < 0.5:
        return _one(split, "place", texts.PLACES[language], rng)
    return invented(split, rng, "place")


def _filled(text: str, split: Split, language: str, rng: random.Random) -> str:
    """A template with its places, words, years and things filled in."""
    if "{subject" in text:
        for slot in ("{subject}", "{subject2}"):
            subject = _one(split, f"subject.{language}", texts.SUBJECTS[language], rng)
            text = text.replace(slot, subject)
    forms = {
        "place": _place(split, language, rng),
        "thing": _one(split, "thing", texts.THINGS, rng),
        "word": invented(split, rng, "topic"),
        "word2": invented(split, rng, "topic"),
        **_country_forms(f"capital.{rng.choice(CAPITALS)[0]}", language),
        "year": rng.randint(1200, 2040),
        "n": rng.randint(2, 40),
    }
    return text.format(**forms)


def _unknown_question(split: Split, language: str, rng: random.Random) -> str:
    """A question without an answer; held-out ones have held-out topics and templates."""
    key = f"unknown.{language}"
    chance = rng.random()
    if chance < 0.35:
        template = _one(split, key, texts.UNKNOWN_QUESTIONS[language], rng)
    elif chance < 0.65:
        template = _one(split, key, texts.NEAR_MISSES[language], rng)
    else:
        topic = _one(split, key, texts.UNKNOWN_TOPICS[language], rng)
        frame = _one(split, key, texts.UNKNOWN_FRAMES[language], rng)
        template = _contracted(frame.replace("{topic}", topic), language)
    return _filled(template, split, language, rng)


def _contracted(text: str, language: str) -> str:
    if language == "fr":
        return text.replace(" de le ", " du ").replace(" de les ", " des ")
    if language == "es":
        return text.replace(" de el ", " del ").replace(" a el ", " al ")
    return text


def _unknown(split: Split, rng: random.Random) -> Conversation:
    language = facts.draw_language(rng)
    question = with_noise(_unknown_question(split, language, rng), language, split, rng)
    return _single("chat.unknown", question, "unknown", language, split, rng)


def _too_much(split: Split, rng: random.Random) -> Conversation:
    language = facts.draw_language(rng)
    template = _one(split, f"task.{language}", texts.TASKS[language], rng)
    question = _filled(template, split, language, rng)
    question = with_noise(question, language, split, rng)
    return _single("chat.too_much", question, "too_much", language, split, rng)


def _capital(rng: random.Random, language: str) -> Fact:
    return facts.facts(language)[f"capital.{rng.choice(CAPITALS)[0]}"]


def _country_forms(key: str, language: str) -> dict[str, str]:
    row = next(row for row in CAPITALS if f"capital.{row[0]}" == key)
    return {"country": country_of(row, language), "of": place_forms(row, language)["of"]}


def _next_country(split: Split, rng: random.Random) -> Conversation:
    """The capital of one country, then "And of Italy?"; held-out pairs of countries."""
    language = facts.draw_language(rng)
    while True:
        first, second = _capital(rng, language), _capital(rng, language)
        held_out = is_held_out("countries", first.key, second.key)
        if first.key != second.key and held_out == (split == "heldout"):
            break
    key = f"other.{language}"
    follow_up = _one(split, key, OTHER_COUNTRY[language], rng)
    turns = [facts.ask(first, split, rng).question, first.answer]
    turns += [follow_up.format(**_country_forms(second.key, language)), second.answer]
    if split == "train" and rng.random() < 0.25:
        third = second
        while third.key in (first.key, second.key):
            third = _capital(rng, language)
        follow_up = _one(split, key, OTHER_COUNTRY[language], rng)
        turns += [follow_up.format(**_country_forms(third.key, language)), third.answer]
        second = third
    return _several("chat.follow_up", turns, facts.check(second), language, split, rng)


def _next_language(split: Split, rng: random.Random) -> Conversation:
    """A fact, then the same in another language."""
    language = rng.choices(("en", "fr", "es"), (5, 2, 2))[0]
    other = rng.choice([name for name in ("en", "fr", "es", "fr", "es", "ja") if name != language])
    while True:
        first = facts.draw(split, rng, language)
        second = facts.facts(other).get(first.fact)
        if second is not None:
            break
    follow_up = _one(split, f"in.{language}", IN_LANGUAGE[language], rng)
    follow_up = follow_up.format(name=LANGUAGE_NAMES[language][other])
    turns = [first.question, first.answer, follow_up, second.answer]
    opening = " ".join(second.answer.split()[:2])
    check = Check(contains_all=(opening, *second.key_words), no_call=True)
    return _several("chat.in_language", turns, check, language, split, rng)


def _two_facts(split: Split, rng: random.Random) -> Conversation:
    language = facts.draw_language(rng)
    count = rng.choices((2, 3, 4), (6, 3, 1))[0]
    drawn = [facts.draw(split, rng, language) for _ in range(count)]
    turns = [text for each in drawn for text in (each.question, each.answer)]
    return _several("chat.turns", turns, facts.check(drawn[-1]), language, split, rng)


def _thanks_at_end(split: Split, rng: random.Random) -> Conversation:
    language = facts.draw_language(rng)
    drawn = facts.draw(split, rng, language)
    name = rng.choice(("thanks", "thanks", "goodbye"))
    said = _one(split, f"{name}.{language}", texts.ASKED[name][language], rng)
    answer, check = _reply(name, language)
    turns = [drawn.question, drawn.answer, said, answer]
    return _several("chat.end", turns, check, language, split, rng)


def _value(split: Split, topic: str, language: str, rng: random.Random) -> str:
    """Something to remember: a listed value, a number, or an invented word."""
    if topic in ("name", "word"):
        word = invented(split, rng, "memory")
        return word if topic == "name" else word.lower()
    if topic == "number":
        while True:
            number = str(rng.randint(0, rng.choice((20, 100, 1000))))
            if is_held_out("memory.number", number) == (split == "heldout"):
                return number
    if rng.random() < 0.5:
        listed = chat_memory.VALUES[language][topic]
        return _one(split, f"memory.{topic}.{language}", listed, rng)
    word = invented(split, rng, "memory")
    return chat_memory.INVENTED_FORMS[language][topic].format(word=word.lower(), Word=word)


def _said(topic: str, language: str, split: Split, rng: random.Random) -> tuple[list[str], ...]:
    """What is stated and asked about one topic: two turns each."""
    statements, noted, questions, answer = chat_memory.TOPICS[language][topic]
    value = _value(split, topic, language, rng)
    key = f"memory.{topic}.{language}"
    questions = of_split("train", key, questions) if split == "train" else questions
    forms = {"value": value, "Value": value[:1].upper() + value[1:]}
    stated = [_one("train", key, statements, rng).format(**forms), noted.format(**forms)]
    return stated, [rng.choice(questions), answer.format(**forms)], [value]


def _memory(split: Split, rng: random.Random) -> Conversation:
    """The user states one or two things, perhaps asks a fact, then asks for one of the things."""
    language = facts.draw_language(rng)
    topics = tuple(chat_memory.TOPICS[language])
    chosen = rng.sample(topics, rng.choices((1, 2), (6, 4))[0])
    said = [_said(topic, language, split, rng) for topic in chosen]
    turns = [text for stated, _, _ in said for text in stated]
    if len(said) == 1 and rng.random() < 0.45:
        drawn = facts.draw(split, rng, language)
        turns += [drawn.question, drawn.answer]
    asked = rng.choice(said)
    turns += asked[1]
    check = Check(contains_all=tuple(asked[2]), no_call=True)
    if split == "train" and rng.random() < 0.1:
        thanks = _one(split, f"thanks.{language}", texts.ASKED["thanks"][language], rng)
        turns += [thanks, texts.REPLIES["thanks"][language]]
    return _several("chat.memory", turns, check, language, split, rng)


def _several(
    kind: str,
    turns: list[str],
    check: Check,
    language: str,
    split: Split,
    rng: random.Random,
) -> Conversation:
    system = systems.neutral(split, rng, language)
    return Conversation(kind, systems.messages(*turns, system=system), check)


MAKERS: tuple[tuple[Callable[[Split, random.Random], Conversation], int], ...] = (
    (_small_talk, 16),
    (_unknown, 20),
    (_too_much, 8),
    (_next_country, 12),
    (_next_language, 10),
    (_two_facts, 10),
    (_thanks_at_end, 4),
    (_memory, 24),
)


def conversations(split: Split, rng: random.Random) -> Iterator[Conversation]:
    """Small talk and longer conversations, without end."""
    makers, weights = zip(*MAKERS, strict=True)
    while True:
        yield rng.choices(makers, weights)[0](split, rng)
