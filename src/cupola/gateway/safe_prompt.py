"""Mistral's safe prompt: a standing instruction before the conversation.

The words are Mistral's own, and part of its API: `safe_prompt` means exactly this text. Where there
is a system message, it comes first, a blank line before the caller's words.
"""

from cupola.wire.canonical import Message

SAFE_PROMPT = (
    "Always assist with care, respect, and truth. Respond with utmost utility yet securely. Avoid "
    "harmful, unethical, prejudiced, or negative content. Ensure replies promote fairness and "
    "positivity."
)


def with_safe_prompt(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The conversation, with the safe prompt as its system message or the beginning of it."""
    first, *rest = messages
    if first.role != "system":
        return (Message("system", SAFE_PROMPT), *messages)
    return (Message("system", f"{SAFE_PROMPT}\n\n{first.content}"), *rest)
