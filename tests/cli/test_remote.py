"""The commands as processes, against the real management API of a home."""

import json
import os
import pty
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from cupola import sdk
from cupola.cli.endpoints import EndpointLine, EndpointView
from tests.control.live import LOG, Live, live
from tests.patience import PATIENCE
from tests.running import environment

GOLDEN = Path(__file__).parent / "golden"
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "platform.yaml"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(tmp_path_factory.mktemp("cli") / "home") as started:
        yield started


@pytest.fixture
def cupola(server: Live, tmp_path: Path) -> "Person":
    return Person(server, tmp_path)


class Person:
    """Somebody at a terminal, with a configuration folder of their own."""

    def __init__(self, server: Live, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.settings = {"CUPOLA_HOME": str(server.home), "XDG_CONFIG_HOME": str(folder)}

    def run(self, *words: str, given: str = "", **settings: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "cupola", *words],
            input=given,
            capture_output=True,
            text=True,
            env=environment() | self.settings | settings,
            timeout=PATIENCE,
        )

    def do(self, *words: str, **options: Any) -> str:
        """What a command prints that succeeds."""
        done = self.run(*words, **options)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    def show(self, *words: str) -> Any:
        """What it prints with `--json`."""
        return json.loads(self.do(*words, "--json"))

    def fail(self, status: int, *words: str, **options: Any) -> str:
        """What it says when it fails."""
        done = self.run(*words, **options)
        assert status == done.returncode, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return " ".join(done.stderr.split())


def names_of(kind: type) -> list[str]:
    return [each.name for each in fields(kind)]


def test_deploy_from_terms_to_end(cupola: Person):
    """Terms are asked for, progress is told, and the result alone is on standard output."""
    said = cupola.fail(1, "deploy", "Cupola-Pilot", "--name", "slow-one")
    assert "Apache-2.0" in said
    assert "Add --accept-terms, or run: cupola subscriptions accept Cupola-Pilot" in said

    done = cupola.run("deploy", "Cupola-Pilot", "--name", "slow-one", "--accept-terms", "--json")
    assert "slow-one: downloading 43 %" in done.stderr
    made = json.loads(done.stdout)
    assert names_of(sdk.Endpoint) == list(made)
    assert "ready" == made["state"]

    twice = cupola.run("deploy", "Cupola-Pilot", "--name", "two")
    assert "continue to deploy" in twice.stderr
    assert 5 == twice.returncode
    assert "has a serverless deployment of Cupola-Pilot already" in twice.stderr
    assert ["Cupola-Pilot"] == [each["model"] for each in cupola.show("subscriptions", "list")]
    assert "slow-one is deleted.\n" == cupola.do("endpoints", "delete", "slow-one")


def test_progress_on_a_terminal(cupola: Person):
    """A bar with the reason, on standard error; standard output has the result alone."""
    words = ("deploy", "Cupola-Pilot", "--name", "slow-two", "--managed", "--json")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(
            [sys.executable, "-m", "cupola", *words, "--instance-type", "small"],
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            env=environment() | cupola.settings | {"TERM": "xterm", "COLUMNS": "100"},
        )
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # how a terminal ends whose last user has gone
            while part := terminal.read(4096):
                shown += part
        printed, _ = process.communicate(timeout=PATIENCE)

    assert "ready" == json.loads(printed)["state"]
    assert "downloading 43 %" in shown.decode()
    assert "━" in shown.decode()
    cupola.do("endpoints", "delete", "slow-two")


def test_managed_endpoint(cupola: Person):
    """Blue, then green behind the same endpoint, a split, more instances, keys, log."""
    words = ("deploy", "Cupola-Pilot", "--name", "search", "--managed", "--instance-type", "small")
    cupola.do(*words, "--deployment", "blue")
    made = cupola.show(*words, "--deployment", "green", "--instances", "2")
    assert ["blue", "green"] == [each["name"] for each in made["deployments"]]

    assert "blue 90 %, green 10 %" in cupola.do("traffic", "search", "blue=90", "green=10")
    said = cupola.fail(2, "scale", "search", "--instances", "2")
    assert "several deployments: blue, green" in said
    scaled = cupola.do("scale", "search", "--instances", "3", "--deployment", "green")
    assert "green 3 of 3" in scaled

    before = cupola.show("keys", "list", "search")
    after = cupola.show("keys", "regenerate", "search", "--key", "primary")
    assert ["primary_key", "secondary_key"] == list(before)
    assert before["primary_key"] != after["primary_key"]
    assert before["secondary_key"] == after["secondary_key"]

    assert LOG == cupola.do("logs", "search")
    assert [json.loads(line) for line in cupola.do("logs", "search", "--json").splitlines()] == (
        LOG.splitlines()
    )
    listed = cupola.show("endpoints", "list")
    assert names_of(EndpointLine) == list(listed[0])
    shown = cupola.show("endpoints", "show", "search")
    assert names_of(EndpointView) == list(shown)
    assert after["primary_key"] == shown["primary_key"]
    assert "gets 10 % of the traffic" in cupola.fail(
        5, "endpoints", "delete", "search", "--deployment", "green"
    )
    cupola.do("endpoints", "delete", "search")


