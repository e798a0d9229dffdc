"""What `cupola up` prints is pasted as it stands; and a stream, byte for byte."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from tests.clients.samples import CHAT
from tests.patience import PATIENCE
from tests.running import Running

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


@needs_curl
def test_the_printed_curl_line_chats(welcome: str) -> None:
    """The line goes into a shell unchanged and gives a reply."""
    (line,) = re.findall(r"^curl .*$", welcome, re.MULTILINE)

    printed = subprocess.check_output(["sh", "-c", line + " --silent"], timeout=PATIENCE)

    assert json.loads(printed)["choices"][0]["message"]["content"]


def test_the_printed_python_lines_chat(welcome: str) -> None:
    """So do the lines for azure-ai-inference."""
    begin, end = welcome.index("from azure"), welcome.rindex("content)") + len("content)")
    command = [sys.executable, "-c", welcome[begin:end]]

    printed = subprocess.check_output(command, text=True, timeout=PATIENCE)

    assert printed.strip()


@needs_curl
def test_a_stream_byte_for_byte(running: Running) -> None:
    """Only `data: ` lines and empty ones, line feeds alone, no comments, `[DONE]` at the end."""
    body = json.dumps({"messages": CHAT, "max_tokens": 24, "stream": True})

    head, _, stream = _curl(running, "-d", body).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200")
    assert _header(head, "content-type").startswith("text/event-stream")
    assert _header(head, "cache-control") == "no-cache"
    assert _header(head, "x-accel-buffering") == "no"
    assert re.fullmatch(rb"(data: [^\r\n]+\n\n)+", stream)
    assert stream.endswith(b"}\n\ndata: [DONE]\n\n")


@needs_curl
def test_every_chunk_has_exactly_the_keys_of_the_api(running: Running) -> None:
    """What the strictest readers were written against: no key too many, none too few."""
    body = json.dumps({"messages": CHAT, "max_tokens": 6, "temperature": 0, "stream": True})

    _, _, stream = _curl(running, "-d", body).partition(b"\r\n\r\n")

    first, *middle, last = [json.loads(event[6:]) for event in stream.split(b"\n\n")[:-2]]
    root = {"id", "object", "created", "model", "choices"}
    assert [root] * (1 + len(middle)) == [chunk.keys() for chunk in (first, *middle)]
    assert root | {"usage"} == last.keys()
    for chunk in (first, *middle, last):
        (choice,) = chunk["choices"]
        assert {"index", "delta", "finish_reason", "logprobs"} == choice.keys()
    assert {"role": "assistant", "content": ""} == first["choices"][0]["delta"]
    assert {"content": ""} == last["choices"][0]["delta"]
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} <= last["usage"].keys()


@needs_curl
@pytest.mark.parametrize("header", ["Authorization: Bearer {}", "api-key: {}"])
def test_either_header_carries_the_key(running: Running, header: str) -> None:
    """Old clients send the one, some the other, new ones both."""
    printed = _curl(running, "-H", header.format(running.key), path="/info", key=False)

    assert printed.startswith(b"HTTP/1.1 200")


@needs_curl
@pytest.mark.parametrize(
    "path",
    [
        "/chat/completions",
        "/v1/chat/completions",
        "/models/chat/completions",
        "/v1/models/chat/completions",
        "/chat/completions?api-version=2024-05-01-preview",
        "//chat/completions",
    ],
)
def test_a_chat_is_served_on_every_path_that_clients_use(running: Running, path: str) -> None:
    """Each of them is what some client makes of the target URI."""
    body = json.dumps({"messages": CHAT, "max_tokens": 2})

    assert _curl(running, "-d", body, path=path).startswith(b"HTTP/1.1 200")


def _curl(
    running: Running, *options: str, path: str = "/chat/completions", key: bool = True
) -> bytes:
    """Head and body as they came over the wire."""
    command = ["curl", "--silent", "--include", "--no-buffer", running.target_uri + path]
    command += ["-H", "Content-Type: application/json"]
    if key:
        command += ["-H", f"Authorization: Bearer {running.key}"]
    return subprocess.check_output([*command, *options], timeout=PATIENCE)


def _header(head: bytes, name: str) -> str:
    fields = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:])
    return fields.get(name, "")
