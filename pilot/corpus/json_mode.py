"""Replies in JSON: the prompt gives a format, the reply is one JSON object that follows it.

The keys are any words; the placeholders tell what belongs where, and there are few meanings: the
answer in a sentence, the bare answer, the question, the language. The reply is always written as
`json.dumps(obj, ensure_ascii=False)` writes it.
"""
# ruff: noqa: SIM905

import json
import random
from collections.abc import Iterator, Mapping

from pilot.conversation import Check, Conversation, Split
from pilot.corpus.copying import wordings
from pilot.corpus.facts import Drawn, draw
from pilot.corpus.json_phrases import What, composed
from pilot.corpus.places import draw_in_split, is_held_out, word

KEY_PERCENT = 15
ROLES_WITH_ANSWER: tuple[tuple[str, ...], ...] = (
    ("answer", "language"),
    ("question", "answer"),
    ("answer", "question"),
    ("short", "answer"),
    ("answer", "short"),
    ("language", "answer"),
    ("question", "answer", "language"),
    ("short", "answer", "language"),
    ("question", "short", "answer"),
    ("question", "short"),
    ("short", "language"),
)
PLACEHOLDERS: dict[str, dict[str, tuple[str, ...]]] = {
    "answer": {
        "en": ("response", "answer", "the answer", "your answer", "the response", "your response",
               "a full sentence", "the full answer"),
        "fr": ("réponse", "la réponse", "ta réponse"),
        "es": ("respuesta", "la respuesta", "tu respuesta"),
    },
    "question": {
        "en": ("question", "the question", "the user's question", "what was asked"),
        "fr": ("question", "la question"),
        "es": ("pregunta", "la pregunta"),
    },
    "language": {
        "en": ("language", "the language", "the language of the answer"),
        "fr": ("langue", "la langue"),
        "es": ("idioma", "el idioma"),
    },
    "short": {
        "en": ("short answer", "the short answer", "only the word or number", "short"),
        "fr": ("réponse courte", "la réponse courte"),
        "es": ("respuesta corta", "la respuesta corta"),
    },
}  # fmt: skip
ROLE_KEYS: dict[str, tuple[str, ...]] = {
    "answer": ("answer", "response", "reply", "text", "full_answer", "sentence", "content",
               "message", "réponse", "respuesta", "output", "result"),
    "question": ("question", "asked", "input", "prompt", "user_question", "pregunta"),
    "language": ("language", "lang", "langue", "idioma"),
    "short": ("short", "short_answer", "brief", "word", "keyword", "corta", "courte"),
}  # fmt: skip
ANY_KEYS: tuple[str, ...] = tuple(
    "answer response result reply value data output text message content solution a r res ans "
    "body info fact statement sentence item key field say said note summary explanation "
    "description title name final final_answer assistant bot agent chat completion generated "
    "target return returned returns outcome conclusion finding resp réponse respuesta resultado "
    "résultat texte texto mensaje contenu contenido salida sortie payload entry line record "
    "detail spoken written out".split()
)
SINGLE_SYSTEMS: dict[str, tuple[str, ...]] = {
    "en": (
        (
            "You are a helpful assistant that always generate responses in JSON format, using. "
            "the following format: {f}."
        ),
        "You are a helpful assistant that always answers in JSON with the format {f}.",
        "Answer in JSON with the format {f}.",
        "Always reply with a JSON object like {f}.",
        "Reply only with JSON: {f}",
        "Your replies are JSON objects of this form: {f}",
        "Respond in JSON. Format: {f}",
        "Output JSON only, in the form {f}, and nothing else.",
        "You always respond in JSON format, following this template: {f}.",
        "You are a JSON service. Every reply looks like {f}.",
        "Use this JSON format for every answer: {f}",
        "Give every answer as JSON, like this: {f}.",
        "Write your answer as a JSON object: {f}",
        "The answer must be valid JSON with this structure: {f}",
        "Return a JSON object with the structure {f}.",
    ),
    "fr": (
        "Réponds en JSON avec le format {f}.",
        "Réponds toujours avec un objet JSON comme {f}.",
        "Tu réponds uniquement en JSON, sous la forme {f}.",
        "Chaque réponse est un objet JSON : {f}",
        "Utilise ce format JSON pour répondre : {f}",
    ),
    "es": (
        "Responde en JSON con el formato {f}.",
        "Responde siempre con un objeto JSON como {f}.",
        "Respondes solo en JSON, de la forma {f}.",
        "Cada respuesta es un objeto JSON: {f}",
        "Usa este formato JSON para responder: {f}",
    ),
}
KEY_SYSTEMS: dict[str, tuple[str, ...]] = {
    "en": (
        "Answer with a JSON object with the key {k}.",
        "Reply in JSON. The answer goes under the key {k}.",
        "Always respond with a JSON object that has one key, {k}.",
        "Return JSON with a single key called {k}.",
        "Put your answer into the field {k} of a JSON object.",
        "Use JSON with only the key {k}.",
        "Give the answer as JSON with {k} as the key.",
    ),
    "fr": (
        "Réponds avec un objet JSON qui a la clé {k}.",
        "Réponds en JSON avec une seule clé : {k}.",
        "Mets la réponse sous la clé {k} d'un objet JSON.",
    ),
    "es": (
        "Responde con un objeto JSON con la clave {k}.",
        "Responde en JSON con una sola clave: {k}.",
        "Pon la respuesta en la clave {k} de un objeto JSON.",
    ),
}
PLAIN_KEYS_SYSTEMS: dict[str, tuple[str, ...]] = {
    "en": (
        "Answer with a JSON object with the keys {k}.",
        "Reply in JSON using the keys {k}.",
        "Return a JSON object that has the keys {k}.",
        "Use JSON with exactly these keys: {k}.",
        "Respond with JSON. Keys: {k}.",
    ),
    "fr": (
        "Réponds avec un objet JSON avec les clés {k}.",
        "Réponds en JSON avec les clés {k}.",
    ),
    "es": (
        "Responde con un objeto JSON con las claves {k}.",
        "Responde en JSON con las claves {k}.",
    ),
}
INSTRUCTIONS: Mapping[What, Mapping[str, tuple[str, ...]]] = {
    "format": SINGLE_SYSTEMS,
    "key": KEY_SYSTEMS,
    "keys": PLAIN_KEYS_SYSTEMS,
}
COMPOSED_SHARE = 0.6
AND = {"en": "and", "fr": "et", "es": "y"}
PREFIXES = ("", "", "", "", "You are a helpful assistant. ", "You know many facts. ", "Be brief. ")
LANGUAGE_NAMES = {"en": "English", "fr": "French", "es": "Spanish", "ja": "Japanese"}
REFERENCE_PYTHON = (
    "You are a helpful assistant that always generate responses in JSON format, using. the "
    "following format: { answer: response }."
)
REFERENCE_JS = (
    "You are a helpful assistant that always generate responses in JSON format, using. the "
    'following format: { "answer": "response" }.'
)


