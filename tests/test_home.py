import stat
from pathlib import Path

import pytest

from cupola.home import (
    BadFile,
    Home,
    HomeInUse,
    HomeUnusable,
    RunningServer,
    read_tables,
    write_whole,
)

SERVER = RunningServer(pid=4711, url="http://127.0.0.1:8100", version="1.0")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def test_home_is_closed_to_others(home: Home):
    """Keys and logs are the owner's alone."""
    assert 0o700 == stat.S_IMODE(home.folder.stat().st_mode)


def test_existing_home_is_closed_too(tmp_path: Path):
    """A folder that somebody made with open doors gets closed ones."""
    (tmp_path / "home").mkdir(mode=0o755)
    Home(tmp_path / "home").prepare()

    assert 0o700 == stat.S_IMODE((tmp_path / "home").stat().st_mode)


def test_home_that_is_a_file_is_reported(tmp_path: Path):
    """The message names the folder and the ways out."""
    (tmp_path / "home").touch()

    with pytest.raises(HomeUnusable, match=r"cannot be used.*--home or CUPOLA_HOME"):
        Home(tmp_path / "home").prepare()


def test_second_server_stays_out(home: Home):
    """Two servers never share a home; the second says who is there."""
    with (
        home.hold(),
        home.announce(SERVER),
        pytest.raises(HomeInUse, match=r"process 4711, at http://127\.0\.0\.1:8100"),
        Home(home.folder).hold(),
    ):
        pass


def test_home_is_free_again(home: Home):
    """A server that ended lets the next one in."""
    with home.hold():
        pass
    with home.hold():
        pass


def test_running_server_is_found(home: Home):
    """Commands learn where the server is, as long as it runs."""
    with home.hold(), home.announce(SERVER):
        assert SERVER == home.find_server()
    assert home.find_server() is None


def test_note_of_a_killed_server_is_not_believed(home: Home):
    """Only the kernel's lock says that a server lives, not the file it left."""
    with home.announce(SERVER):
        assert home.find_server() is None


def test_home_that_never_ran_has_no_server(tmp_path: Path):
    """Asking makes no folder."""
    assert Home(tmp_path / "none").find_server() is None
    assert not (tmp_path / "none").exists()


def test_file_is_replaced_whole(tmp_path: Path):
    """A reader sees the old or the new text, and no draft stays behind."""
    write_whole(tmp_path / "note", "old")
    write_whole(tmp_path / "note", "new")

    assert "new" == (tmp_path / "note").read_text()
    assert ["note"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("text", [b"issuer =", "\ud800".encode("utf-8", "surrogatepass"), b"\xff"])
def test_what_is_no_toml_is_said_so(tmp_path: Path, text: bytes):
    """With the file's name; a file that nobody wrote is none at all."""
    file = tmp_path / "identity.toml"
    assert {} == read_tables(file)
    file.write_bytes(text)
    with pytest.raises(BadFile, match=r"identity\.toml cannot be read"):
        read_tables(file)
