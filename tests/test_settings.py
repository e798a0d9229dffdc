import re
from pathlib import Path

import platformdirs
import pytest

from cupola.kit.errors import Invalid
from cupola.settings import PREFIX, ClientSettings, Settings, load_settings, usable_cores

REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)


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


def test_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch):
    """A setting with a slip of the pen is not ignored in silence."""
    monkeypatch.setenv("CUPOLA_ENGINE_SLOT", "4")

    with pytest.raises(Invalid, match=r"CUPOLA_ENGINE_SLOT is not a setting.*CUPOLA_ENGINE_SLOTS"):
        load_settings()


def test_foreign_variable_is_ignored(monkeypatch: pytest.MonkeyPatch):
    """A key kept in the shell for samples disturbs nobody."""
    monkeypatch.setenv("CUPOLA_KEY", "secret")

    assert load_settings().port == Settings.model_fields["port"].default


def test_every_setting_is_documented():
    """docs/reference/settings.md has a row for each setting, and none besides."""
    documented = re.findall(r"^\| `(CUPOLA_[A-Z_]+)`", REFERENCE.read_text("utf-8"), re.MULTILINE)

    fields = (*Settings.model_fields, *ClientSettings.model_fields)
    assert sorted(documented) == sorted(PREFIX + name.upper() for name in fields)


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
