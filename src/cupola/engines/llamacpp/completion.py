"""A `Generation` as the body of llama.cpp's `/completion`. No I/O.

What llama.cpp would choose by itself (top-k 40, top-p 0.95, min-p 0.05, a penalty window of 64
tokens) is said explicitly, for none of it was asked for. The parts that are the same for every
request to a model are encoded once.

Penalties: clients mean "what the reply has said so far" (as OpenAI and vLLM count), llama.cpp
counts the prompt, too. So each token of the prompt gets back, as a bias, what it costs. What
remains is that a token of the prompt, once repeated, pays no presence penalty.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from cupola.engines.gbnf_reply import write_gbnf
from cupola.engines.grammar import write_grammar
from cupola.engines.llamacpp.least import write_least
from cupola.engines.llamacpp.vocabulary import Vocabulary
from cupola.engines.port import Generation, Piece, Tokens, ToolOutput, Verbatim
from cupola.kit.errors import Invalid, TooLong, Unsupported
from cupola.wire.canonical import Options

PATH: Final = "/completion"

_CONSTANT: Final = {
    "samplers": ["penalties", "temperature", "top_k", "top_p", "min_p"],
    "top_k": 0,
    "min_p": 0.0,
    "repeat_penalty": 1.0,
    "cache_prompt": True,
    "stream": True,  # always: a whole reply would go on when its caller has gone
    "return_progress": True,  # so it is known when a prompt's turn has come, and how long it is
    "response_fields": [
        "content", "tokens", "stop", "stop_type", "tokens_predicted", "tokens_evaluated",
        "completion_probabilities", "timings/prompt_ms", "timings/predicted_ms",
    ],
}  # fmt: skip
_SEEDS: Final = 2**32 - 1
"""This very number means "random" to llama.cpp."""


_LONGEST_END: Final = 256
"""Characters: more than any control token has."""
_NO_OPTIONS: Final = Options()


class _Body(msgspec.Struct, omit_defaults=True):
    prompt: list[str | int]
    n_predict: int
    temperature: float
    top_p: float = 1.0
    return_tokens: bool = False
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    grammar: str | None = None


class CompletionWriter:
    """Writes the bodies of requests to one model."""

    def __init__(self, vocabulary: Vocabulary, context_length: int) -> None:
        self._vocabulary = vocabulary
        self._context_length = context_length
        self._encode = msgspec.json.Encoder().encode
        self._control = re.compile("|".join(map(re.escape, vocabulary.control_texts)) or "(?!)")
        self._plain = self._opening(self._banned(calls=False))
        self._calling = self._opening(self._banned(calls=True))

    def write(self, request: Generation, prompt: list[str | int]) -> bytes:
        """The body that asks for `request`; `prompt` is what became of its pieces.

        Raises:
            Invalid: the constraint cannot be enforced.
        """
        constraint = request.constraint
        calls = isinstance(constraint, ToolOutput)
        greedy = request.temperature == 0 or request.top_p == 0
        limit = request.max_tokens
        body = _Body(
            prompt=prompt,
            n_predict=-1 if limit is None else min(limit, self._context_length),
            temperature=0.0 if greedy else request.temperature,
            top_p=1.0 if greedy else request.top_p,
            return_tokens=calls or request.options is not None or request.logprobs is not None,
            presence_penalty=request.presence_penalty,
            frequency_penalty=request.frequency_penalty,
            stop=() if _must_call(request) else request.stop,  # a call may hold any text
            seed=None if request.seed is None else request.seed % _SEEDS,
            grammar=self._grammar(request),
        )
        return self._begin(request, prompt, calls=calls) + self._encode(body)[1:]

    def _begin(self, request: Generation, prompt: list[str | int], *, calls: bool) -> bytes:
        """The constant part, the same for all requests without penalties and options."""
        options = request.options
        if options is None and request.logprobs is None and not penalises(request):
            return self._calling if calls else self._plain
        options = options or _NO_OPTIONS
        self._check_tokens(options)
        said = self._banned(calls=calls) if options.skip_special_tokens else ()
        banned = (token for token in said if token not in options.stop_token_ids)
        bias = [*_refund(request, prompt), *options.logit_bias]
        return self._opening(banned, bias, _choose(request, options))

    def _check_tokens(self, options: Options) -> None:
        size = len(self._vocabulary.tokens)
        for name, ids in (
            ("logit_bias", [token for token, _ in options.logit_bias]),
            ("stop_token_ids", options.stop_token_ids),
        ):
            if unknown := [token for token in ids if token >= size]:
                raise Invalid(
                    f"token_id {unknown[0]} in {name} contains out-of-vocab token id: this model "
                    f"has {size} tokens.",
                    path=(name,),
                    value=unknown[0],
                )

    def _banned(self, *, calls: bool) -> Iterable[int]:
        python = self._vocabulary.python
        opening = (self._vocabulary.tool_calls_token, python.tag if python else None)
        own = opening if calls else ()
        return (token for token in self._vocabulary.banned if token not in own)

    def _grammar(self, request: Generation) -> str | None:
        constraint = request.constraint
        least = write_least(request, self._vocabulary, self._context_length)
        if constraint is None:
            return least
        vocabulary = self._vocabulary
        token, space = vocabulary.tool_calls_token, vocabulary.leading_space
        if vocabulary.adds_space:
            grammar = write_gbnf(constraint, tool_calls_token=token, leading_space=space)
        else:
            grammar = write_grammar(
                constraint, tool_calls_token=token, leading_space=space, python=vocabulary.python
            )
        if found := self._control.search(grammar):
            # The decoder would force the token for the text, and the token may not be said.
            raise Unsupported(
                f"A schema for this model cannot hold the text of a control token: {found[0]}",
                path=("tools",) if isinstance(constraint, ToolOutput) else ("response_format",),
                value=found[0],
            )
        return grammar

    def _opening(
        self,
        banned: Iterable[int],
        bias: Sequence[tuple[int, float]] = (),
        chosen: Mapping[str, Any] | None = None,
    ) -> bytes:
        said = {
            **_CONSTANT,
            **(chosen or {}),
            "repeat_last_n": self._context_length,  # penalties count all of it
            "logit_bias": [*bias, *((token, False) for token in banned)],  # a ban has the last word
        }
        return self._encode(said)[:-1] + b","


def _choose(request: Generation, options: Options) -> dict[str, Any]:
    """What is not as in other requests."""
    chosen: dict[str, Any] = {
        "top_k": options.top_k,
        "min_p": options.min_p,
        "repeat_penalty": options.repetition_penalty,
        "ignore_eos": options.ignore_eos,
    }
    if request.logprobs is not None:
        chosen["n_probs"] = max(1, request.logprobs)  # 0 would be none, and no chosen one either
    return chosen


def stops_by_token(request: Generation) -> bool:
    """Whether the answer must be read as it comes, though only its whole is wanted."""
    return request.options is not None and bool(request.options.stop_token_ids)


def searches(request: Generation) -> bool:
    """Whether the answers are those of a beam search."""
    return request.options is not None and request.options.use_beam_search


def penalises(request: Generation) -> bool:
    """Whether tokens are counted for penalties, so that the whole prompt must come as ids."""
    return bool(request.presence_penalty or request.frequency_penalty)


def _refund(request: Generation, prompt: list[str | int]) -> list[tuple[int, float]]:
    """What llama.cpp takes from each token of the prompt, as a bias that gives it back."""
    counts = Counter(token for token in prompt if isinstance(token, int))
    return [
        (token, request.presence_penalty + count * request.frequency_penalty)
        for token, count in counts.items()
    ]


def check_prompt(pieces: tuple[Piece, ...], vocabulary: Vocabulary, context_length: int) -> None:
    """Refuse what cannot fit, whatever its tokens are: to cut megabytes up takes llama.cpp minutes.

    Raises:
        Invalid: a token is none of the model's.
        TooLong: the prompt has more bytes than the context could hold of the longest token.
    """
    size = len(vocabulary.tokens)
    unknown = [t for p in pieces if isinstance(p, Tokens) for t in p.ids if t >= size]
    if unknown:
        raise Invalid(
            f"The prompt has the token {unknown[0]}, but this model has {size} tokens.",
            path=("prompt",),
            value=unknown[0],
        )
    length = sum(_length(piece, vocabulary) for piece in pieces)  # characters
    if length > context_length * vocabulary.longest_token:
        raise TooLong(
            f"This model's maximum context length is {context_length} tokens. However, your "
            f"messages have {length} characters, which are more. Please reduce their length.",
            path=("messages",),
            value=length,
        )


def _length(piece: Piece, vocabulary: Vocabulary) -> int:
    if isinstance(piece, Tokens):
        return len(piece.ids) * vocabulary.longest_token
    return len(piece.text if isinstance(piece, Verbatim) else piece)


def begin_prompt(pieces: tuple[Piece, ...], vocabulary: Vocabulary) -> list[Piece | int]:
    """The pieces, the first token as its id: llama.cpp puts another one before a text.

    Where the tokenizer puts a space after control tokens by itself, the layout's own is dropped.
    """
    if vocabulary.adds_space:
        pieces = tuple(_drop_doubled(pieces, vocabulary))
    first, bos = pieces[0], vocabulary.bos
    if bos is None or not isinstance(first, str) or not first.startswith(bos[0]):
        return list(pieces)
    rest = first[len(bos[0]) :]
    return [bos[1], *([rest] if rest else []), *pieces[1:]]


def _drop_doubled(pieces: tuple[Piece, ...], vocabulary: Vocabulary) -> Iterator[Piece]:
    """A space right after a control token goes; before a text apart, it becomes that text's."""
    moved = ""
    for i, piece in enumerate(pieces):
        if isinstance(piece, Verbatim):
            yield Verbatim(moved + piece.text)
            moved = ""
        elif isinstance(piece, str):
            followed = isinstance(pieces[i + 1] if i + 1 < len(pieces) else None, Verbatim)
            if followed and vocabulary.spaced.search(piece[-_LONGEST_END:]):
                piece, moved = piece[:-1], " "
            yield vocabulary.spaced_inside.sub(r"\1", piece)
        else:
            yield piece


def opens_reply(pieces: tuple[Piece, ...], vocabulary: Vocabulary) -> bool:
    """Whether the reply begins after a control token, and so with a space that is not its own."""
    last = pieces[-1]
    return (
        vocabulary.leading_space
        and isinstance(last, str)
        and last.endswith(vocabulary.control_texts)
    )


def _must_call(request: Generation) -> bool:
    return isinstance(request.constraint, ToolOutput) and request.constraint.mode == "required"
