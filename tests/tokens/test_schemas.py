from pathlib import Path

import msgspec
import pytest

from cupola.home import read_tables
from cupola.tokens.model import AUDIENCE, By, Grantee, Issuer, Policy, TokenGrant
from cupola.tokens.schemas import BadTokenSettings, GrantEntry, IssuerEntry, read_policy

PAGE = Path(__file__).parents[2] / "docs/reference/authentication.md"
ONE = '[[tokens.issuers]]\nissuer = "https://a.example"\n'
GRANT = '[[tokens.grants]]\nrole = "r"\nprojects = ["p"]\n'


def read(folder: Path, text: str) -> Policy:
    file = folder / "identity.toml"
    file.write_text(text)
    return read_policy(file, read_tables(file))


@pytest.mark.parametrize("text", [None, "", '[oidc]\nissuer = "https://a.example"\n'])
def test_without_the_section_no_issuer_is_accepted(tmp_path: Path, text: str | None):
    """Nor is a file needed; what else stands in it is not ours."""
    policy = read_policy(tmp_path / "none", {}) if text is None else read(tmp_path, text)

    assert Policy() == policy


def test_an_issuer_needs_its_name_only(tmp_path: Path):
    """Then tokens are for the audience that the service's clients ask for."""
    policy = read(tmp_path, ONE + GRANT)

    assert (Issuer("https://a.example", audiences=(AUDIENCE,)),) == policy.issuers
    grantee = Grantee("https://a.example", By.ROLE, "r")
    assert (TokenGrant(grantee, projects=frozenset(["p"])),) == policy.grants


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("tokens = 3", r"section \[tokens\]"),
        ("[tokens]\nissuer = 3", "unknown field `issuer`"),
        ("[[tokens.issuers]]\nissuer = 3", r"issuers\[0\]\.issuer"),
        ("[[tokens.issuers]]\n", "missing required field `issuer`"),
        ('[[tokens.issuers]]\nissuer = "http://a.example"', "begin with https"),
        ('[[tokens.issuers]]\nissuer = "a.example"', "begin with https"),
        ('[[tokens.issuers]]\nissuer = "https://["', "begin with https"),
        (ONE + 'jwks_uri = "ftp://a.example"', "begin with https"),
        (ONE + "audiences = []", "'audiences'"),
        (ONE + "leeway = -1", "0 to 600"),
        (ONE + 'subject_claim = ""', "'subject_claim'"),
        (ONE + ONE, "twice"),
        (GRANT, "must name its 'issuer'"),
        (ONE + GRANT + 'group = "g"', "one of 'subject', 'role' and 'group'"),
        (ONE + '[[tokens.grants]]\nprojects = ["p"]', "one of 'subject', 'role' and 'group'"),
        (ONE + '[[tokens.grants]]\nrole = "r"', "needs 'projects' or 'endpoints'"),
        (ONE + GRANT + 'issuer = "https://b.example"', "not among"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str, word: str):
    """For the person who wrote the file."""
    with pytest.raises(BadTokenSettings, match=word) as caught:
        read(tmp_path, text)

    assert str(tmp_path / "identity.toml") in caught.value.public


@pytest.mark.parametrize("entry", [IssuerEntry, GrantEntry])
def test_the_page_describes_each_field(entry: type[msgspec.Struct]):
    """docs/reference/authentication.md."""
    page = PAGE.read_text()

    assert [name for name in entry.__struct_fields__ if f"`{name}`" not in page] == []
