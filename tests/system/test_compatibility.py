"""The switches for clients of other services, as settings of a real server."""

import json
from contextlib import closing
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path

from tests.patience import PATIENCE
from tests.running import Running, cupola

SETTINGS = {
    "CUPOLA_ENDPOINT_DOMAIN": "example.test",
    "CUPOLA_EXTRA_PARAMETERS": "drop",
    "CUPOLA_EXTRA_PARAMETERS_ALIASES": "true",
    "CUPOLA_MODEL_ERROR_STATUS": "424",
}
BODY = json.dumps(
    {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, "foo": 1}
).encode()


def ask(server: Running, **headers: str) -> tuple[int, Message]:
    """Status and headers of a chat at the host `pilot.eu.example.test`, with an unknown field."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    host = f"pilot.eu.example.test:{server.port}"
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)) as connection:
        head = {"Host": host, "api-key": server.key, **names}
        connection.request("POST", "/chat/completions", BODY, head)
        with connection.getresponse() as response:
            return response.status, response.headers


def test_settings_reach_the_gateway(home: Path) -> None:
    """Each of them, through the environment."""
    with cupola(home, settings=SETTINGS) as started:
        server = started.wait_ready()
        dropped, refused = ask(server), ask(server, unknown_parameters="error")

    assert (200, "pilot") == (dropped[0], dropped[1]["x-ms-deployment-name"])
    assert (424, "400") == (refused[0], refused[1]["ms-azureml-model-error-statuscode"])
