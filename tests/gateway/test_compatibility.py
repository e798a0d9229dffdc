"""The switches that make an installation behave as another service does, each off by default."""

from typing import Any

import pytest

from cupola.gateway.compatibility import Compatibility
from cupola.kit.errors import EngineFailed, Invalid
from cupola.settings import load_settings
from cupola.wire.canonical import Failed
from tests.gateway.fakes import HELLO, OTHER_KEY, Caller, caller_of, saying

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
UNKNOWN = {**CHAT, "foo": 1}
PATH = "/endpoints/pilot/chat/completions"
AT_HOSTS = Compatibility(endpoint_domain="example.test")


def caller_with(**switches: Any) -> Caller:
    return caller_of(saying(*HELLO), Compatibility(**switches))[0]


@pytest.mark.parametrize(
    "host",
    ["pilot.example.test", "pilot.example.test:8100", "PILOT.Example.Test", "pilot.example.test.",
     "pilot.swedencentral.example.test", "pilot.a.b.c.example.test:80"],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", ["/chat/completions", "/v1/chat/completions", "//models/chat/completions?api-version=1"]
)
async def test_a_host_names_its_endpoint(host: str, path: str):
    """By its first label, whatever is between."""
    caller, _ = caller_of(saying(*HELLO), AT_HOSTS)

    assert 200 == (await caller.call(path, CHAT, headers={"host": host})).status


@pytest.mark.parametrize("path", ["/", "/info", "/openapi.json", "/swagger.json", "/docs",
                                  "/v1/models", "/openai/v1/models/pilot"])  # fmt: skip
async def test_what_an_endpoint_shows_stands_at_the_root_of_its_host(path: str):
    """Its health too."""
    caller, _ = caller_of(saying(*HELLO), AT_HOSTS)

    assert 200 == (await caller.call(path, headers={"host": "pilot.example.test"})).status


async def test_the_document_is_at_home_at_its_host():
    """Its address is the host's root, base path included."""
    caller, _ = caller_of(saying(*HELLO), AT_HOSTS)
    headers = {"host": "pilot.example.test:8100"}

    for path, base in [("/openapi.json", ""), ("/base/swagger.json", "/base")]:
        document = (await caller.call(path, headers=headers)).json
        assert [{"url": f"http://pilot.example.test:8100{base}"}] == document["servers"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8100", "example.test", "pilotexample.test", "pilot.example.test.org", "",
             "[::1]:8100", "pilot", "example.test:8100"],
)  # fmt: skip
async def test_other_hosts_mean_nothing(host: str):
    """As without the setting."""
    caller, _ = caller_of(saying(*HELLO), AT_HOSTS)

    assert 200 == (await caller.call(PATH, CHAT, headers={"host": host})).status
    assert 404 == (await caller.call("/info", headers={"host": host})).status


async def test_without_the_setting_no_host_means_anything():
    """Whatever it looks like."""
    caller = caller_with()

    assert 404 == (await caller.call("/info", headers={"host": "pilot.example.test"})).status


async def test_a_host_opens_no_door():
    """A key is for its endpoint, and host and path may not contradict each other."""
    caller, _ = caller_of(saying(*HELLO), AT_HOSTS)
    at_pilot, at_foreign = {"host": "pilot.example.test"}, {"host": "foreign.example.test"}

    assert 404 == (await caller.call("/info", headers=at_foreign)).status
    assert 404 == (await caller.call("/info", headers=at_pilot, key=OTHER_KEY)).status
    assert 401 == (await caller.call("/info", headers=at_pilot, key=None)).status
    assert 404 == (await caller.call("/endpoints/pilot/info", headers=at_foreign)).status


