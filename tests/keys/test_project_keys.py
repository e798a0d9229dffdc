"""Project keys belong to whoever made them."""

import pytest

from cupola.audit.memory import MemoryAudit, MemoryWork
from cupola.audit.service import Audit
from cupola.identity import console
from cupola.identity.model import Origin, Principal, User
from cupola.ids import ProjectName, UserId
from cupola.keys.memory import MemoryProjectKeys, MemorySecret
from cupola.keys.model import derive_secret
from cupola.keys.service import Keyring, ProjectKeys
from cupola.kit.clock import FakeClock
from cupola.kit.errors import Forbidden
from cupola.projects.memory import MemoryProjects
from cupola.projects.model import Right
from cupola.projects.service import Projects

ADA = User(UserId("usr_ada"), "ada", Origin.LOCAL, created=0, administrator=True)
OURS = ProjectName("ours")


@pytest.mark.parametrize(
    ("by", "maker"),
    [(Principal(ADA, "192.0.2.1", "ses_1"), ADA.id), (console.PRINCIPAL, None)],
    ids=["a user", "the console"],
)
async def test_a_key_is_its_makers(by: Principal, maker: UserId | None):
    """The console is no user, and its keys are nobody's; the audit log names it all the same."""
    log, clock = MemoryAudit(), FakeClock()
    audit = Audit(log, MemoryWork(), clock)
    projects = Projects(MemoryProjects(), audit, clock)
    await projects.ensure(OURS)
    keys = ProjectKeys(MemoryProjectKeys(), Keyring(MemorySecret()), audit, clock)
    made, _ = await keys.create(await projects.reach(by, OURS, Right.DEPLOY), "batch")

    assert maker == made.made_by
    [entry] = await audit.list(OURS, limit=1)
    assert ("project_keys.create", by.user.name) == (entry.action, entry.actor)


async def test_a_token_without_the_right_to_call_makes_no_key():
    """The key could do what the token cannot."""
    clock = FakeClock()
    audit = Audit(MemoryAudit(), MemoryWork(), clock)
    projects = Projects(MemoryProjects(), audit, clock)
    await projects.ensure(OURS)
    keys = ProjectKeys(MemoryProjectKeys(), Keyring(MemorySecret()), audit, clock)
    narrow = Principal(ADA, "192.0.2.1", "ses_1", frozenset({"deploy"}))
    with pytest.raises(Forbidden, match="without the right 'call'"):
        await keys.create(await projects.reach(narrow, OURS, Right.DEPLOY), "batch")


def test_each_purpose_has_a_secret_of_its_own():
    """The same after every restart, and none like another."""
    secrets = {derive_secret(b"s" * 32, purpose) for purpose in ("control", "sessions", "")}

    assert 3 == len(secrets)
    assert derive_secret(b"s" * 32, "control") in secrets
