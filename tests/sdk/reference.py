"""The index of docs/reference/sdk.md: `python -m tests.sdk.reference` writes it anew."""

import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

from cupola import sdk

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "sdk.md"
BEGIN = "<!-- begin: written by `python -m tests.sdk.reference` -->"
END = "<!-- end -->"


def render() -> str:
    """All methods of `Cupola`, then the fields of all results, then the errors."""
    return "\n".join([*_methods(), *_results(), *_errors()])


def _methods() -> Iterator[str]:
    with sdk.Cupola("http://127.0.0.1:1") as client:
        yield "## Methods\n"
        yield "| | |\n| --- | --- |"
        yield from _list_methods("", client)
        for name, resource in sorted(vars(client).items()):
            if type(resource).__module__.startswith("cupola.sdk._sync") and name[0] != "_":
                yield from _list_methods(f"{name}.", resource)


def _list_methods(prefix: str, owner: object) -> Iterator[str]:
    for name, method in inspect.getmembers(owner, inspect.ismethod):
        if name.startswith("_"):
            continue
        signature = inspect.signature(method)
        parameters = ", ".join(_list_parameters(signature))
        result = _spell(signature.return_annotation)
        what = (inspect.getdoc(method) or "").split("\n\n")[0].replace("\n", " ")
        yield f"| `{prefix}{name}({parameters})` | `{result}`: {what} |"


def _list_parameters(signature: inspect.Signature) -> Iterator[str]:
    star = False
    for each in signature.parameters.values():
        if each.kind is each.KEYWORD_ONLY and not star:
            star = True
            yield "*"
        yield each.name if each.default is each.empty else f"{each.name}={each.default!r}"


def _results() -> Iterator[str]:
    yield "\n## Results\n"
    yield "| | |\n| --- | --- |"
    for name in sdk.__all__:
        found = getattr(sdk, name)
        if is_dataclass(found):
            hints = get_type_hints(found)
            said = ", ".join(f"`{f.name}: {_spell(hints[f.name])}`" for f in fields(found))
            yield f"| `{name}` | {said} |"


def _errors() -> Iterator[str]:
    yield "\n## Errors\n"
    yield "| | is a | |\n| --- | --- | --- |"
    for name in sdk.__all__:
        found = getattr(sdk, name)
        if issubclass(found, Exception):
            what = (inspect.getdoc(found) or "").split("\n\n")[0].replace("\n", " ")
            yield f"| `{name}` | `{found.__base__.__name__}` | {what} |"


def _spell(annotation: object) -> str:
    said = inspect.formatannotation(annotation)
    for module in ("cupola.sdk.", "collections.abc.", "datetime.", "typing."):
        said = said.replace(module, "")
    return said.replace("|", "or")


if __name__ == "__main__":
    before, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{render()}\n{END}{rest.partition(END)[2]}", "utf-8")
