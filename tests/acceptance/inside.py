"""Run inside an empty network namespace: start Cupola, see what that costs, chat with it, stop it.

    unshare -rn PYTHON inside.py HOME

Prints one line of JSON. The loopback interface of a new namespace is down; this raises it.
"""

import fcntl
import json
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

_PATIENCE = 120
"""Seconds after which it will never be ready, however busy the machine is."""
_SET_FLAGS, _UP = 0x8914, 1  # SIOCSIFFLAGS, IFF_UP: netdevice(7)
_CUPOLA = [sys.executable, "-m", "cupola"]


def main(home: Path) -> None:
    """The whole visit."""
    raise_loopback()
    ready_file = home.with_suffix(".ready")
    options = ["--home", str(home), "--port", "0", "--ready-file", str(ready_file)]
    server = subprocess.Popen([*_CUPOLA, "up", *options], stdout=subprocess.DEVNULL)
    try:
        wait_for(ready_file, server)
        target_uri, key = describe_endpoint(home)
        answer = chat(target_uri, key)
    finally:
        server.terminate()
        server.wait(_PATIENCE)
    report = {"interfaces": interfaces(), "key": key, "answer": answer}
    print(json.dumps(report))


def raise_loopback() -> None:
    """What `ip link set lo up` does; not every machine has `ip`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))


def interfaces() -> list[str]:
    """All there are, to prove that this place is as lonely as it should be."""
    return [name for _, name in socket.if_nameindex()]


def wait_for(file: Path, server: subprocess.Popen[bytes]) -> None:
    """Return when `file` is there."""
    end = time.monotonic() + _PATIENCE
    while not file.exists():
        if server.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"not ready; exit status: {server.poll()}")
        time.sleep(0.01)


def describe_endpoint(home: Path) -> tuple[str, str]:
    """Where it is and its key, as the command line tells them."""
    show = [*_CUPOLA, "endpoints", "show", "pilot", "--json", "--home", str(home)]
    told = json.loads(subprocess.check_output(show))
    return told["target_uri"], told["primary_key"]


def chat(url: str, key: str) -> dict[str, Any]:
    """One question, one answer."""
    body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    request = urllib.request.Request(
        url + "/chat/completions",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=_PATIENCE) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


if __name__ == "__main__":
    main(Path(sys.argv[1]))
