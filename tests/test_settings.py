import re
from pathlib import Path

import platformdirs
import pytest

from cupola.kit.errors import Invalid, Unavailable
from cupola.settings import PREFIX, list_settings, load_settings, usable_cores

REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch):
    for name in list_settings():
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_defaults_need_no_configuration():
    """Without any setting Cupola serves this machine only, and keeps its data with the user's."""
    settings = load_settings()

    assert "127.0.0.1" == settings.host
    assert settings.home == platformdirs.user_data_path("cupola")


def test_environment_goes_before_default(monkeypatch: pytest.MonkeyPatch):
    """`CUPOLA_PORT` sets the port."""
    monkeypatch.setenv("CUPOLA_PORT", "8123")

    assert 8123 == load_settings().port


def test_option_goes_before_environment(monkeypatch: pytest.MonkeyPatch):
    """What is typed wins; an option that was not given does not count."""
    monkeypatch.setenv("CUPOLA_PORT", "8123")

    assert 9000 == load_settings(port=9000).port
    assert 8123 == load_settings(port=None).port


def test_home_may_be_relative(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """`--home demo` means a folder here, also for the engine, which may run elsewhere."""
    monkeypatch.chdir(tmp_path)

    assert load_settings(home=Path("demo")).home == tmp_path / "demo"


def test_all_faults_are_reported_at_once(monkeypatch: pytest.MonkeyPatch):
    """One run shows every value to mend, each with its variable."""
    monkeypatch.setenv("CUPOLA_PORT", "high")
    monkeypatch.setenv("CUPOLA_ENGINE_SLOTS", "0")

    with pytest.raises(Invalid, match=r"(?s)CUPOLA_PORT.*'high'.*CUPOLA_ENGINE_SLOTS.*'0'"):
        load_settings()


def test_threads_suit_the_model():
    """A small model gets one thread, since more would only wait for each other; a setting wins."""
    cores = usable_cores()

    assert 1 == load_settings().threads_for(10_000_000)
    assert cores == load_settings().threads_for(100_000_000_000)
    assert 7 == load_settings(engine_threads=7).threads_for(1)


@pytest.mark.parametrize(
    ("value", "offline"), [("1", True), ("TRUE", True), ("0", False), ("", False)]
)
def test_the_hubs_own_variables_count(monkeypatch: pytest.MonkeyPatch, value: str, offline: bool):
    """Whoever has set up the hub's library need not say it again; our own variable wins."""
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")

    assert offline == load_settings().offline
    assert "https://mirror.example" == load_settings().hub_endpoint
    monkeypatch.setenv("CUPOLA_OFFLINE", str(not offline))
    monkeypatch.setenv("CUPOLA_HUB_ENDPOINT", "https://other.example")
    assert offline != load_settings().offline
    assert "https://other.example" == load_settings().hub_endpoint


def test_hub_address_needs_its_scheme():
    """A bare host would fail at the first download only."""
    with pytest.raises(Invalid, match="begins with https://"):
        load_settings(hub_endpoint="mirror.example")


def test_hub_token_is_read_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """From the file, else from the variable that is named, else there is none."""
    assert load_settings().find_hub_token() is None
    monkeypatch.setenv("HF_TOKEN", "hf_usual")
    assert "hf_usual" == load_settings().find_hub_token()
    monkeypatch.setenv("MINE", "hf_mine")
    settings = load_settings(hub_token_env="MINE", hub_token_file=tmp_path / "token")
    with pytest.raises(Unavailable) as raised:
        settings.find_hub_token()
    assert "Mend CUPOLA_HUB_TOKEN_FILE" in raised.value.public
    for token in ("hf_old", "hf_new"):
        (tmp_path / "token").write_text(f"{token}\n")
        assert token == settings.find_hub_token()
    assert "hf_mine" == load_settings(hub_token_env="MINE").find_hub_token()


def test_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch):
    """A setting with a slip of the pen is not ignored in silence."""
    monkeypatch.setenv("CUPOLA_ENGINE_SLOT", "4")

    with pytest.raises(Invalid, match=r"CUPOLA_ENGINE_SLOT is not a setting.*CUPOLA_ENGINE_SLOTS"):
        load_settings()


def test_foreign_variable_is_ignored(monkeypatch: pytest.MonkeyPatch):
    """A key kept in the shell for samples disturbs nobody."""
    monkeypatch.setenv("CUPOLA_KEY", "secret")

    assert load_settings().port == 8100


def test_every_setting_is_documented():
    """docs/reference/settings.md has a row for each setting, and none besides."""
    documented = re.findall(r"^\| `(CUPOLA_[A-Z_]+)`", REFERENCE.read_text("utf-8"), re.MULTILINE)

    assert sorted(documented) == sorted(PREFIX + name.upper() for name in list_settings())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", ""),
        ("https://ai.example.com", "https://ai.example.com"),
        ("https://ai.example.com/", "https://ai.example.com"),
        ("http://[::1]:8100", "http://[::1]:8100"),
    ],
)
def test_a_public_address_is_kept_without_a_slash(given: str, kept: str):
    """So that paths can follow it."""
    assert kept == load_settings(public_url=given).public_url


@pytest.mark.parametrize("given", ["ai.example.com", "https://a/b", "ftp://a", "https://a\n", "x"])
def test_what_is_no_public_address_is_refused(given: str):
    """It would make links that lead nowhere, or cookies that are not secure."""
    with pytest.raises(Invalid, match="CUPOLA_PUBLIC_URL"):
        load_settings(public_url=given)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", ""),
        ("10.0.0.7", "10.0.0.7/32"),
        (" 10.0.0.7, 192.168.0.0/16 ,::1 ", "10.0.0.7/32,192.168.0.0/16,::1/128"),
    ],
)
def test_trusted_proxies_are_addresses_and_networks(given: str, kept: str):
    """As many as there are."""
    assert kept == load_settings(trusted_proxies=given).trusted_proxies


@pytest.mark.parametrize("given", ["proxy.example.com", "10.0.0.7/8", "10.0.0", "*"])
def test_a_proxy_is_trusted_by_its_address_alone(given: str):
    """A name can be anybody's, and a network with bits of a host is a slip of the pen."""
    with pytest.raises(Invalid, match=r"CUPOLA_TRUSTED_PROXIES.*as 10\.0\.0\.7"):
        load_settings(trusted_proxies=given)


def test_secrets_are_not_shown():
    """Wherever settings are logged or shown as a whole."""
    settings = load_settings(database_url="postgresql://a:hush@b/c", redis_url="redis://:hush@r")

    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CUPOLA_TLS", "none", "'off' or 'local' or 'own'"),
        ("CUPOLA_OFFLINE", "maybe", "true or false"),
        ("CUPOLA_PORT", "70000", "a whole number, at least 0, at most 65535"),
        ("CUPOLA_BODY_TIMEOUT", "0", "a number, more than 0"),
        ("CUPOLA_BODY_TIMEOUT", "nan", "a number, more than 0"),
    ],
)
def test_a_fault_says_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
):
    """In words, beside what was given."""
    monkeypatch.setenv(name, value)
    with pytest.raises(Invalid) as refused:
        load_settings()

    assert f"{name}): should be {expected}, not '{value}'." in refused.value.public
