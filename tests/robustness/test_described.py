"""The OpenAPI document against the server that it describes, by schemathesis.

It sends what the document allows and what it forbids, and looks whether statuses, headers, kinds of
content and bodies are as described, keys are asked for, and other methods refused.
"""

import asyncio
import sys
from pathlib import Path

import pytest

from cupola.engines.echo import EchoReplica
from cupola.gateway.compatibility import SERVICE, Compatibility
from tests.gateway.fakes import KEY
from tests.gateway.test_clients_fake import endpoint

CONFIGURATION = Path(__file__).parent / "schemathesis.toml"
OPTIONS = (
    "--phases=examples,coverage,fuzzing",
    "--max-examples=5",
    "--seed=1",
    "--continue-on-failure",
    "--no-color",
    # Rules between fields and between messages (somebody must be waiting for a reply) are none that
    # a schema can say. `test_openapi` sends the document's examples instead.
    "--exclude-checks=positive_data_acceptance",
)
ALL_ON = Compatibility(
    extra_parameters="pass-through", header_aliases=True, model_error_status="424"
)


@pytest.mark.parametrize(
    ("compatibility", "only"),
    [(SERVICE, []), (ALL_ON, ["--include-path=/chat/completions"])],
    ids=["default", "all-on"],
)
async def test_the_document_describes_what_the_endpoint_does(
    tmp_path: Path, compatibility: Compatibility, only: list[str]
) -> None:
    """With the switches that change it as without them."""
    async with endpoint(EchoReplica(), compatibility) as url:
        words = [
            "run",
            f"{url}/openapi.json",
            f"--header=Authorization: Bearer {KEY}",
            *OPTIONS,
            *only,
        ]
        run = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "schemathesis.cli", f"--config-file={CONFIGURATION}", *words),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await run.communicate()

    assert 0 == run.returncode, said.decode()
