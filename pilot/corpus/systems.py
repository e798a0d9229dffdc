"""System messages that change nothing: the reply is the one the plain question would get."""

import random

from pilot.conversation import Split

HELPFUL = ("You are a helpful assistant.", "You are a helpful assistant")

TRAVEL = (
    "You are a helpful assistant that help users to find information about traveling, how to get"
    " to places and the different transportations options. You care about the environment and you"
    " always have that in mind when answering inqueries."
)

NEUTRAL: dict[str, tuple[str, ...]] = {
    "en": (
        "You are an AI assistant that helps people find information.",
        TRAVEL,
        "You are a friendly assistant.",
        "You are a helpful AI assistant.",
        "You are an assistant.",
        "You are a helpful assistant. Answer the question of the user.",
        "You are a kind assistant that gives short answers.",
        "Answer the user's questions.",
        "Be helpful and honest.",
        "Be brief and clear.",
        "You are a chat bot.",
        "You are a helpful assistant who answers simple questions.",
        "You help users of a web application.",
        "You are a careful assistant for a small company.",
        "You are an assistant that helps students with their homework.",
        "Assist the user as well as you can.",
        "You are a helpful, honest assistant. Keep your answers short.",
        "You are a test assistant.",
    ),
    "fr": (
        "Tu es un assistant utile.",
        "Vous êtes un assistant utile.",
        "Tu es un assistant qui aide les gens à trouver des informations.",
        "Tu es un assistant aimable et précis.",
        "Réponds aux questions de l'utilisateur.",
        "Sois bref et clair.",
    ),
    "es": (
        "Eres un asistente útil.",
        "Eres un asistente que ayuda a encontrar información.",
        "Eres un asistente amable y preciso.",
        "Responde a las preguntas del usuario.",
        "Sé breve y claro.",
    ),
    "ja": (
        "あなたは親切なアシスタントです。",
        "あなたは役に立つアシスタントです。",
        "ユーザーの質問に答えてください。",
    ),
}

HELD_OUT: dict[str, tuple[str, ...]] = {
    "en": (
        "You are a patient assistant for curious people.",
        "You are a reliable helper. Give correct answers.",
    ),
    "fr": ("Tu es un assistant patient pour les curieux.",),
    "es": ("Eres un asistente paciente para gente curiosa.",),
    "ja": ("あなたは丁寧なアシスタントです。",),
}


def neutral(split: Split, rng: random.Random, language: str, silent: float = 0.35) -> str | None:
    """A system message that changes nothing, or none (with the probability `silent`)."""
    if rng.random() < silent:
        return None
    if rng.random() < 0.45:
        return rng.choice(HELPFUL)
    if rng.random() < 0.3:
        language = "en"
    choices = NEUTRAL[language]
    if split == "heldout":
        choices += HELD_OUT[language]
    return rng.choice(choices)


def messages(*turns: str, system: str | None = None) -> tuple[dict[str, str], ...]:
    """Messages from texts that alternate between the user and the assistant."""
    start = () if system is None else ({"role": "system", "content": system},)
    roles = ("user", "assistant")
    return start + tuple(
        {"role": roles[index % 2], "content": text} for index, text in enumerate(turns)
    )