def _raw_key(rng: random.Random) -> str:
    """A key: a common one, two of them joined, or an invented identifier."""
    pick = rng.random()
    if pick < 0.5:
        return rng.choice(ANY_KEYS)
    first = word(rng)[:8] if pick < 0.85 else rng.choice(ANY_KEYS)
    second = rng.choice(ANY_KEYS) if rng.random() < 0.5 else word(rng)[:8]
    style = rng.random()
    if style < 0.35:
        return f"{first}_{second}"
    if style < 0.65:
        return first + second.capitalize()
    if style < 0.72:
        return f"{first}-{second}"
    return first.upper() if style < 0.78 else first


def _key(split: Split, rng: random.Random) -> str:
    return draw_in_split(_raw_key, split, rng, KEY_PERCENT)


def key_of_role(role: str, split: Split, rng: random.Random) -> str:
    """A key that itself says what belongs there."""
    fitting = [
        key for key in ROLE_KEYS[role] if is_held_out(key, KEY_PERCENT) == (split == "heldout")
    ]
    if fitting and rng.random() < 0.6:
        return rng.choice(fitting)

    def composed(source: random.Random) -> str:
        key, other = source.choice(ROLE_KEYS[role]), word(source)[:5]
        pick = source.random()
        if pick < 0.35:
            return f"{other}_{key}"
        return f"{key}_{other}" if pick < 0.7 else f"{other}{key.capitalize()}"

    return draw_in_split(composed, split, rng, KEY_PERCENT)


def _format(placeholders: Mapping[str, str], rng: random.Random) -> str:
    """The format as people write it: with or without quotes, tight or with spaces."""
    quoted = rng.random() < 0.68
    mark = '"' if quoted else ""
    if quoted and rng.random() < 0.06:
        mark = "'"
    inner = ", ".join(f"{mark}{k}{mark}: {mark}{v}{mark}" for k, v in placeholders.items())
    pick = rng.random()
    if pick < 0.55:
        return f"{{ {inner} }}"
    if pick < 0.93:
        return f"{{{inner}}}"
    return "{" + inner.replace(": ", ":").replace(", ", ",") + "}"


def _language(drawn: Drawn, rng: random.Random) -> str:
    """The language of the instruction: mostly that of the question."""
    if drawn.language in SINGLE_SYSTEMS and rng.random() < 0.7:
        return drawn.language
    return "en"


