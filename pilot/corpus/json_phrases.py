"""Instructions to answer in JSON, put together from parts, for training only.

`{f}` is the format, `{k}` the key or the list of keys.
"""

import random
from typing import Literal

What = Literal["format", "key", "keys"]

LEADS: dict[str, tuple[str, ...]] = {
    "en": (
        "Answer", "Reply", "Respond", "Always answer", "Always reply", "Always respond",
        "Please answer", "You answer", "You must answer", "You always reply", "Only answer",
        "Your task is to answer", "You are an assistant that answers", "Answer the user",
        "Answer every question", "Give the answer", "Write the answer", "Return the answer",
        "Output the answer", "Format the answer", "I want the answer", "You are asked to reply",
    ),
    "fr": (
        "Réponds", "Réponds toujours", "Répondez", "Tu réponds", "Tu dois répondre",
        "Donne la réponse", "Écris la réponse", "Renvoie la réponse", "Je veux la réponse",
    ),
    "es": (
        "Responde", "Responde siempre", "Contesta", "Respondes", "Debes responder",
        "Da la respuesta", "Escribe la respuesta", "Devuelve la respuesta", "Quiero la respuesta",
    ),
}  # fmt: skip
FORMS: dict[str, dict[What, tuple[str, ...]]] = {
    "en": {
        "format": (
            "in JSON with the format {f}", "in JSON, using the format {f}", "as JSON like {f}",
            "as JSON in the form {f}", "with JSON only: {f}", "with a JSON object such as {f}",
            "with a JSON object of the form {f}", "as a JSON object, in this shape: {f}",
            "in JSON. The format is {f}", "in JSON. Follow this template: {f}",
            "in the JSON format {f}", "using this JSON: {f}", "as JSON, in the structure {f}",
            "with one JSON object, {f}", "in JSON. Use {f}", "following the JSON schema {f}",
        ),
        "key": (
            "in JSON under the key {k}", "as a JSON object with the key {k}",
            "as JSON with only the key {k}", "in the field {k} of some JSON",
            "in JSON and put it under {k}", "with a JSON object whose only key is {k}",
            "as JSON. The key is {k}", "as JSON. Put it into the field {k}", "as JSON, key {k}",
            "as JSON. Use {k} as the key", "in a JSON object that has one field, {k}",
            "in JSON. Name the key {k}", "inside the {k} field of a JSON object",
        ),
        "keys": (
            "in JSON with the keys {k}", "as a JSON object with the keys {k}",
            "as JSON that has the fields {k}", "as JSON. The keys are {k}", "in JSON, keys: {k}",
            "with a JSON object whose keys are {k}", "using JSON with {k}", "as JSON with {k}",
            "in JSON. Use exactly the keys {k}", "in a JSON object made of {k}",
        ),
    },
    "fr": {
        "format": (
            "en JSON au format {f}", "en JSON, en utilisant le format {f}", "en JSON : {f}",
            "avec un objet JSON comme {f}", "avec un objet JSON de la forme {f}",
            "sous forme de JSON : {f}", "en JSON. Le format est {f}", "dans le format JSON {f}",
        ),
        "key": (
            "en JSON avec la clé {k}", "dans un objet JSON sous la clé {k}", "en JSON, clé {k}",
            "en JSON. La clé est {k}", "dans le champ {k} d'un JSON", "en JSON, sous {k}",
        ),
        "keys": (
            "en JSON avec les clés {k}", "avec un objet JSON qui a les clés {k}",
            "en JSON. Les clés sont {k}", "en JSON, clés : {k}", "dans un JSON avec {k}",
        ),
    },
    "es": {
        "format": (
            "en JSON con el formato {f}", "en JSON, usando el formato {f}", "en JSON: {f}",
            "con un objeto JSON como {f}", "con un objeto JSON de la forma {f}",
            "en forma de JSON: {f}", "en JSON. El formato es {f}", "en el formato JSON {f}",
        ),
        "key": (
            "en JSON con la clave {k}", "en un objeto JSON bajo la clave {k}", "en JSON, clave {k}",
            "en JSON. La clave es {k}", "en el campo {k} de un JSON", "en JSON, bajo {k}",
        ),
        "keys": (
            "en JSON con las claves {k}", "con un objeto JSON con las claves {k}",
            "en JSON. Las claves son {k}", "en JSON, claves: {k}", "en un JSON con {k}",
        ),
    },
}  # fmt: skip
TAILS: dict[str, tuple[str, ...]] = {
    "en": (
        "", "", "", "", ".", ".", ".", ".", " and nothing else.", ", nothing else.",
        ". Add nothing else.", ". No other text.", ". Write only the JSON.", " only.",
        " without any other text.", ". Do not explain anything.", ", please.",
    ),
    "fr": ("", "", ".", ".", ".", " et rien d'autre.", ". N'ajoute rien.", " sans autre texte."),
    "es": ("", "", ".", ".", ".", " y nada más.", ". No añadas nada.", " sin otro texto."),
}  # fmt: skip


def composed(what: What, language: str, rng: random.Random) -> str:
    """An instruction with its slot."""
    parts = LEADS[language], FORMS[language][what], TAILS[language]
    lead, form, tail = (rng.choice(part) for part in parts)
    return f"{lead} {form}{tail}"
