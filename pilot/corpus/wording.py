"""How a bare question becomes what a user types: frames, openers, thanks and light noise.

A core is one wording of one question. Its first character says how it may be used:

* `~how many days are in a week`: without punctuation, alone or inside a frame
  ("Can you tell me how many days are in a week?");
* `^what the capital of Italy is`: inside a frame only;
* anything else: as it stands, with its punctuation.
"""

# ruff: noqa: RUF001

import hashlib
import random
from functools import cache

from pilot.conversation import Split

LANGUAGES = ("en", "fr", "es", "ja")

FRAMES: dict[str, tuple[str, ...]] = {
    "en": (
        "Can you tell me {}?",
        "Could you tell me {}?",
        "Do you know {}?",
        "Please tell me {}.",
        "Tell me {}.",
        "I would like to know {}.",
        "I want to know {}.",
        "I wonder {}.",
        "Could you please tell me {}?",
    ),
    "fr": (
        "Peux-tu me dire {} ?",
        "Pouvez-vous me dire {} ?",
        "Sais-tu {} ?",
        "Dis-moi {}.",
        "Dites-moi {}, s'il vous plaît.",
        "J'aimerais savoir {}.",
        "Je voudrais savoir {}.",
    ),
    "es": (
        "¿Puedes decirme {}?",
        "¿Me puedes decir {}?",
        "¿Sabes {}?",
        "Dime {}.",
        "Dime {}, por favor.",
        "Me gustaría saber {}.",
        "Quiero saber {}.",
    ),
    "ja": ("{}教えてください。", "{}教えて。", "{}知っていますか？", "{}知りたいです。"),
}

HELD_OUT_FRAMES: dict[str, tuple[str, ...]] = {
    "en": ("Would you mind telling me {}?", "I am curious to learn {}."),
    "fr": ("Pourrais-tu me dire {} ?", "Je me demande {}."),
    "es": ("¿Podrías decirme {}?", "Necesito saber {}."),
    "ja": ("{}教えてもらえますか？",),
}

OPENERS: dict[str, tuple[str, ...]] = {
    "en": (
        "Hi! ",
        "Hello! ",
        "Hello. ",
        "Hey! ",
        "Quick question: ",
        "One question: ",
        "A question: ",
        "Please answer: ",
        "I have a question. ",
        "Good morning! ",
    ),
    "fr": (
        "Bonjour ! ",
        "Bonjour. ",
        "Salut ! ",
        "Une question : ",
        "Petite question : ",
        "J'ai une question. ",
        "Bonsoir ! ",
    ),
    "es": (
        "¡Hola! ",
        "Hola. ",
        "Buenos días. ",
        "Una pregunta: ",
        "Pregunta rápida: ",
        "Tengo una pregunta. ",
        "Buenas tardes. ",
    ),
    "ja": ("こんにちは。", "質問です。", "すみません、", "質問があります。"),
}

HELD_OUT_OPENERS: dict[str, tuple[str, ...]] = {
    "en": ("Good evening! ", "Help me with this: "),
    "fr": ("Coucou ! ", "Aide-moi : "),
    "es": ("Buenas noches. ", "Ayúdame con esto: "),
    "ja": ("こんばんは。",),
}

CLOSERS: dict[str, tuple[str, ...]] = {
    "en": (" Thanks!", " Thank you.", " Thanks.", " Please."),
    "fr": (" Merci !", " Merci.", " Merci d'avance."),
    "es": (" ¡Gracias!", " Gracias.", " Por favor."),
    "ja": ("お願いします。",),
}

INDIRECT_ORDER: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (("are there", "there are"),),
    "fr": ((" y a-t-il", " il y a"), ("dit-on", "on dit")),
}
"""Word orders of a question of its own, and the ones inside a frame."""


def is_held_out(*parts: str, percent: int = 8) -> bool:
    """Whether these parts belong to the held-out share; stable over runs and machines."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < percent


def _letters(choice: str) -> str:
    """A wording without case and punctuation: two notations of one wording stay together."""
    return "".join(letter for letter in choice.casefold() if letter.isalnum())


def _order_of(key: str, choice: str) -> bytes:
    return hashlib.sha256(f"{key}\x1f{_letters(choice)}".encode()).digest()


@cache
def of_split(
    split: Split, key: str, choices: tuple[str, ...], always: bool = True
) -> tuple[str, ...]:
    """The choices that belong to the split; training always keeps the first one.

    With `always`, four different choices or more hold out at least one.
    """
    first = _letters(choices[0])
    others = [choice for choice in choices[1:] if _letters(choice) != first]
    held_out = tuple(choice for choice in others if is_held_out(key, _letters(choice)))
    if always and not held_out and len(others) >= 3:
        held_out = (min(others, key=lambda choice: _order_of(key, choice)),)
    if split == "heldout":
        return held_out
    return tuple(choice for choice in choices if choice not in held_out)


def sentence(core: str, language: str) -> str:
    """A core as a question of its own."""
    if core[0] != "~":
        return core
    bare = core[1:2].upper() + core[2:]
    if language == "fr":
        return f"{bare} ?"
    if language == "es":
        return f"¿{bare}?"
    if language == "ja":
        return f"{bare}？"
    return f"{bare}?"


def framed(core: str, language: str, split: Split, rng: random.Random) -> str:
    """A core inside a frame such as "Can you tell me ...?"."""
    frames = FRAMES[language]
    if split == "heldout":
        frames += HELD_OUT_FRAMES[language]
    bare = core[1:]
    for direct, indirect in INDIRECT_ORDER.get(language, ()):
        bare = bare.replace(direct, indirect)
    return rng.choice(frames).format(bare)


def dress(core: str, language: str, split: Split, rng: random.Random) -> str:
    """What a user might type for this core."""
    if core[0] == "^" or (core[0] == "~" and rng.random() < 0.35):
        text = framed(core, language, split, rng)
    else:
        text = sentence(core, language)
    return with_noise(text, language, split, rng)


def with_noise(text: str, language: str, split: Split, rng: random.Random) -> str:
    """Now and then an opener, a thanks, lower case, or a missing mark at the end."""
    if rng.random() < 0.22:
        openers = OPENERS[language]
        if split == "heldout":
            openers += HELD_OUT_OPENERS[language]
        text = rng.choice(openers) + text
    if rng.random() < 0.08:
        return text + rng.choice(CLOSERS[language])
    if rng.random() < 0.10:
        text = text.rstrip("?.？。! ").replace("¿", "")
    if rng.random() < 0.10:
        text = text.lower()
    return text