def test_failure_says_why(cupola: Person):
    """The engine's reason and where to look, and status 1."""
    cupola.server.fleet.broken.add("unlucky")
    words = ("deploy", "Cupola-Pilot", "--name", "unlucky", "--managed", "--instance-type", "small")
    said = cupola.fail(1, *words)

    assert "out of memory. Choose Q4_K_M." in said
    assert "See `cupola logs unlucky`" in said
    cupola.do("endpoints", "delete", "unlucky")


def test_projects_and_members(cupola: Person):
    """Made, shown, filled and deleted; other projects by `--project` and the variable."""
    made = cupola.show("projects", "create", "shop-cli", "--core-quota", "4")
    assert names_of(sdk.Project) == list(made)
    cupola.do("users", "create", "grace.h", "--no-password")
    cupola.do("projects", "members", "add", "grace.h", "--role", "reader", "--project", "shop-cli")
    [member] = json.loads(
        cupola.do("projects", "members", "list", "--json", CUPOLA_PROJECT="shop-cli")
    )
    assert ("grace.h", "reader") == (member["name"], member["role"])
    assert names_of(sdk.Member) == list(member)
    assert "reader" in cupola.fail(
        1, "projects", "members", "add", "grace.h", "--role", "king", "--project", "shop-cli"
    )
    assert '{"name":"grace.h","status":"removed"}' == "".join(
        cupola.do(
            *("projects", "members", "remove", "grace.h", "--project", "shop-cli", "--json")
        ).split()
    )
    assert "core" in cupola.do("projects", "show", "shop-cli").lower()
    assert "members.put" in {each["action"] for each in cupola.show("audit", "--all")}
    assert "shop-cli" in cupola.do("projects", "list")
    cupola.do("projects", "delete", "shop-cli")
    cupola.fail(4, "projects", "show", "shop-cli")


def test_users_and_types(cupola: Person):
    """A password from standard input; a user who is disabled."""
    made = json.loads(
        cupola.do("users", "create", "ivy", "--password-stdin", "--json", given="long enough 1\n")
    )
    assert names_of(sdk.User) == list(made)
    assert "disabled" in cupola.do("users", "update", "ivy", "--disable")
    assert "ivy" in cupola.do("users", "list")
    assert "Say what to change" in cupola.fail(2, "users", "update", "ivy")
    assert "ivy" in cupola.do("users", "show", "ivy")
    cupola.do("instance-types", "put", "wide", "--cores", "2", "--memory", "1.5GiB")
    types = {each["name"]: each for each in cupola.show("instance-types", "list")}
    assert 3 * 2**29 == types["wide"]["memory"]
    assert "looks like 8GiB" in cupola.fail(
        2, "instance-types", "put", "wide", "--cores", "2", "--memory", "lots"
    )
    cupola.do("instance-types", "delete", "wide")


def test_models(cupola: Person):
    """Filters find; an own repository is added and taken away."""
    assert ["Cupola-Pilot"] == [
        each["name"] for each in cupola.show("models", "list", "--text", "cupola-pilot")
    ]
    assert [] == cupola.show("models", "list", "--deployment", "managed", "--collection", "none")
    assert "is in the catalog" in cupola.do("models", "add", "me/mine", "--name", "mine")
    cupola.fail(5, "models", "add", "me/mine", "--name", "mine")


def test_whole_platform(cupola: Person):
    """Plan, apply, apply again, export, and the export needs no change."""
    assert (GOLDEN / "plan.txt").read_text("utf-8") == cupola.do("plan", "-f", str(EXAMPLE))
    assert json.loads((GOLDEN / "plan.json").read_text("utf-8")) == cupola.show(
        "plan", "-f", str(EXAMPLE)
    )
    cupola.fail(4, "projects", "show", "shop")
    assert "Done:" in cupola.do("apply", "-f", str(EXAMPLE))
    assert "Nothing done: all" in cupola.do("apply", "-f", str(EXAMPLE))

    exported = cupola.folder / "platform.yaml"
    cupola.do("export", "--output", str(exported))
    assert "key" not in {each.split(":")[0].strip() for each in exported.read_text().splitlines()}
    plan = cupola.show("plan", "-f", str(exported), "--prune")
    assert {"unchanged"} == {each["action"] for each in plan["changes"]}
    exported.write_text(exported.read_text().replace("blue: 90", "blue: 80"))
    exported.write_text(exported.read_text().replace("green: 10", "green: 20"))
    drift = cupola.do("plan", "-f", str(exported))
    assert "~ endpoint shop/shop-search\n" in drift
    assert "    - traffic.blue: 90\n    + traffic.blue: 80\n" in drift
    assert "- project shop\n" in cupola.do("plan", "-f", "-", "--prune", given=KEEP_DEFAULT)
    assert "Line 2" in cupola.fail(1, "plan", "-f", "-", given="version: 1\nprojcts: {}\n")
    assert "cannot be read" in cupola.fail(1, "plan", "-f", "/nowhere")


KEEP_DEFAULT = "version: 1\nprojects: {default: {}}\n"


