"""The operator's file: what it may say, and what is said of its faults."""

import re
from pathlib import Path

import pytest

from cupola.engines.upstream.address import read_url
from cupola.engines.upstream.config import FEATURES, BadUpstreams, Entry, read_upstreams
from cupola.engines.upstream.dialect import DIALECTS
from cupola.engines.upstream.key import KeyFile, KeyVariable, read_key
from cupola.http.client import Tcp, Tls
from cupola.kit.errors import Invalid, Unavailable

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "upstreams.md"
WHOLE = 'model = "M"\ndialect = "openai"\nurl = "https://h.example"'


def write(folder: Path, text: str) -> Path:
    file = folder / "upstreams.toml"
    file.write_text(text)
    return file


def test_no_file_is_no_upstream(tmp_path: Path):
    """Most installations have none."""
    assert () == read_upstreams(tmp_path / "upstreams.toml")


def test_what_is_not_said(tmp_path: Path):
    """Three fields are enough; names are in order."""
    second, first = read_upstreams(write(tmp_path, f"[b]\n{WHOLE}\n[a]\n{WHOLE}"))[::-1]

    assert ("a", "b") == (first.endpoint, second.endpoint)
    assert ("M", None) == (first.upstream_model, first.key)
    assert {"tools", "json", "json_schema"} == first.capabilities


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a", "cannot be read"),
        ("a = 1", r"\[a\]: Expected `object`"),
        ("[a]", r"\[a\]: Object missing required field `model`"),
        (f"[a]\n{WHOLE}\nfoo = 1", "unknown field `foo`"),
        (f"[a]\n{WHOLE}\nkey = 'secret'", "unknown field `key`"),
        (f"[A_b]\n{WHOLE}", "endpoint's name"),
        (f"[a]\n{WHOLE.replace('openai', 'cohere')}", "dialect"),
        (f"[a]\n{WHOLE}\nfeatures = ['fim']", "'fim', but the dialect has no route"),
        (f"[a]\n{WHOLE}\nfeatures = ['sing']", "'sing'. It may have: tools, json"),
        (f"[a]\n{WHOLE}\nkey_file = 'x'\nkey_variable = 'X'", "not both"),
        (f"[a]\n{WHOLE}\nextra_parameters = ['safe_prompt']", "Cupola writes it itself"),
        (f"[a]\n{WHOLE}\nextra_parameters = ['text']", "'text': it belongs in 'features'"),
        (f"[a]\n{WHOLE}\ntimeout = 0", "'timeout'"),
        (f"[a]\n{WHOLE}\nextra_parameters = ['messages']", "'messages'"),
        (f"[a]\n{WHOLE.replace('openai', 'mistral')}\nfeatures = ['text']", "no route"),
        (f"[a]\n{WHOLE.replace('https', 'ftp')}", "'url' cannot be used"),
    ],
)
def test_faults_are_named(text: str, said: str, tmp_path: Path):
    """The message says which table, and what is wrong with it."""
    with pytest.raises(BadUpstreams, match=said):
        read_upstreams(write(tmp_path, text))


def test_a_key_in_the_wrong_place_is_not_repeated(tmp_path: Path):
    """Who writes the key itself where its variable's name belongs must not find it in a log."""
    file = write(tmp_path, f"[a]\n{WHOLE}\nkey_variable = 'sk-secret'")
    with pytest.raises(BadUpstreams) as caught:
        read_upstreams(file)

    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("dialect", "url", "path"),
    [
        ("azure", "https://h", "/chat/completions?api-version=2024-05-01-preview"),
        ("azure", "https://h/models/", "/models/chat/completions?api-version=2024-05-01-preview"),
        ("azure", "https://h?api-version=1", "/chat/completions?api-version=1"),
        ("mistral", "https://h", "/v1/chat/completions"),
        ("openai", "https://h/v1", "/v1/chat/completions"),
        ("openai", "https://h/a", "/a/v1/chat/completions"),
        ("openai", "https://h/v1beta/openai/", "/v1beta/openai/chat/completions"),
        ("openai", "https://h/d/x/chat/completions?v=1", "/d/x/chat/completions?v=1"),
    ],
)
def test_paths(dialect: str, url: str, path: str):
    """What clients of each dialect take as their base will do; a full path is taken as it is."""
    target = read_url(url, DIALECTS[dialect])  # type: ignore[index]

    assert path == target.chat
    assert path.replace("/chat/completions", "/completions") == target.text
    assert path.replace("/chat/completions", "/fim/completions") == target.fill


@pytest.mark.parametrize(
    ("url", "address", "exposes"),
    [
        ("https://h.example", Tls("h.example", 443), False),
        ("https://h.example:8443", Tls("h.example", 8443), False),
        ("http://h.example", Tcp("h.example", 80), True),
        ("http://10.0.0.1:8000", Tcp("10.0.0.1", 8000), True),
        ("http://127.0.0.1:8000", Tcp("127.0.0.1", 8000), False),
        ("http://[::1]:8000", Tcp("::1", 8000), False),
        ("http://localhost", Tcp("localhost", 80), False),
    ],
)
def test_addresses(url: str, address: Tcp | Tls, exposes: bool):
    """Where to connect, and whether a key would be seen on the way."""
    target = read_url(url, DIALECTS["openai"])

    assert (address, exposes) == (target.address, target.exposes_key)


@pytest.mark.parametrize(
    "url",
    ["h.example", "file:///etc/passwd", "https://", "https://me:pw@h", "https://h/#x",
     "https://h:x", "https://h/a b", "https://h/é", "http://169.254.169.254/latest",
     "http://[fe80::1]", "http://[::ffff:169.254.169.254]", "http://0.0.0.0", "https://[h",
     "https://a..b", f"https://{'a' * 64}.example", "https://日本.example"],
)  # fmt: skip
def test_urls_that_are_refused(url: str):
    """Among them where clouds keep their machines' credentials."""
    with pytest.raises(Invalid) as caught:
        read_url(url, DIALECTS["openai"])

    assert "pw" not in str(caught.value)


def test_a_key_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    """Read when it is needed."""
    monkeypatch.setenv("FAR_KEY", " K1\n")

    assert "K1" == read_key(KeyVariable("FAR_KEY"))


@pytest.mark.parametrize("text", ["", "a b", "a\nb", "ü", "x" * 9000])
def test_what_is_no_key(text: str, tmp_path: Path):
    """It could not be sent, or would make a second header."""
    file = tmp_path / "key"
    file.touch(0o600)
    file.write_text(text)
    with pytest.raises(Unavailable, match="is no key"):
        read_key(KeyFile(file))


@pytest.mark.parametrize("source", [KeyVariable("NOWHERE"), KeyFile(Path("/NOWHERE"))])
def test_a_key_that_is_not_there(source: KeyVariable | KeyFile):
    """The log says where it should be; callers learn nothing of places."""
    with pytest.raises(Unavailable, match="NOWHERE") as caught:
        read_key(source)

    assert "NOWHERE" not in caught.value.public


def test_a_key_that_others_can_read(tmp_path: Path):
    """It is not used until it is closed, and the mend is a command."""
    file = tmp_path / "key"
    file.write_text("K")
    file.chmod(0o640)
    with pytest.raises(Unavailable, match=re.escape(f"chmod 600 '{file}'")):
        read_key(KeyFile(file))


def test_every_field_is_documented():
    """docs/reference/upstreams.md has a row for each field and names each feature."""
    text = REFERENCE.read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)

    assert list(Entry.__struct_fields__) == rows[: len(Entry.__struct_fields__)]
    assert [] == [name for name in FEATURES if f"`{name}`" not in text]
