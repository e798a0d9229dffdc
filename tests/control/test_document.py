import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cupola.control.document import Platform
from cupola.control.yaml_text import parse, read_document
from cupola.kit.errors import Malformed, Several

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "platform.yaml"
SCHEMA = ROOT / "docs" / "reference" / "platform.schema.json"


def refuse(text: str | bytes) -> Malformed:
    with pytest.raises(Malformed) as caught:
        read_document(text if isinstance(text, bytes) else text.encode(), Platform)
    return caught.value


def test_schema_is_that_of_the_code():
    """docs/reference/platform.schema.json is what the classes say.

    `python -m tests.control.test_document` writes it anew.
    """
    assert json.loads(SCHEMA.read_text("utf-8")) == Platform.model_json_schema()


def test_example_is_a_document():
    """The file that people begin with is taken, and the published schema takes it too."""
    text = EXAMPLE.read_bytes()

    assert {"shop"} == set(read_document(text, Platform).projects or {})
    jsonschema.validate(yaml.safe_load(text), json.loads(SCHEMA.read_text("utf-8")))


def test_all_faults_have_lines_and_paths():
    """One run shows everything to mend, each with where it stands."""
    error = refuse(
        "version: 1\n"
        "projects:\n"
        "  shop:\n"
        "    membrs: {}\n"
        "    endpoints:\n"
        "      chat:\n"
        "        kind: shared\n"
        "        deployments: {}\n"
    )

    assert isinstance(error, Several)
    said = sorted(each.public for each in error.faults)
    assert "Line 4, projects.shop.membrs: there is no such field." == said[0]
    assert said[1].startswith("Line 7, projects.shop.endpoints.chat.kind: ")
    assert said[2].startswith("Line 8, projects.shop.endpoints.chat.deployments: ")
    assert ("projects", "shop", "membrs") in [each.path for each in error.faults]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "version: 1\nusers: {}\nusers: {}", "Line 3: users stands on line 2", id="twice"
        ),
        pytest.param("version: 1\na: &a 1\nb: *a", "Line 3: aliases", id="alias"),
        pytest.param("version: 1\n<<: {users: {}}", "Line 2: a key is plain text", id="merge"),
        pytest.param("? [a]\n: 1", "Line 1: a key is plain text", id="key"),
        pytest.param("version: 1\n---\nversion: 1", "Line 2: a second document", id="two"),
        pytest.param("a: [" + "[" * 40, "nested more than 32", id="deep"),
        pytest.param("version: 1\nusers: [", "no YAML", id="open"),
        pytest.param("a: !!python/object:os.system x", "Line 1: tags", id="object"),
        pytest.param("a: !!timestamp x", "Line 1: tags", id="tag"),
        pytest.param('a: "\\ud800"', "Line 1: ", id="half a character"),
        pytest.param('a: "\\0"', "Line 1: it has a character", id="zero"),
        pytest.param(
            "version: 1\nprojects: {abc: {keys: {k: {expires: 9999-12-31T23:59:59-23:59}}}}",
            "Line 2, projects.abc.keys.k.expires: there was no Cupola then",
            id="after all time",
        ),
        pytest.param("a: 0x_", "cannot be read", id="number"),
        pytest.param("a: 2026-99-99", "cannot be read", id="date"),
        pytest.param(b"\xff", "UTF-8", id="bytes"),
        pytest.param("a: \x07", "cannot be read", id="control character"),
        pytest.param("", "the document: ", id="empty"),
        pytest.param("version: 2", "Line 1, version: ", id="version"),
        pytest.param("version: 1\nprojects: {A: {}}", "Line 2, projects.A: ", id="name"),
        pytest.param("version: 1\nprojects: {1: {}}", "Line 2, projects.1: ", id="number as name"),
        pytest.param(
            "version: 1\nusers: {ada: {origin: oidc}}", "issuer and subject", id="no subject"
        ),
    ],
)
def test_what_is_no_document(text: str | bytes, said: str):
    """Each kind of bad file is refused with what is wrong and where; none is a crash."""
    assert said in refuse(text).public


def test_a_small_text_stays_small():
    """An alias cannot make it larger: it is refused before anything is built."""
    pairs = [("a", "b"), ("b", "c"), ("c", "d")]
    bomb = "a: &a [x,x]\n" + "".join(f"{c}: &{c} [*{p},*{p}]\n" for p, c in pairs)

    assert "aliases" in refuse(bomb).public


YAML_PARTS = st.sampled_from(
    [*"abc:-?[]{},#&*!|>'\"%@`\\\n\t 012.~=<_", "version: 1\n", "projects: ", "\n  ", "!!", "---\n"]
)


@given(st.binary() | st.text().map(str.encode) | st.lists(YAML_PARTS).map("".join).map(str.encode))
@settings(max_examples=500)
def test_any_text_is_a_document_or_refused(text: bytes):
    """Nothing that anybody sends is a crash, and every refusal can be said in a reply."""
    try:
        read_document(text, Platform)
    except Malformed as error:
        error.public.encode()
        json.dumps(error.path).encode()


def test_json_is_yaml():
    """A program may send JSON."""
    assert {"version": 1} == parse(b'{"version": 1}').value


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(Platform.model_json_schema(), indent=2) + "\n", "utf-8")
