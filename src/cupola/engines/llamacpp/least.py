"""No end before so many tokens: `min_tokens`, as a grammar of llama.cpp's own, or refused. No I/O.

A ban as a bias cannot be lifted midway. A grammar can: llama.cpp keeps every token that ends a
reply out until the grammar may end, and this one says how many other tokens come before.

    any ::= !<[2]>              2 is an end; the others are kept out without a word
    thousand ::= any{1000}
    root ::= thousand{3} any{20,}

It counts tokens, not text, so the model is as free in what it says as without.
"""

from typing import Final

from cupola.engines.llamacpp.vocabulary import Vocabulary
from cupola.engines.port import Generation, ToolOutput
from cupola.kit.errors import Invalid

_PART: Final = 1000
"""llama.cpp repeats no rule more than 2,000 times."""


def write_least(request: Generation, vocabulary: Vocabulary, context_length: int) -> str | None:
    """The grammar, if `request` needs one; its constraint leaves no room for another.

    Raises:
        Invalid: something else could end the reply earlier.
    """
    least = check_least(request)
    if not least or not vocabulary.ends:
        return None
    parts, rest = divmod(min(least, context_length), _PART)
    return (
        f"root ::= thousand{{{parts}}} any{{{rest},}}\n"
        f"thousand ::= any{{{_PART}}}\n"
        f"any ::= !<[{min(vocabulary.ends)}]>"
    )


def check_least(request: Generation) -> int:
    """How many tokens come before any end; 0: nothing is asked, or nothing ends anyway.

    Raises:
        Invalid: what else the request asks for could end the reply earlier.
    """
    options = request.options
    if options is None or not options.min_tokens:
        return 0
    form = "tools" if isinstance(request.constraint, ToolOutput) else "response_format"
    rivals = {
        "stop": bool(request.stop),
        "stop_token_ids": bool(options.stop_token_ids),
        form: request.constraint is not None,
    }
    for name, given in rivals.items():
        if given:
            raise Invalid(
                f"'{name}' may end a reply before 'min_tokens' are said; leave one of them out.",
                path=("min_tokens",),
                value=options.min_tokens,
            )
    return 0 if options.ignore_eos else options.min_tokens
