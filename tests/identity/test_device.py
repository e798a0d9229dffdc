import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.identity.device import EXPIRES_IN, INTERVAL, DeviceSignIns, Refusal, Waiting
from cupola.identity.model import Origin, User
from cupola.ids import UserId
from cupola.kit.clock import FakeClock
from cupola.kit.errors import RateLimited

ADA = User(UserId("usr_a"), "ada", Origin.LOCAL, created=0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def device(clock: FakeClock) -> DeviceSignIns:
    return DeviceSignIns(clock)


def test_a_confirmed_command_is_its_users_once(device: DeviceSignIns, clock: FakeClock):
    """Pending, then theirs, then gone."""
    codes = device.begin("cupola on laptop", "10.0.0.1")
    pending = device.poll(codes.device_code)
    assert device.approve(codes.user_code.lower().replace("-", " "), ADA)
    assert device.find(codes.user_code) is None
    clock.advance(INTERVAL)
    done = device.poll(codes.device_code)

    assert Refusal.PENDING == pending
    assert isinstance(done, Waiting)
    assert ADA == done.user
    assert Refusal.EXPIRED == device.poll(codes.device_code)


def test_a_denied_command_is_told(device: DeviceSignIns):
    """And cannot be approved afterwards."""
    codes = device.begin("cupola", "10.0.0.1")
    assert device.deny(codes.user_code)

    assert not device.approve(codes.user_code, ADA)
    assert Refusal.DENIED == device.poll(codes.device_code)


def test_a_hasty_command_is_slowed_down(device: DeviceSignIns, clock: FakeClock):
    """Each poll too early makes the interval longer, also one that would have got a token."""
    codes = device.begin("cupola", "10.0.0.1")
    device.poll(codes.device_code)
    clock.advance(1)
    device.approve(codes.user_code, ADA)
    hasty = device.poll(codes.device_code)
    clock.advance(INTERVAL)
    still_hasty = device.poll(codes.device_code)
    clock.advance(INTERVAL * 3)

    assert [Refusal.SLOW_DOWN] * 2 == [hasty, still_hasty]
    assert isinstance(device.poll(codes.device_code), Waiting)


def test_codes_end(device: DeviceSignIns, clock: FakeClock):
    """Both of them, confirmed or not."""
    codes = device.begin("cupola", "10.0.0.1")
    clock.advance(EXPIRES_IN)

    assert not device.approve(codes.user_code, ADA)
    assert Refusal.EXPIRED == device.poll(codes.device_code)


def test_nobody_fills_the_memory(device: DeviceSignIns, clock: FakeClock):
    """Neither one address nor many; time makes room again."""
    for _ in range(10):
        device.begin("cupola", "10.0.0.1")
    with pytest.raises(RateLimited):
        device.begin("cupola", "10.0.0.1")
    for number in range(190):
        device.begin("cupola", f"10.0.1.{number}")
    with pytest.raises(RateLimited):
        device.begin("cupola", "10.0.2.1")
    clock.advance(EXPIRES_IN)

    device.begin("cupola", "10.0.0.1")


@given(st.text(max_size=20))
def test_no_text_is_a_code_by_chance(text: str):
    """Whatever somebody types or sends finds nobody, and is no fault."""
    device = DeviceSignIns(FakeClock())
    device.begin("cupola", "10.0.0.1")

    assert device.find(text) is None
    assert Refusal.EXPIRED == device.poll(text)
