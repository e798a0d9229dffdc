import socket

import pytest

from cupola.http.server import PortUnusable, base_url, listen, url_of


def test_any_free_port():
    """Port 0 finds one, and the URL says which."""
    with listen("127.0.0.1", 0) as listener:
        assert f"http://127.0.0.1:{listener.getsockname()[1]}" == url_of(listener)


def test_taken_port_is_reported_with_the_mend():
    """Whoever starts a second server learns what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        expected = rf"Port {port} on 127\.0\.0\.1 is taken.*--port"
        with pytest.raises(PortUnusable, match=expected), listen("127.0.0.1", port):
            pass


def test_unknown_host_is_reported():
    """An address that is not this machine's is refused in words."""
    with pytest.raises(PortUnusable, match=r"Cannot listen on 192\.0\.2\.1"):
        listen("192.0.2.1", 8100).__enter__()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:8100"),
        ("0.0.0.0", "http://127.0.0.1:8100"),
        ("::1", "http://[::1]:8100"),
        ("::", "http://[::1]:8100"),
        ("localhost", "http://localhost:8100"),
    ],
)
def test_url_can_be_called(host: str, expected: str):
    """An address that means every interface is shown as one that a client can use."""
    assert expected == base_url(host, 8100)
