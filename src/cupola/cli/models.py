"""`cupola models`: the catalog."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import typer

from cupola.cli import weights as weights_commands
from cupola.cli.options import JsonOption
from cupola.cli.output import print_fields, print_json, print_table

if TYPE_CHECKING:
    from cupola.catalog.model import Model
    from cupola.catalog.service import Catalog

app = typer.Typer(help="The catalog: models that can be deployed.", no_args_is_help=True)
app.command("download")(weights_commands.download)
app.command("gc")(weights_commands.gc)

_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class WeightsView:
    """One quantisation of a model."""

    quantisation: str
    format: str
    repository: str | None
    revision: str | None
    gated: bool
    files: Sequence[Mapping[str, Any]]
    """`name`, `size` and `sha256` of each; the last two may be null."""
    least_memory: int | None
    """Bytes."""


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
    parameters: int | None
    capabilities: Sequence[str]
    engines: Sequence[str]
    default_temperature: float
    weights_file: str | None
    weights_size: int | None
    weights_sha256: str | None
    terms: str
    preview: bool
    deployments: Sequence[str]
    tool_syntax: str | None
    chat_template: str | None
    extra_parameters: Sequence[str]
    price_input: str
    price_output: str
    architecture: Mapping[str, Any] | None
    weights: Sequence[WeightsView]
    weights_path: str | None
    """None: not on this machine."""


@app.command("list")
def list_models(json: JsonOption = False) -> None:
    """List the catalog."""
    from cupola.cli.installation import open_own_catalog

    catalog = open_own_catalog()
    views = [_view(model, catalog) for model in catalog.list_models()]
    if json:
        print_json(views)
        return
    print_table(
        ["NAME", "PUBLISHER", "TASK", "PARAMETERS", "CONTEXT", "LICENSE", "WEIGHTS"],
        [
            [
                each.name,
                each.publisher,
                each.task,
                _count(each.parameters),
                f"{each.context_length:,}",
                each.license,
                _whereabouts(each),
            ]
            for each in views
        ],
    )


@app.command("show")
def show_model(name: str, json: JsonOption = False) -> None:
    """Show one entry of the catalog."""
    from cupola.cli.installation import open_own_catalog

    catalog = open_own_catalog()
    view = _view(catalog.get_model(name), catalog)
    if json:
        print_json(view)
        return
    print_fields(
        [
            ("Name", view.name + (" (preview)" if view.preview else "")),
            ("Publisher", view.publisher),
            ("Collection", view.collection),
            ("Summary", view.summary),
            ("Task", view.task),
            ("License", f"{view.license}, {view.terms}"),
            ("Languages", ", ".join(view.languages)),
            ("Context length", f"{view.context_length:,} tokens"),
            ("Parameters", _count(view.parameters)),
            ("Capabilities", ", ".join(view.capabilities)),
            ("Tool syntax", view.tool_syntax or "-"),
            ("Extra parameters", ", ".join(view.extra_parameters) or "-"),
            ("Engines", ", ".join(view.engines)),
            ("Deployments", ", ".join(view.deployments)),
            ("Price", f"{view.price_input} in, {view.price_output} out, of 1,000 tokens"),
            *(("Weights", _describe(each)) for each in view.weights),
            ("On this machine", view.weights_path or _whereabouts(view)),
        ]
    )


def _view(model: "Model", catalog: "Catalog") -> ModelView:
    file = next((weights.files[0] for weights in model.weights if weights.files), None)
    found = catalog.find_weights(model)
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
        weights_file=file.name if file else None,
        weights_size=file.size if file else None,
        weights_sha256=file.sha256 if file else None,
        terms=model.terms,
        preview=model.preview,
        deployments=model.deployments,
        tool_syntax=model.tool_syntax,
        chat_template=model.chat_template,
        extra_parameters=model.extra_parameters,
        price_input=str(model.price.input),
        price_output=str(model.price.output),
        architecture=asdict(model.architecture) if model.architecture else None,
        weights=_view_weights(model),
        weights_path=str(found.path) if found else None,
    )


def _view_weights(model: "Model") -> Sequence[WeightsView]:
    return [
        WeightsView(
            quantisation=weights.quantisation,
            format=weights.format,
            repository=weights.repository,
            revision=weights.revision,
            gated=weights.gated,
            files=[asdict(file) for file in weights.files],
            least_memory=model.least_memory(weights.quantisation),
        )
        for weights in model.weights
    ]


def _whereabouts(view: ModelView) -> str:
    if view.weights_path:
        return "here"
    return "not on this machine" if view.weights else "closed"


def _describe(weights: WeightsView) -> str:
    """One line for people."""
    names = [file["name"] for file in weights.files] or [f"{weights.format} files"]
    origin = f" of {weights.repository}" if weights.repository else ""
    memory = weights.least_memory
    needs = f", at least {memory / _GIB:.1f} GiB of memory" if memory else ""
    return f"{weights.quantisation}: {', '.join(names)}{origin}{needs}"


def _count(number: int | None) -> str:
    """`4.6 million` and the like, for people."""
    if number is None:
        return "unknown"
    if number >= 1_000_000_000:
        return f"{number / 1e9:.1f} billion"
    return f"{number / 1e6:.1f} million"
