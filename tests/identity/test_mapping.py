import re
from pathlib import Path

import pytest

from cupola.home import read_tables
from cupola.identity import mapping
from cupola.identity.mapping import FIELDS, BadIdentity, OidcConfig, is_safe
from cupola.projects.model import Role

ROLES = [role.value for role in Role]
DOCUMENT = Path(__file__).parents[2] / "docs/reference/identity.md"
WHOLE = """
issuer = "https://login.example.com/tenant"
client_id = "cupola"
client_secret_file = "oidc.secret"
name = "Example"
scopes = ["openid", "groups"]
groups_claim = "roles"
administrators = ["platform-team"]
allowed_domains = ["Example.com"]

[[mapping]]
group = "search-team"
project = "search"
role = "developer"

[[mapping]]
group = "everyone"
project = "search"
role = "reader"
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "identity.toml"
    file.write_text(text)
    secret = folder / "oidc.secret"
    secret.touch(0o600)
    secret.write_text("hush\n")
    return file


def read_identity(file: Path, roles: list[str]) -> OidcConfig | None:
    return mapping.read_identity(file, read_tables(file), roles)


def test_no_file_is_no_provider(tmp_path: Path):
    """Passwords only, without a word; a section that is about programs is none either."""
    assert read_identity(tmp_path / "identity.toml", ROLES) is None
    assert read_identity(write(tmp_path, "[tokens]"), ROLES) is None


def test_all_that_is_written_is_read(tmp_path: Path):
    """And the secret from where it lies."""
    config = read_identity(write(tmp_path, WHOLE), ROLES)

    assert config is not None
    assert ("https://login.example.com/tenant", "cupola", "hush") == (
        config.issuer,
        config.client_id,
        config.client_secret,
    )
    assert ("Example", ("openid", "groups"), "roles") == (
        config.name,
        config.scopes,
        config.groups_claim,
    )
    assert (frozenset({"platform-team"}), frozenset({"example.com"})) == (
        config.administrators,
        config.allowed_domains,
    )
    assert [("search", "reader")] == config.roles_of({"everyone", "others"})
    assert [] == config.roles_of([])


def test_little_suffices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An issuer and a client; with or without a secret, which a variable may hold."""
    monkeypatch.setenv("OIDC_SECRET", "from the environment")
    least = 'issuer = "http://127.0.0.1:5556/dex"\nclient_id = "cupola"\n'
    public = read_identity(write(tmp_path, least), ROLES)
    private = read_identity(write(tmp_path, least + 'client_secret_env = "OIDC_SECRET"'), ROLES)

    assert OidcConfig("http://127.0.0.1:5556/dex", "cupola") == public
    assert private is not None
    assert "from the environment" == private.client_secret


def test_all_faults_are_said_at_once(tmp_path: Path):
    """Each with its place; what was written is not repeated, it might be a secret."""
    text = """
    issuer = "http://login.example.com"
    client_id = "cupola"
    client_secret_file = "missing"
    scopes = ["profile"]
    allowed_domains = ["ada@example.com"]
    [[mapping]]
    group = "g"
    project = "A project"
    role = "king"
    """
    with pytest.raises(BadIdentity) as refused:
        read_identity(write(tmp_path, text), ROLES)

    lines = refused.value.public.splitlines()[1:]
    places = [line.split(":")[0].strip() for line in lines]
    assert [
        "client_secret_file",
        "issuer",
        "scopes",
        "allowed_domains",
        "mapping.0.project",
        "mapping.0.role",
    ] == places
    assert "king" not in refused.value.public


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("issuer = 7", "issuer"),
        ('client_secret = "hush-hush"', "client_secret"),
        ("[[mapping]]\ngroups = 'a'", "mapping.0.groups"),
        ("administrators = 'me'", "administrators"),
        ("client_secret_env = 'hush hush!'", "client_secret_env"),
        ("client_secret_env = 'NOT_SET_ANYWHERE'", "client_secret_env"),
        ("client_secret_file = 'oidc.secret'\nclient_secret_env='PATH'", "client_secret_file"),
    ],
)
def test_a_fault_has_a_place(tmp_path: Path, text: str, place: str):
    """Unknown fields and wrong kinds too; a secret in the file is refused and not shown."""
    least = 'issuer = "https://a.example.com"\nclient_id = "cupola"\n'
    least = "" if text.startswith("issuer") else least
    with pytest.raises(BadIdentity) as refused:
        read_identity(write(tmp_path, least + text), ROLES)

    assert f"\n  {place}: " in refused.value.public
    assert "hush" not in refused.value.public


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path):
    """With the command that mends it."""
    file = write(tmp_path, WHOLE)
    (tmp_path / "oidc.secret").chmod(0o644)
    with pytest.raises(BadIdentity, match="chmod 600"):
        read_identity(file, ROLES)


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://login.example.com", True),
        ("http://localhost:8080/realms/x", True),
        ("http://[::1]:8080", True),
        ("http://login.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("https://user@login.example.com", False),
        ("https://", False),
        ("https://[", False),
        ("https://a:port", False),
        ("ftp://login.example.com", False),
        ("", False),
    ],
)
def test_a_safe_address(url: str, safe: bool):
    """Nobody reads or writes what goes there."""
    assert safe == is_safe(url)


def test_every_field_is_documented():
    """docs/reference/identity.md has a row for each field, and none besides."""
    rows = re.findall(r"^\| `(\w+)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)

    assert sorted([*FIELDS, "group", "project", "role"]) == sorted(rows)
