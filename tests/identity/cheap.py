"""Identity at a cost that tests can pay: the same hash, with a thousandth of the work."""

from argon2 import PasswordHasher

from cupola.audit.memory import MemoryWork
from cupola.identity.memory import MemorySessions, MemoryUsers
from cupola.identity.passwords import Passwords
from cupola.identity.service import Identity
from cupola.kit.clock import Clock

SECRET = b"s" * 32
PASSWORD = "correct horse battery"
HERE = "127.0.0.1"


def cheap_passwords() -> Passwords:
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def cheap_identity(clock: Clock, *, console_token: str | None = None) -> Identity:
    """One that forgets at the end of the test."""
    return Identity(
        MemoryUsers(),
        MemorySessions(),
        MemoryWork(),
        clock,
        SECRET,
        passwords=cheap_passwords(),
        lifetime=1000,
        console_token=console_token,
    )