def test_sign_in_with_a_password(cupola: Person, server: Live):
    """The token is kept for its owner alone, and is what commands then use."""
    cupola.do("users", "create", "lena", "--password-stdin", given="correct horse 7\n")
    words = ("login", "--server", server.url, "--name", "lena", "--password-stdin")
    elsewhere = {"CUPOLA_HOME": str(cupola.folder / "none")}
    assert "not signed in" in cupola.fail(3, "whoami", "--server", server.url, **elsewhere)
    cupola.fail(3, *words, given="wrong\n", **elsewhere)
    assert "as lena" in cupola.do(*words, given="correct horse 7\n", **elsewhere)

    profile = cupola.folder / "cupola" / "profile.json"
    assert 0o600 == stat.S_IMODE(profile.stat().st_mode)
    assert "lena" in cupola.do("whoami", **elsewhere)
    assert "administrator" in cupola.fail(3, "users", "list", **elsewhere)
    cupola.fail(4, "endpoints", "list", **elsewhere)
    assert "Signed out" in cupola.do("logout", **elsewhere)
    assert "not signed in" in cupola.fail(3, "logout", **elsewhere)
    assert "No Cupola runs" in cupola.fail(6, "whoami", **elsewhere)


def test_sign_in_by_a_code(cupola: Person, server: Live):
    """The code is shown on standard error, and whoever confirms it is who one is then."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cupola", "login", "--server", server.url, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment() | cupola.settings,
    )
    try:
        assert process.stderr
        line = process.stderr.readline()
        assert f"Open {server.url}/sign-in/device?code=" in line
        server.confirm(line.split()[-1])
        printed, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()

    expected = {"server": server.url, "name": "olga", "administrator": True}
    assert expected == json.loads(printed)
    assert "olga" in cupola.do("whoami", CUPOLA_HOME=str(cupola.folder / "none"))


def test_a_token_of_the_environment(cupola: Person, server: Live):
    """For programs: no profile, no home."""
    done = cupola.do(
        *("whoami", "--json", "--server", server.url),
        CUPOLA_TOKEN=server.session,
        CUPOLA_HOME=str(cupola.folder / "none"),
    )

    assert "olga" == json.loads(done)["user"]["name"]
    assert "Sign in with `cupola login`" in cupola.fail(3, "whoami", CUPOLA_TOKEN="cup_nothing")


def test_tokens_for_programs(cupola: Person, server: Live):
    """Made narrower, used, listed and ended."""
    as_olga = {"CUPOLA_TOKEN": server.session}
    words = ("tokens", "create", "ci", "--scope", "read", "--days", "1", "--json")
    made = json.loads(cupola.do(*words, **as_olga))
    assert names_of(sdk.SignedIn) == list(made)
    assert "read" in cupola.do("tokens", "list", **as_olga)
    narrow = {"CUPOLA_TOKEN": made["token"]}
    assert "[" in cupola.do("endpoints", "list", "--json", **narrow)
    cupola.fail(3, "projects", "create", "wide", **narrow)
    cupola.do("tokens", "delete", made["session"]["id"], **as_olga)
    cupola.fail(3, "whoami", **narrow)
    assert "no sessions" in cupola.fail(1, "tokens", "create", "x")


def test_the_catalog_of_another_server(cupola: Person, server: Live):
    """Its own, with whether its machine can run each."""
    words = ("--server", server.url, "--json")
    elsewhere = {"CUPOLA_TOKEN": server.session, "CUPOLA_HOME": str(cupola.folder / "none")}
    [listed] = json.loads(
        cupola.do("models", "list", "--text", "cupola-pilot", *words, **elsewhere)
    )
    assert names_of(sdk.Model) == list(listed)
    assert listed == json.loads(cupola.do("models", "show", "Cupola-Pilot", *words, **elsewhere))
    assert "There is no file" in cupola.fail(
        1, "models", "list", *words, CUPOLA_CA_FILE="/nowhere.pem", **elsewhere
    )


def test_nobody_answers(cupola: Person):
    """A server that is not there has a status of its own."""
    said = cupola.fail(6, "whoami", "--server", "http://127.0.0.1:1", CUPOLA_TOKEN="x")

    assert "cannot be reached" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("endpoint", "list"), "Did you mean 'endpoints'?"),
        (("deploy", "M"), "Missing option '--name'"),
        (("deploy", "M", "--name", "e", "--managed"), "--managed needs --instance-type"),
        (("deploy", "M", "--name", "e", "--instances", "2"), "need --managed"),
        (("traffic", "e", "blue"), "It looks like blue=90"),
        (("traffic", "e", "blue=90"), "together 90; they should be 100"),
        (("scale", "e"), "Give --instances for a managed endpoint"),
        (("keys", "regenerate", "e", "--key", "third"), "is not one of 'primary', 'secondary'"),
    ],
)
def test_bad_use_says_what_is_right(cupola: Person, words: tuple[str, ...], said: str):
    """Status 2, and the mend."""
    shown = cupola.fail(2, *words).replace("│", " ")

    assert said in " ".join(shown.split())