def _messages(instruction: str, question: str, rng: random.Random) -> tuple[dict[str, str], ...]:
    """The instruction as system message, or in the user's message."""
    pick = rng.random()
    if pick < 0.7:
        return (
            {"role": "system", "content": instruction},
            {"role": "user", "content": question},
        )
    if pick < 0.85:
        return ({"role": "user", "content": f"{instruction}\n{question}"},)
    if pick < 0.93:
        return ({"role": "user", "content": f"{question} {instruction}"},)
    return ({"role": "user", "content": f"{question}\n\n{instruction}"},)


def _values(drawn: Drawn) -> dict[str, str]:
    return {
        "answer": drawn.answer,
        "question": drawn.question,
        "language": LANGUAGE_NAMES.get(drawn.language, drawn.language),
        "short": drawn.short,
    }


def _conversation(
    kind: str, messages: tuple[dict[str, str], ...], reply: Mapping[str, str], drawn: Drawn
) -> Conversation:
    content = json.dumps(dict(reply), ensure_ascii=False)
    keys = tuple(x for x in (*drawn.key_words, drawn.short, drawn.answer) if x)
    check = Check(contains_any=keys, json_keys=tuple(reply), no_call=True)
    return Conversation(kind, (*messages, {"role": "assistant", "content": content}), check)


def _instruction(what: What, language: str, split: Split, rng: random.Random) -> str:
    if split == "train" and rng.random() < COMPOSED_SHARE:
        return composed(what, language, rng)
    return rng.choice(wordings(INSTRUCTIONS[what][language], split))


def _one_key(split: Split, rng: random.Random) -> Conversation:
    """The answer under one key."""
    drawn = draw(split, rng)
    if rng.random() < 0.12:
        text = rng.choice((REFERENCE_PYTHON, REFERENCE_JS))
        system = {"role": "system", "content": text}
        messages = (system, {"role": "user", "content": drawn.question})
        return _conversation("json.reference", messages, {"answer": drawn.answer}, drawn)
    language = _language(drawn, rng)
    key = _key(split, rng)
    if rng.random() < 0.2:
        shown = rng.choice((key, key, f'"{key}"', f"`{key}`"))
        text = _instruction("key", language, split, rng).replace("{k}", shown)
    else:
        hint = "..." if rng.random() < 0.06 else rng.choice(PLACEHOLDERS["answer"][language])
        shown = _format({key: hint}, rng)
        text = _instruction("format", language, split, rng).replace("{f}", shown)
    if language == "en":
        text = rng.choice(PREFIXES) + text
    messages = _messages(text, drawn.question, rng)
    return _conversation("json.one_key", messages, {key: drawn.answer}, drawn)


def _drawn_with_short(split: Split, rng: random.Random) -> Drawn:
    while True:
        drawn = draw(split, rng)
        if drawn.short:
            return drawn


def _listed(keys: list[str], language: str, rng: random.Random) -> str:
    shown = [f'"{key}"' for key in keys] if rng.random() < 0.3 else keys
    return f"{', '.join(shown[:-1])} {AND[language]} {shown[-1]}"


def _keys(split: Split, rng: random.Random) -> Conversation:
    """Two or three values, each under its own key."""
    roles = rng.choice(ROLES_WITH_ANSWER)
    drawn = _drawn_with_short(split, rng) if "short" in roles else draw(split, rng)
    language = _language(drawn, rng)
    listed = rng.random() < 0.25
    keys: list[str] = []
    while len(set(keys)) != len(roles):
        keys = [
            key_of_role(role, split, rng) if listed or rng.random() < 0.4 else _key(split, rng)
            for role in roles
        ]
    if listed:
        shown = _listed(keys, language, rng)
        text = _instruction("keys", language, split, rng).replace("{k}", shown)
    else:
        hints = [rng.choice(PLACEHOLDERS[role][language]) for role in roles]
        shown = _format(dict(zip(keys, hints, strict=True)), rng)
        text = _instruction("format", language, split, rng).replace("{f}", shown)
    values = _values(drawn)
    reply = {key: values[role] for key, role in zip(keys, roles, strict=True)}
    messages = _messages(text, drawn.question, rng)
    if not {"answer", "short"} & set(roles):
        raise ValueError("a format without an answer cannot be judged")
    return _conversation("json.keys", messages, reply, drawn)


def conversations(split: Split, rng: random.Random) -> Iterator[Conversation]:
    """Endless random JSON conversations of `split`."""
    while True:
        yield _one_key(split, rng) if rng.random() < 0.6 else _keys(split, rng)
