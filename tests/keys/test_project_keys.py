"""Project keys live and die with whoever made them."""

from dataclasses import replace

import pytest

from cupola.identity.model import Origin, User
from cupola.ids import ProjectName, UserId
from cupola.keys.model import ProjectKey, derive_secret
from cupola.keys.service import is_alive
from cupola.projects.model import Member, Role

ADA = User(UserId("usr_ada"), "ada", Origin.LOCAL, created=0)
KEY = ProjectKey("key_1", ProjectName("ours"), "batch", b"", None, ADA.id, created=0, expires=100)


@pytest.mark.parametrize("role", [None, *Role])
def test_a_key_can_do_no_more_than_its_maker(role: Role | None):
    """Who may not call the endpoints has no key that can."""
    member = Member(KEY.project, ADA.id, role) if role else None

    assert (role not in (None, Role.READER)) == is_alive(KEY, ADA, member, now=0)
    assert is_alive(KEY, replace(ADA, administrator=True), member, now=0)


def test_a_key_dies_with_its_maker():
    """Who is disabled, or gone."""
    member = Member(KEY.project, ADA.id, Role.OWNER)

    assert not is_alive(KEY, replace(ADA, disabled=True, administrator=True), member, now=0)
    assert not is_alive(KEY, None, member, now=0)


def test_a_key_expires():
    """At its second, not before; some never do."""
    member = Member(KEY.project, ADA.id, Role.OWNER)

    assert is_alive(KEY, ADA, member, now=99.9)
    assert not is_alive(KEY, ADA, member, now=100)
    assert is_alive(replace(KEY, expires=None), ADA, member, now=1e12)


def test_each_purpose_has_a_secret_of_its_own():
    """The same after every restart, and none like another."""
    secrets = {derive_secret(b"s" * 32, purpose) for purpose in ("control", "sessions", "")}

    assert 3 == len(secrets)
    assert derive_secret(b"s" * 32, "control") in secrets
