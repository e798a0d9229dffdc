"""The verbs of keys: show an endpoint's pair, digest what a caller presents, make project keys."""

import secrets
from collections.abc import Sequence
from typing import Any

from cupola.audit.service import Audit
from cupola.ids import EndpointName, new_id
from cupola.keys.model import (
    KEY_ALPHABET,
    KEY_CHARACTERS,
    KeyPair,
    Lineage,
    ProjectKey,
    derive,
    derive_secret,
    digest,
)
from cupola.keys.ports import ProjectKeyStore, SecretStore
from cupola.kit.clock import Clock
from cupola.kit.errors import Forbidden, Malformed, NotFound
from cupola.projects.model import Right
from cupola.projects.service import ReachableProject


class Keyring:
    """Derives keys from the installation's secret, which it reads once."""

    def __init__(self, store: SecretStore) -> None:
        self._secret = store.ensure_secret()

    def get_pair(self, lineage: Lineage, primary: int, secondary: int) -> KeyPair:
        """The keys of an endpoint at these generations."""
        return KeyPair(
            primary=derive(self._secret, lineage, "primary", primary),
            secondary=derive(self._secret, lineage, "secondary", secondary),
        )

    def digest(self, key: str) -> bytes:
        """What `gateway.directory.Snapshot.keys` is looked up by."""
        return digest(self._secret, key)

    def derive_secret(self, purpose: str) -> bytes:
        """A secret for one purpose alone; the same after every restart."""
        return derive_secret(self._secret, purpose)


class ProjectKeys:
    """Keys for several endpoints of a project."""

    def __init__(
        self, store: ProjectKeyStore, keyring: Keyring, audit: Audit, clock: Clock
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._audit = audit
        self._clock = clock

    async def create(
        self,
        project: ReachableProject,
        name: str,
        *,
        endpoints: Sequence[EndpointName] | None = None,
        expires: int | None = None,
    ) -> tuple[ProjectKey, str]:
        """A new key, and the text that callers present, which nobody can see again.

        Args:
            endpoints: Those of the project that it may call; None: all, also later ones.
            expires: Seconds since the Unix epoch; None: never.

        Raises:
            Forbidden: Its maker may not call the endpoints, so the key could not either.
            Conflict: The project has a key of that name.
        """
        self._check_maker(project)
        now = int(self._clock.now())
        if expires is not None and expires <= now:
            raise Malformed("A key cannot expire in the past.", path=("expires",))
        text = "".join(secrets.choice(KEY_ALPHABET) for _ in range(KEY_CHARACTERS))
        key = ProjectKey(
            id=new_id("key"),
            project=project.name,
            name=name,
            digest=self._keyring.digest(text),
            endpoints=None if endpoints is None else tuple(sorted(set(endpoints))),
            made_by=None if project.by.is_console else project.by.user.id,
            created=now,
            expires=expires,
        )
        async with self._audit.change(
            project.by, "project_keys.create", name, project.name
        ) as change:
            await self._store.add(key)
            change.after = _tell(key)
        return key, text

    async def list(
        self, project: ReachableProject, *, after: str = "", limit: int | None = None
    ) -> Sequence[ProjectKey]:
        """Sorted by name."""
        return await self._store.list(project.name, after=after, limit=limit)

    async def get(self, project: ReachableProject, key: str) -> ProjectKey:
        """Raises: NotFound."""
        known = await self._store.find(project.name, key)
        if known is None:
            raise NotFound(f"The project {project.name!r} has no key {key!r}.")
        return known

    async def delete(self, project: ReachableProject, key: str) -> None:
        """Raises: NotFound."""
        known = await self.get(project, key)
        async with self._audit.change(
            project.by, "project_keys.delete", known.name, project.name
        ) as change:
            change.before = _tell(known)
            await self._store.delete(project.name, key)

    def _check_maker(self, project: ReachableProject) -> None:
        if Right.CALL not in project.rights:
            raise Forbidden(
                "A key cannot do more than you: your token was made without the right 'call'."
            )


def _tell(key: ProjectKey) -> dict[str, Any]:
    """What the audit log keeps of a project key."""
    return {
        "id": key.id,
        "name": key.name,
        "endpoints": None if key.endpoints is None else list(key.endpoints),
        "expires": key.expires,
    }
