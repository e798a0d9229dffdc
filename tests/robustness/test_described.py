"""The OpenAPI document against the server that it describes, by schemathesis.

It sends what the document allows and what it forbids, and looks whether statuses, headers, kinds of
content and bodies are as described, keys are asked for, and other methods refused.
"""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest
import schemathesis
from jsonschema import Draft202012Validator

from cupola.engines.echo import EchoReplica
from cupola.gateway.address import DEPLOYMENT, ENDPOINT, MODEL_PREFIXES
from cupola.gateway.compatibility import SERVICE, Compatibility
from cupola.gateway.directory import serve_alone
from cupola.gateway.openapi import describe_endpoint
from tests.gateway.fakes import KEY, FixedPool, served
from tests.gateway.test_clients_fake import endpoint

CONFIGURATION = Path(__file__).parent / "schemathesis.toml"
OPTIONS = (
    "--phases=examples,coverage,fuzzing",
    "--max-examples=4",
    "--seed=1",
    "--continue-on-failure",
    "--no-color",
    # Rules between fields and between messages (somebody must be waiting for a reply) are none that
    # a schema can say. `test_openapi` sends the document's examples instead.
    "--exclude-checks=positive_data_acceptance",
)
PATHS = [
    *(f"/{path}" for path in {route: path for path, route in ENDPOINT.items()}.values()),
    f"/{MODEL_PREFIXES[0]}{{id}}",
    f"/openai/deployments/{{deployment}}/{next(iter(DEPLOYMENT))}",
]
"""One for each route: another path of the same is the same code."""
ALL_ON = Compatibility(
    extra_parameters="pass-through", header_aliases=True, model_error_status="424"
)


@pytest.mark.parametrize("compatibility", [SERVICE, ALL_ON], ids=["default", "all-on"])
def test_the_document_is_valid(compatibility: Compatibility) -> None:
    """By the meta-schemas of OpenAPI 3.1 and of JSON Schema."""
    pilot = served(FixedPool([]))
    document = describe_endpoint(pilot, serve_alone(pilot), "http://localhost", compatibility)
    schemathesis.openapi.from_dict(msgspec.json.decode(msgspec.json.encode(document))).validate()

    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("compatibility", "paths"),
    [(SERVICE, PATHS), (ALL_ON, ["/chat/completions"])],
    ids=["default", "all-on"],
)
async def test_the_document_describes_what_the_endpoint_does(
    tmp_path: Path, compatibility: Compatibility, paths: list[str]
) -> None:
    """With the switches that change it as without them."""
    async with endpoint(EchoReplica(), compatibility) as url:
        key = f"--header=Authorization: Bearer {KEY}"
        only = [f"--include-path={path}" for path in paths]
        words = ["run", f"{url}/openapi.json", key, *OPTIONS, *only]
        run = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "schemathesis.cli", f"--config-file={CONFIGURATION}", *words),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await run.communicate()

    assert 0 == run.returncode, said.decode()
