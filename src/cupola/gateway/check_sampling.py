"""Whether what a request asks of the choice among tokens and replies makes sense and can be done.

The rules between parameters, and their sentences where users know them, are vLLM's (0.5), with
which these parameters were served before. What an engine lacks is refused by name before anything
is generated; a value that asks for nothing needs no ability.
"""

from cupola.engines.port import LOGPROBS
from cupola.gateway.directory import Served
from cupola.kit.errors import Invalid, Unsupported
from cupola.wire.canonical import ChatRequest, Options, Sampled

_DEFAULTS = Options()
_OF_BEAMS = ("length_penalty", "early_stopping")


def check_sampling(request: Sampled, served: Served) -> None:
    """Raise what is wrong with the sampling of `request`, if anything is."""
    if request.n > 1 or request.best_of is not None:
        _check_choices(request, served)
    if request.top_logprobs and request.logprobs is None:
        raise Invalid("when using `top_logprobs`, `logprobs` must be set to true.",
                      path=("top_logprobs",))  # fmt: skip
    ranked = request.best_of is not None and request.best_of > request.n
    if ranked and LOGPROBS not in served.profile.capabilities:
        raise _lacking("best_of", served)
    if request.logprobs is not None and LOGPROBS not in served.profile.capabilities:
        raise _lacking(LOGPROBS, served)
    if request.options is not None:
        _check_options(request, request.options, served)


def _check_choices(request: Sampled, served: Served) -> None:
    best_of, temperature = request.best_of, request.temperature
    if best_of is None:
        return
    if best_of < request.n:
        raise Invalid(
            f"best_of must be greater than or equal to n, got n={request.n} and best_of={best_of}.",
            path=("best_of",),
            value=best_of,
        )
    if best_of > request.n and request.stream:
        raise Invalid("'best_of' cannot be streamed: which reply is best is known at the end.",
                      path=("best_of",), value=best_of)  # fmt: skip
    greedy = (served.default_temperature if temperature is None else temperature) == 0
    if best_of > 1 and greedy and not _searches(request):
        raise Invalid(
            f"best_of must be 1 when using greedy sampling. Got {best_of}. Set a 'temperature' "
            "above 0, so that the replies differ.",
            path=("best_of",),
            value=best_of,
        )


def _check_options(request: Sampled, options: Options, served: Served) -> None:
    for name in Options.__struct_fields__:
        changed = getattr(options, name) != getattr(_DEFAULTS, name)
        if changed and name not in served.profile.capabilities:
            raise _lacking(name, served)
        if changed and name in _OF_BEAMS and not options.use_beam_search:
            raise Invalid(f"'{name}' is for beam search: it needs 'use_beam_search': true.",
                          path=(name,))  # fmt: skip
    if request.max_tokens is not None and options.min_tokens > request.max_tokens:
        raise Invalid(
            "min_tokens must be less than or equal to "
            f"max_tokens={request.max_tokens}, got {options.min_tokens}.",
            path=("min_tokens",),
            value=options.min_tokens,
        )
    if options.use_beam_search:
        _check_beams(request)


def _check_beams(request: Sampled) -> None:
    if (request.best_of or request.n) < 2:
        raise Invalid("best_of must be greater than 1 when using beam search.", path=("best_of",))
    if request.temperature:
        raise Invalid("temperature must be 0 when using beam search.", path=("temperature",))
    if request.top_p not in (None, 1.0):
        raise Invalid("top_p must be 1 when using beam search.", path=("top_p",))
    if request.stream:
        raise Invalid("Beam search cannot be streamed: its replies are known at the end.",
                      path=("stream",))  # fmt: skip
    if request.presence_penalty or request.frequency_penalty or _draws(request.options):
        raise Invalid("Beam search takes the likeliest replies: it cannot be combined with "
                      "penalties, 'logit_bias', 'top_k' or 'min_p'.",
                      path=("use_beam_search",))  # fmt: skip
    if type(request) is ChatRequest and (request.tools or request.response_format.type != "text"):
        raise Invalid("Beam search cannot be held to a form; leave out 'tools' and "
                      "'response_format', or 'use_beam_search'.",
                      path=("use_beam_search",))  # fmt: skip


def _draws(options: Options | None) -> bool:
    return options is not None and bool(
        options.logit_bias or options.top_k or options.min_p or options.repetition_penalty != 1
    )


def _searches(request: Sampled) -> bool:
    return request.options is not None and request.options.use_beam_search


def _lacking(name: str, served: Served) -> Unsupported:
    return Unsupported(
        f"The engine {served.profile.engine or 'behind this endpoint'}, which serves the model "
        f"{served.model} here, does not support '{name}'. Leave it out.",
        path=(name,),
    )