@pytest.mark.parametrize("name", ["extra-params", "unknown-parameters"])
@pytest.mark.parametrize("value", ["drop", "pass-through", "pass_through"])
async def test_other_names_of_the_header_count_if_told_so(name: str, value: str):
    """Values too as old clients write them; passed through, a field nobody knows is refused."""
    sent = {name: value}
    answers = [
        await caller_with(header_aliases=count).call(PATH, UNKNOWN, headers=sent)
        for count in (False, True)
    ]

    assert [400, 200 if value == "drop" else 422] == [answer.status for answer in answers]
    assert "Extra parameters ['foo'] are not allowed" in answers[0].json["detail"]


async def test_the_headers_own_name_goes_before_the_others():
    """Even if it is stricter."""
    headers = {"extra-parameters": "error", "extra-params": "drop"}
    answer = await caller_with(header_aliases=True).call(PATH, UNKNOWN, headers=headers)

    assert 400 == answer.status


async def test_a_wrong_value_of_another_name_is_refused():
    """As it is of the header itself."""
    headers = {"extra-params": "ignore"}
    answer = await caller_with(header_aliases=True).call(PATH, CHAT, headers=headers)

    assert 400 == answer.status
    assert "Unexpected EXTRA_PARAMETERS option ignore" in answer.json["detail"]


@pytest.mark.parametrize(
    ("policy", "status"), [("error", 400), ("drop", 200), ("pass-through", 422)]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_no_header_means_what_is_set(policy: str, status: int, stream: bool):
    """So a client that cannot send it is served; one that does is not touched."""
    caller = caller_with(extra_parameters=policy)
    body = {**UNKNOWN, "stream": stream}

    assert status == (await caller.call(PATH, body)).status
    assert 400 == (await caller.call(PATH, body, headers={"extra-parameters": "error"})).status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**CHAT, "top_p": 7}, 422),
        (UNKNOWN, 400),
        ({**CHAT, "modalities": ["audio"]}, 422),
        (b"{", 422),
    ],
)
async def test_what_a_model_refuses_is_424_if_told_so(body: Any, status: int):
    """The body stays, and the status it would have is in a header."""
    direct = await caller_with().call(PATH, body)
    answer = await caller_with(model_error_status="424").call(PATH, body)

    assert (status, 424) == (direct.status, answer.status)
    assert str(status) == answer.headers["ms-azureml-model-error-statuscode"]
    assert "model_error" == answer.headers["ms-azureml-model-error-reason"]
    assert direct.body == answer.body
    assert "ms-azureml-model-error-statuscode" not in direct.headers


async def test_an_engine_that_fails_is_424_if_told_so():
    """Without an invitation to ask again."""
    failing = saying(Failed(EngineFailed("It died.")))
    caller, _ = caller_of(failing, Compatibility(model_error_status="424"))
    answer = await caller.call(PATH, CHAT)

    assert (424, "502") == (answer.status, answer.headers["ms-azureml-model-error-statuscode"])
    assert "retry-after" not in answer.headers


async def test_what_the_gateway_refuses_keeps_its_status():
    """Keys, addresses and methods are not the model's."""
    caller = caller_with(model_error_status="424")

    assert 401 == (await caller.call(PATH, CHAT, key=None)).status
    assert 404 == (await caller.call("/endpoints/x/info")).status
    assert 405 == (await caller.call(PATH)).status


def test_settings_are_checked_at_the_start(monkeypatch: pytest.MonkeyPatch):
    """A domain is taken as people write it."""
    monkeypatch.setenv("CUPOLA_ENDPOINT_DOMAIN", ".Example.Test.")
    monkeypatch.setenv("CUPOLA_EXTRA_PARAMETERS_ALIASES", "true")
    monkeypatch.setenv("CUPOLA_MODEL_ERROR_STATUS", "424")
    settings = load_settings()

    assert ("example.test", True) == (settings.endpoint_domain, settings.extra_parameters_aliases)
    assert "424" == settings.model_error_status


@pytest.mark.parametrize("domain", ["http://example.test", "example.test:80", "a b", "*.test"])
def test_a_domain_has_no_scheme_and_no_port(domain: str):
    """It would never be found in a host."""
    with pytest.raises(Invalid, match="domain name without scheme"):
        load_settings(endpoint_domain=domain)
