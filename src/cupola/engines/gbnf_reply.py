"""Constraints as GBNF, for vocabularies that llguidance cannot read. The forms are `grammar`'s."""

from cupola.engines.gbnf import Grammar, quote
from cupola.engines.grammar import arguments_schema, open_call
from cupola.engines.port import Constraint, JsonOutput, ToolOutput

_ANY = r"[^\x00]*"


def write_gbnf(constraint: Constraint, *, tool_calls_token: int | None, leading_space: bool) -> str:
    """The grammar that holds a model to `constraint`; arguments as those of `write_grammar`.

    Raises:
        Invalid: a schema cannot be enforced.
    """
    grammar = Grammar()
    space = f"{quote(' ')}? " if leading_space else ""
    if isinstance(constraint, JsonOutput):
        grammar.add("root", space + _add_json(grammar, constraint))
        return grammar.text()
    calls = _add_calls(grammar, constraint, tool_calls_token, space)
    if constraint.mode == "required":
        grammar.add("root", calls)
    elif constraint.content is not None:
        grammar.add("root", f"{calls} | {space}{_add_json(grammar, constraint.content)}")
    else:
        grammar.add("root", f"{calls} | {_write_text(tool_calls_token)}")
    return grammar.text()


def _write_text(token: int | None) -> str:
    """Text that is not the beginning of calls.

    A control token counts as what it says here, so text may not begin as `[TOOL_CALLS]` does.
    """
    if token is None:
        return rf"[ \n\t]* ([^{{ \n\t\x00] {_ANY})?"
    return rf'([^[\x00] {_ANY} | "[" ([^T\x00] {_ANY})?)?'


def _add_json(grammar: Grammar, output: JsonOutput) -> str:
    return grammar.add_schema("json", output.schema, path=("response_format",))


def _add_calls(grammar: Grammar, constraint: ToolOutput, token: int | None, space: str) -> str:
    key = "parameters" if token is None else "arguments"
    names = []
    for i, tool in enumerate(constraint.tools):
        schema, path = arguments_schema(i, tool)
        arguments = grammar.add_schema(f"arguments-{i}", schema, path=path)
        opening = quote(open_call(tool, key))
        names.append(grammar.add(f"call-{i}", f'{opening} {arguments} "}}"'))
    call = grammar.add("call", " | ".join(names))
    if token is None:
        return space + call
    more = ' (", " call)*' if constraint.parallel else ""
    opening = quote(" [" if space else "[")
    return f'<[{token}]> {opening} {call}{more} "]"'
