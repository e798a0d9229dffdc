"""Questions about a way, put together from parts: thousands of wordings where a table has dozens.

A model that has seen each part in many surroundings reads a sentence that it never saw. Only
training draws from here; a sentence that happens to be one of the held-out wordings is dropped.
Slots are those of `tools_wordings`.
"""
# ruff: noqa: RUF001

import random

from pilot.corpus import tools_wordings as w
from pilot.corpus.copying import wordings

WAYS: dict[str, tuple[str, ...]] = {
    "en": (
        *("from {A} to {B}",) * 5,
        *("to {B} from {A}",) * 4,
        *("between {A} and {B}",) * 3,
        "leaving {A} for {B}", "that leaves {A} and arrives in {B}", "going from {A} to {B}",
        "departing from {A} and arriving in {B}", "to {B} departing from {A}",
        "starting in {A} and ending in {B}", "for {B} from {A}", "out of {A} to {B}",
        "into {B} from {A}", "from {A} going to {B}", "from {A} all the way to {B}",
        "that takes me from {A} to {B}", "that brings us to {B} from {A}",
        "with origin {A} and destination {B}", "with departure in {A} and arrival in {B}",
        "from {A} (destination: {B})", "to {B} (I am in {A})", "connecting {A} with {B}",
        "from {A} towards {B}", "from here in {A} to {B}", "from the town of {A} to {B}",
        "from {A} to the town of {B}", "from the city {A} to the city {B}",
        "from the village of {A} to the village of {B}", "from the station in {A} to that in {B}",
        "from the port of {A} to the port of {B}", "from my home town {A} to {B}",
    ),
    "fr": (
        *("{dA} à {B}",) * 4,
        *("entre {A} et {B}",) * 3,
        *("pour {B} depuis {A}",) * 2,
        "à destination de {B} au départ {dA}", "depuis {A} vers {B}", "de {A} jusqu'à {B}",
        "qui part {dA} et arrive à {B}", "vers {B} en partant {dA}", "pour aller {dA} à {B}",
        "au départ {dA} et à l'arrivée à {B}", "reliant {A} à {B}", "à {B} depuis {A}",
    ),
    "es": (
        *("de {A} a {B}",) * 4,
        *("entre {A} y {B}",) * 3,
        *("a {B} desde {A}",) * 2,
        "desde {A} hasta {B}", "con destino a {B} desde {A}", "que sale de {A} y llega a {B}",
        "para ir de {A} a {B}", "que va de {A} a {B}", "hacia {B} saliendo de {A}",
        "con origen en {A} y destino en {B}",
    ),
    "ja": (
        "{A}から{B}までの", "{A}から{B}への", "{A}から{B}行きの", "{A}発、{B}着の",
        "{A}を出て{B}に着く", "{B}行きで{A}発の", "{A}と{B}の間の",
    ),
}  # fmt: skip
HEADS: dict[str, tuple[str, ...]] = {
    "en": (
        "When is the next {n} {w}?", "When does the {n} {w} leave?", "Is there a {n} {w}?",
        "Is there any {n} {w}?", "Are there any {ns} {w}?", "Do you have a {n} {w}?",
        "Do you know a {n} {w}?", "I need a {n} {w}.", "I want a {n} {w}.", "I'd like a {n} {w}.",
        "I would love a {n} {w}.", "I am after a {n} {w}.", "We need a {n} {w}.",
        "We are looking for {ns} {w}.", "My boss needs a {n} {w}.", "Find a {n} {w}.",
        "Find me the best {n} {w}.", "Find the cheapest {n} {w}.", "Search for a {n} {w}.",
        "Search {ns} {w}", "Look for a {n} {w}.", "Look for {ns} {w}.", "Get me a {n} {w}.",
        "Give me the {n} times {w}.", "Show me {ns} {w}.", "Show all {ns} {w}.",
        "List all {ns} {w}.", "Tell me about {ns} {w}.", "Tell me the time of the {n} {w}.",
        "Check the {ns} {w}.", "Check whether a {n} runs {w}.", "Book me a {n} {w}.",
        "Reserve a {n} {w}.", "Please book the first {n} {w}.", "Which {n} is the fastest {w}?",
        "Which {n} should I take {w}?", "What {ns} are there {w}?", "What is the best {n} {w}?",
        "What is the price of a {n} {w}?", "What does a {n} {w} cost?", "How much is the {n} {w}?",
        "How long is the {n} {w}?", "How many {ns} run {w}?", "Can you get me a {n} {w}?",
        "Can you see if there is a {n} {w}?", "Could you search for a {n} {w}?",
        "Could I get a {n} {w}?", "Would there be a {n} {w}?", "May I have a {n} {w}?",
        "Let me know about the next {n} {w}.", "I have to catch a {n} {w}.",
        "I was told to take a {n} {w}.", "Help me find a {n} {w}.", "Any {n} {w}?",
        "Any {ns} {w}?", "Next {n} {w}?", "next {n} {w}", "the next {n} {w} please",
        "{ns} {w}", "{n} {w}", "a {n} {w}", "{n} times {w}", "timetable for the {n} {w}",
        "I wonder if there is a {n} {w}.", "I am trying to find a {n} {w}.",
        "Is a {n} available {w}?", "Does the {n} {w} still run?", "At what time is the {n} {w}?",
        "To {B}, leaving from {A}: which {n}?", "To {B} please, from {A}, by {n}.",
        "{B} from {A}: any {n}?", "For {B} from {A}, when does the {n} leave?",
        "Towards {B} from {A}: when is the {n}?", "To {B}: is there a {n} out of {A}?",
        "Where can I see the {ns} {w}?", "Are {ns} running {w}?", "Is it easy to find a {n} {w}?",
    ),
    "fr": (
        "Quand est le prochain {n} {w} ?", "À quelle heure part le {n} {w} ?",
        "Existe-t-il un {n} {w} ?", "Y a-t-il encore un {n} {w} ?", "Avez-vous un {n} {w} ?",
        "J'ai besoin d'un {n} {w}.", "Je veux un {n} {w}.", "J'aimerais un {n} {w}.",
        "Nous cherchons un {n} {w}.", "Cherche un {n} {w}.", "Trouve le prochain {n} {w}.",
        "Donne-moi le prochain {n} {w}.", "Montre-moi le prochain {n} {w}.",
        "Réserve un {n} {w}.", "Dis-moi quand part le {n} {w}.", "Combien coûte un {n} {w} ?",
        "Quel est le prix d'un {n} {w} ?", "Quel {n} puis-je prendre {w} ?", "Un {n} {w} ?",
        "Est-ce qu'un {n} circule {w} ?", "Peux-tu me trouver un {n} {w} ?",
        "Pouvez-vous chercher le prochain {n} {w} ?", "Je dois prendre un {n} {w}.",
        "prochain {n} {w}", "{n} {w}", "Vérifie s'il y a un {n} {w}.",
    ),
    "es": (
        "¿Cuándo es el próximo {n} {w}?", "¿A qué hora sale el {n} {w}?", "¿Existe un {n} {w}?",
        "¿Tienes un {n} {w}?", "Necesito un {n} {w}.", "Quiero un {n} {w}.",
        "Me gustaría un {n} {w}.", "Buscamos un {n} {w}.", "Busca un {n} {w}.",
        "Encuentra el próximo {n} {w}.", "Dame el próximo {n} {w}.", "Muéstrame el {n} {w}.",
        "Reserva un {n} {w}.", "Dime cuándo sale el {n} {w}.", "¿Cuánto cuesta un {n} {w}?",
        "¿Qué {n} puedo tomar {w}?", "¿Un {n} {w}?", "¿Me buscas un {n} {w}?",
        "¿Puedes encontrar el próximo {n} {w}?", "Tengo que tomar un {n} {w}.",
        "próximo {n} {w}", "{n} {w}",
    ),
    "ja": (
        "{w}{n}はありますか？", "{w}次の{n}は何時ですか？", "{w}{n}を探しています。",
        "{w}{n}を教えて。", "{w}{n}を予約したいです。", "{w}{n}はいくらですか？",
        "{w}{n}を見せてください。", "{w}{n}",
    ),
}  # fmt: skip
HERE: tuple[str, ...] = (
    "I am in {A}", "I'm in {A} now", "I am currently in {A}", "I live in {A}", "I'm staying in {A}",
    "We are in {A}", "I work in {A}", "I'm stuck in {A}", "My trip begins in {A}", "I start in {A}",
    "Right now I am in {A}", "I will leave from {A}", "We depart from {A}", "My home is in {A}",
    "I am leaving {A}", "My starting point is {A}", "I'm a student in {A}", "I landed in {A}",
)  # fmt: skip
THERE: tuple[str, ...] = (
    "I want to go to {B} by {n}", "I need a {n} to {B}", "I have to get to {B} by {n}",
    "I'd like to take a {n} to {B}", "is there a {n} to {B}?", "when is the next {n} to {B}?",
    "which {n} goes to {B}?", "find me a {n} to {B}", "what {ns} go to {B}?",
    "can I get a {n} to {B}?", "how do I reach {B} by {n}?", "we want to see {B}, by {n}",
    "show me {ns} to {B}", "does a {n} go to {B}?", "please book a {n} to {B}",
    "when does the {n} to {B} leave?", "what time is the {n} to {B}?", "any {ns} to {B}?",
)  # fmt: skip
GOALS: tuple[str, ...] = (
    "I must be in {B}", "I want to visit {B}", "My meeting is in {B}", "My family lives in {B}",
    "We have a wedding in {B}", "I am going to {B}", "The concert is in {B}", "I dream of {B}",
    "My destination is {B}", "We would like to see {B}", "I have a job in {B}", "Next stop: {B}",
)  # fmt: skip
STARTS: tuple[str, ...] = (
    "Which {n} can I take from {A}?", "When does a {n} leave {A}?", "Is there a {n} from {A}?",
    "Find a {n} from {A}.", "I start in {A}, by {n}.", "I need a {n} out of {A}.",
    "Show me the {ns} from {A}.", "Does any {n} go there from {A}?", "What {n} goes from {A}?",
    "I'm coming from {A} by {n}.", "How about a {n} from {A}?", "Please look for {ns} from {A}.",
)  # fmt: skip


def composed(language: str, rng: random.Random) -> str | None:
    """A template of the training split; None where the language has no parts."""
    if language not in HEADS:
        return None
    held_out = wordings(w.GENERIC[language], "heldout")
    while (template := _compose(language, rng)) in held_out:
        pass
    return template


def _compose(language: str, rng: random.Random) -> str:
    pick = rng.random()
    if language != "en" or pick < 0.65:
        return rng.choice(HEADS[language]).replace("{w}", rng.choice(WAYS[language]))
    if pick < 0.85:
        here, there = rng.choice(HERE), rng.choice(THERE)
        return _joined(here, there, rng.choice((". ", ", ", " and ", ". ", "; ")))
    return _joined(rng.choice(GOALS), rng.choice(STARTS), rng.choice((". ", ". ", ", ", " - ")))


def _joined(first: str, second: str, mark: str) -> str:
    if mark == ". ":
        second = second[0].upper() + second[1:]
    elif second[1:2].islower() and not second.startswith("I "):
        second = second[0].lower() + second[1:]
    return first + mark + (second if second[-1] in ".?" else second + ".")
