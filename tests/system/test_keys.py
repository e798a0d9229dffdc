"""A real server follows what another process does to its keys."""

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tests.patience import PATIENCE, wait_until
from tests.running import cupola, run_json


def status(target_uri: str, key: str) -> int:
    request = urllib.request.Request(
        f"{target_uri}/info", headers={"Authorization": f"Bearer {key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_regenerated_key_stops_and_the_new_one_works(home: Path):
    """Changed by another process; the other slot's key works all the time."""
    with cupola(home) as started:
        server = started.wait_ready()
        before = run_json("endpoints", "show", "pilot", home=home)
        change = [sys.executable, "-m", "tests.db.changer", str(home), "pilot"]
        subprocess.run(change, check=True)

        def is_refused() -> bool:
            assert 200 == status(server.target_uri, before["secondary_key"])
            return status(server.target_uri, before["primary_key"]) != 200

        assert wait_until(is_refused)
        after = run_json("endpoints", "show", "pilot", home=home)

        assert 401 == status(server.target_uri, before["primary_key"])
        assert after["primary_key"] != before["primary_key"]
        assert 200 == status(server.target_uri, after["primary_key"])
        assert 200 == status(server.target_uri, after["secondary_key"])
