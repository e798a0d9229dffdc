"""A real server follows what another process does to its keys."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from cupola.db.watch import PERIOD
from tests.running import cupola, run_json


def status(target_uri: str, key: str) -> int:
    request = urllib.request.Request(
        f"{target_uri}/info", headers={"Authorization": f"Bearer {key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_regenerated_key_stops_and_the_new_one_works_within_a_second(home: Path):
    """From the commit in another process; the other slot's key works all the time."""
    with cupola(home) as started:
        server = started.wait_ready()
        before = run_json("endpoints", "show", "pilot", home=home)
        said = subprocess.run(
            [sys.executable, "-m", "tests.db.changer", str(home), "pilot"],
            capture_output=True,
            text=True,
            check=True,
        )
        while status(server.target_uri, before["primary_key"]) == 200:
            assert status(server.target_uri, before["secondary_key"]) == 200
            time.sleep(PERIOD / 40)
        took = time.time() - float(said.stdout)  # noqa: TID251  of two processes
        after = run_json("endpoints", "show", "pilot", home=home)

        assert took < 1
        assert after["primary_key"] != before["primary_key"]
        assert 200 == status(server.target_uri, after["primary_key"])
        assert 200 == status(server.target_uri, after["secondary_key"])
