import pytest

from cupola.kit.errors import Invalid
from cupola.metering.rules import WebhookRule


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.5.5", "192.168.1.1", "127.0.0.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::",
        "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "ff02::1", "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "2001:db8::1", "::127.0.0.1",
    ],
)  # fmt: skip
def test_only_the_public_internet(address: str):
    """Private, local, reserved and link-local addresses, also where IPv6 hides an IPv4 one."""
    assert [] == WebhookRule().choose("a.example", [address])


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808"])
def test_the_public_internet(address: str):
    """All else is allowed without a word."""
    assert [address] == WebhookRule().choose("a.example", [address, "10.0.0.1"])


def test_a_listed_name_opens_no_credentials():
    """A name may be on a private network, but not where clouds keep credentials; a network that is
    listed by its numbers may."""
    rule = WebhookRule.read("Hooks.Internal., 169.254.7.0/24")

    assert ["10.0.0.1"] == rule.choose("hooks.internal", ["10.0.0.1", "169.254.169.254"])
    assert [] == rule.choose("other.internal", ["10.0.0.1"])
    assert ["169.254.7.1"] == rule.choose("any", ["169.254.7.1", "169.254.8.1"])
    assert ["::ffff:10.1.1.1"] == WebhookRule.read("10.0.0.0/8").choose("any", ["::ffff:10.1.1.1"])


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "https://[::1]:8/x", "http://localhost/", "http://169.254.169.254/"]
)
def test_addresses_are_refused_when_a_budget_is_made(url: str):
    """Whoever makes it learns at once what no attempt could deliver, and who can help."""
    with pytest.raises(Invalid, match="CUPOLA_WEBHOOK_HOSTS") as refused:
        WebhookRule().check(url)
    assert ("webhook",) == refused.value.path
    WebhookRule.read("10.0.0.0/8, ::1, localhost, 169.254.169.254").check(url)
    WebhookRule().check("https://hooks.example/")


@pytest.mark.parametrize("listed", ["https://a.example", "10.0.0.0/33", "a b", "10.0.0.1/8"])
def test_slips_in_the_list_are_named(listed: str):
    """A list that says something else than meant is not used in part."""
    with pytest.raises(ValueError, match="is no host"):
        WebhookRule.read(listed)
