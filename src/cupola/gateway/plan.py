"""What a checked request asks of engines: one generation or several, and what becomes of them."""

from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace

from cupola.engines.port import FILL, SAFE_PROMPT, Generation, Piece, Tally, Tokens, Trace, Verbatim
from cupola.gateway.directory import Served
from cupola.gateway.layout import Layout
from cupola.gateway.prepare import find_known, render, sample
from cupola.gateway.safe_prompt import with_safe_prompt
from cupola.kit.errors import NotFound
from cupola.wire.canonical import ChatRequest, Sampled, TextRequest

_NO_ECHO = ("",)
_BYTES = 3
_SUFFIX, _PREFIX = "[SUFFIX]", "[PREFIX]"


class Plan(Struct, frozen=True):
    """The generations of one request. Answers are numbered prompt by prompt."""

    generations: tuple[Generation, ...]
    echoes: tuple[str, ...]
    """What each generation's answers begin with."""
    answers: int
    """How many answers all generations give together."""
    per_prompt: int
    """How many of them answer the same prompt, which is counted once."""
    choices: int
    """How many of those become choices: the likeliest."""


def plan_chat(request: ChatRequest, served: Served, layout: Layout) -> Plan:
    """The answers to a conversation."""
    if not can_chat(served):
        raise NotFound(
            f"The model {served.model} continues texts and has no chat: call /completions."
        )
    known = find_known(request, layout)
    generation = sample(request, served, render(request, layout, known), known)
    if request.n == 1 and request.best_of is None:
        return Plan((generation,), _NO_ECHO, 1, 1, 1)  # nearly all, and half the time
    return _plan(request, [generation], [""])


def plan_conversation(request: ChatRequest, served: Served) -> Plan:
    """The answers to a conversation by an engine that takes it as it is."""
    if request.safe_prompt and SAFE_PROMPT not in served.profile.capabilities:
        messages = with_safe_prompt(request.messages)
        request = replace(request, messages=messages, safe_prompt=False)
    return _plan(request, [replace(sample(request, served, ()), conversation=request)], [""])


def plan_text(request: TextRequest, served: Served) -> Plan:
    """The continuations of one text or several."""
    generations = [sample(request, served, _pieces(p, request, served)) for p in request.prompts]
    if served.profile.takes_conversations:
        generations = [replace(one, completion=request) for one in generations]
    echoes = [prompt if request.echo and type(prompt) is str else "" for prompt in request.prompts]
    return _plan(request, generations, echoes)


def with_trace(plan: Plan, trace: Trace) -> Plan:
    """The same, for engines that are told of the trace they are part of."""
    return replace(plan, generations=tuple([replace(x, trace=trace) for x in plan.generations]))


def _plan(request: Sampled, generations: list[Generation], echoes: list[str]) -> Plan:
    searches = request.options is not None and request.options.use_beam_search
    asked = request.best_of or request.n
    times = 1 if searches else asked  # a search finds all its answers at once
    per_prompt = request.n if searches else asked
    return Plan(
        generations=tuple([_vary(one, i) for one in generations for i in range(times)]),
        echoes=tuple([echo for echo in echoes for _ in range(times)]),
        answers=per_prompt * len(generations),
        per_prompt=per_prompt,
        choices=request.n,
    )


def _vary(generation: Generation, i: int) -> Generation:
    """The same, but for its seed, for equal seeds would give equal answers, and its account."""
    if i == 0:
        return generation
    seed = None if generation.seed is None else generation.seed + i
    return replace(generation, seed=seed, tally=Tally())


def _pieces(
    prompt: str | tuple[int, ...], request: TextRequest, served: Served
) -> tuple[Piece, ...]:
    """The prompt as it stands: control tokens in it count, for its author wrote all of it."""
    if type(prompt) is tuple:
        return (Tokens(prompt),)
    assert type(prompt) is str
    if served.profile.takes_conversations:  # and so shows the model a suffix by itself
        return (prompt,)
    bos = served.profile.bos_token
    if request.suffix is not None:
        return (bos + _SUFFIX, Verbatim(request.suffix), _PREFIX, Verbatim(prompt))
    return (prompt if bos and prompt.startswith(bos) else bos + prompt,)


def estimate_prompt(plan: Plan, served: Served) -> int:
    """Tokens of all prompts, each counted once, as far as anybody knows before an engine has read
    them: three bytes are a token. Texts of all languages have more bytes a token with the models'
    own tokenizers, so that it is too much rather than too little; tokens are what they are. One
    that does not fit the context is the engine's to refuse, and needs no more than the context."""
    step = len(plan.generations) * plan.per_prompt // plan.answers
    return sum([estimate(one, served) for one in plan.generations[::step]])


def most_tokens(plan: Plan, served: Served, prompt: int) -> int:
    """How many tokens all answers together may have, if each prompt has its share of `prompt`."""
    room = max(1, served.profile.context_length - prompt)
    most = plan.generations[0].max_tokens
    return plan.answers * (room if most is None else min(most, room))


def estimate(generation: Generation, served: Served) -> int:
    """The same of one prompt."""
    total = 0
    for piece in generation.prompt:
        if isinstance(piece, Tokens):
            total += _BYTES * len(piece.ids)
        else:
            text = piece if isinstance(piece, str) else piece.text
            total += len(text) if text.isascii() else len(text.encode())
    if generation.conversation is not None:
        total += len(encode(generation.conversation.messages))
    return min(served.profile.context_length, -(-total // _BYTES))


def can_chat(served: Served) -> bool:
    """Whether the model answers conversations."""
    return served.profile.takes_conversations or bool(served.profile.chat_template)


def can_fill(served: Served) -> bool:
    """Whether the model was trained to fill in the middle."""
    if served.profile.takes_conversations:
        return FILL in served.profile.capabilities
    return {_SUFFIX, _PREFIX} <= served.profile.control_tokens.keys()


def check_fill(served: Served) -> None:
    """Raise that the model cannot fill in, if it cannot."""
    if can_fill(served):
        return
    far = served.profile.takes_conversations
    why = "it is served without" if far else f"its vocabulary lacks {_SUFFIX}"
    raise NotFound(f"The model {served.model} has no fill-in-the-middle: {why}.")
