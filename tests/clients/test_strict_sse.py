"""The strict reader of streams refuses what it was written to refuse."""

import pytest

from tests.clients.strict_sse import BrokenStreamError, read_events, read_update

CHUNK = '{"created": 1, "choices": [{"delta": {"content": ""}}]}'


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(f"data: {CHUNK}\n\ndata: [DONE]\n\n", id="as-it-should-be"),
        pytest.param(f"data:{CHUNK}\n\ndata:[DONE]\n\n", id="no-space"),
        pytest.param(f"data: {CHUNK}\r\n\r\ndata: [DONE]\r\n\r\n", id="carriage-returns"),
        pytest.param(f": ping\n\ndata: {CHUNK}\n\ndata: [DONE]\n\n", id="comment-alone"),
    ],
)
def test_what_the_client_reads_is_read(stream: str) -> None:
    """Each of these gives the one chunk."""
    assert [CHUNK] == list(read_events(stream.splitlines(keepends=True)))


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(f"data: {CHUNK}\n\n", id="no-done"),
        pytest.param(f"event: x\n\ndata: {CHUNK}\n\ndata: [DONE]\n\n", id="event-field"),
        pytest.param(f"id: 1\ndata: {CHUNK}\n\ndata: [DONE]\n\n", id="two-fields"),
    ],
)
def test_what_breaks_the_client_is_refused(stream: str) -> None:
    """Each of these ends in an exception there, or never ends."""
    with pytest.raises(BrokenStreamError):
        list(read_events(stream.splitlines(keepends=True)))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param('{"created": 1.5, "choices": []}', id="created-with-fraction"),
        pytest.param('{"created": 1, "choices": [{"delta": {"tool_calls": null}}]}', id="calls"),
        pytest.param('{"created": 1, "choices": [{"delta": {"role": null}}]}', id="role"),
        pytest.param('{"created": 1, "choices": [{"delta": {"content": []}}]}', id="content"),
    ],
)
def test_a_chunk_it_cannot_convert_is_refused(data: str) -> None:
    """`created` is a whole number, a role is text, and calls are a list or not there."""
    with pytest.raises(BrokenStreamError):
        read_update(data)
