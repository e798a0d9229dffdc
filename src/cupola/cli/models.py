"""`cupola models`: the catalog."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from cupola.cli.options import JsonOption
from cupola.cli.output import print_fields, print_json, print_table

if TYPE_CHECKING:
    from cupola.catalog.model import Model

app = typer.Typer(help="The catalog: models that can be deployed.", no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class ModelView:
    """A catalog entry as `--json` prints it; docs/reference/cli.md promises its fields."""

    name: str
    publisher: str
    collection: str
    summary: str
    task: str
    license: str
    languages: Sequence[str]
    context_length: int
    parameters: int
    capabilities: Sequence[str]
    engines: Sequence[str]
    default_temperature: float
    weights_file: str
    weights_size: int
    weights_sha256: str


@app.command("list")
def list_models(json: JsonOption = False) -> None:
    """List the catalog."""
    from cupola.cli.installation import open_own_catalog

    views = [_view(model) for model in open_own_catalog().list_models()]
    if json:
        print_json(views)
        return
    print_table(
        ["NAME", "PUBLISHER", "TASK", "PARAMETERS", "CONTEXT", "LICENSE"],
        [
            [
                each.name,
                each.publisher,
                each.task,
                _count(each.parameters),
                f"{each.context_length:,}",
                each.license,
            ]
            for each in views
        ],
    )


@app.command("show")
def show_model(name: str, json: JsonOption = False) -> None:
    """Show one entry of the catalog."""
    from cupola.cli.installation import open_own_catalog

    view = _view(open_own_catalog().get_model(name))
    if json:
        print_json(view)
        return
    print_fields(
        [
            ("Name", view.name),
            ("Publisher", view.publisher),
            ("Collection", view.collection),
            ("Summary", view.summary),
            ("Task", view.task),
            ("License", view.license),
            ("Languages", ", ".join(view.languages)),
            ("Context length", f"{view.context_length:,} tokens"),
            ("Parameters", _count(view.parameters)),
            ("Capabilities", ", ".join(view.capabilities)),
            ("Engines", ", ".join(view.engines)),
            ("Weights", f"{view.weights_file}, {view.weights_size:,} bytes"),
        ]
    )


def _view(model: "Model") -> ModelView:
    return ModelView(
        name=model.name,
        publisher=model.publisher,
        collection=model.collection,
        summary=model.summary,
        task=model.task,
        license=model.license,
        languages=model.languages,
        context_length=model.context_length,
        parameters=model.parameters,
        capabilities=sorted(model.capabilities),
        engines=model.engines,
        default_temperature=model.default_temperature,
        weights_file=model.weights.file,
        weights_size=model.weights.size,
        weights_sha256=model.weights.sha256,
    )


def _count(number: int) -> str:
    """`4.6 million` and the like, for people."""
    if number >= 1_000_000_000:
        return f"{number / 1e9:.1f} billion"
    return f"{number / 1e6:.1f} million"
