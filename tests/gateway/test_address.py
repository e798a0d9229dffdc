"""What a path means, without a request."""

import pytest

from cupola.gateway.address import DEPLOYMENT, ENDPOINT, PROJECT, Address, Resource, Tongue, resolve
from cupola.ids import EndpointName

PILOT = EndpointName("pilot")
CHAT = Address(Resource.COMPLETION, Tongue.AZURE, PILOT)
FOUNDRY = Address(Resource.COMPLETION, Tongue.FOUNDRY, PILOT)
OPEN = Address(Resource.COMPLETION, Tongue.OPEN, PILOT)


@pytest.mark.parametrize("path", ENDPOINT)
def test_an_endpoint_has_its_paths_behind_its_name_and_at_its_host(path: str):
    """One and the same address, base path or not."""
    resource, tongue = ENDPOINT[path]
    expected = Address(resource, tongue, PILOT)

    assert expected == resolve(f"/endpoints/pilot/{path}")
    assert expected == resolve(f"/ai/proxy/endpoints/pilot/{path}")
    assert expected == resolve(f"/{path}", PILOT)
    assert expected == resolve(f"/endpoints/pilot/{path}", PILOT)
    assert path == "" or expected == resolve(f"/base/{path}", PILOT)


@pytest.mark.parametrize("path", PROJECT)
def test_the_rest_is_project_wide(path: str):
    """With a base path too."""
    assert Address(*PROJECT[path]) == resolve(f"/{path}") == resolve(f"/base//{path}/")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/base/chat/completions", CHAT),
        ("//base///chat//completions/", CHAT),
        ("/api/models/chat/completions", FOUNDRY),
        ("/v1/models/chat/completions", FOUNDRY),
        ("/a/b/c/v1/chat/completions", OPEN),
        ("/v1/base/chat/completions", None),
        ("/models/base/chat/completions", None),
        ("/chat/chat/completions", None),
        ("/chat/completions/base", None),
        ("/endpoints/other/chat/completions", None),
        ("/base", None),
        ("/healthz", None),
    ],
)
def test_a_base_path_has_no_word_of_ours(path: str, expected: Address | None):
    """What could mean two things means nothing."""
    assert expected == resolve(path, PILOT)


@pytest.mark.parametrize("path", DEPLOYMENT)
def test_a_deployment_is_named_by_the_path(path: str):
    """Which is an endpoint, unless the endpoint is known already."""
    resource, tongue = DEPLOYMENT[path]
    rest = f"/openai/deployments/blue/{path}"

    assert Address(resource, tongue, EndpointName("blue"), "", "blue") == resolve(rest)
    assert Address(resource, tongue, PILOT, "", "blue") == resolve(rest, PILOT)
    assert Address(resource, tongue, PILOT, "", "blue") == resolve(f"/endpoints/pilot{rest}")


@pytest.mark.parametrize("prefix", ["/v1/models/", "/openai/v1/models/"])
def test_a_model_may_have_slashes(prefix: str):
    """As names of other hubs have."""
    expected = Address(Resource.MODEL, Tongue.OPEN, PILOT, "mistralai/Mistral-7B")

    assert expected == resolve(f"{prefix}mistralai/Mistral-7B", PILOT)


@pytest.mark.parametrize("path", ["/openai/deployments", "/openai/deployments/pilot", "/openai",
                                  "/openai/deployments/pilot/score", "/endpoints"])  # fmt: skip
def test_half_an_address_is_none(path: str):
    """At the project as at a host."""
    assert resolve(path) is None
    assert resolve(path, PILOT) is None
