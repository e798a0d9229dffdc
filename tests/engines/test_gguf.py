"""The reader of model files, against good ones and every kind of bad ones."""

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cupola.engines.gguf import BadModelFile, Header, profile, read_header
from tests.models import BOS, CONTROL_TOKENS, EOS, TEMPLATE, TOOL_CALLS, build_tiny_model


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("weights") / "tiny.gguf")


@pytest.fixture(scope="session")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path at which tests put files."""
    return tmp_path_factory.mktemp("damaged") / "model.gguf"


def test_reads_what_prompting_needs(weights: Path) -> None:
    """The header holds the model's name, sizes, template and control tokens."""
    header = read_header(weights)

    assert (header.architecture, header.name, header.context_length) == ("llama", "tiny", 2048)
    assert header.bos == ("<s>", BOS)
    assert header.eos == ("</s>", EOS)
    assert {text: i for i, text in enumerate(CONTROL_TOKENS, 1)} == header.control_tokens
    assert header.user_defined == (' [{"name": "', " the ")
    assert header.chat_template == TEMPLATE
    assert frozenset({EOS}) == header.end_ids


def test_profile_of_a_model_with_tools(weights: Path) -> None:
    """The profile names the token of tool calls, and a context no longer than the model's."""
    header = read_header(weights)

    assert profile(header).tool_calls_token == TOOL_CALLS
    assert profile(header).grammar
    assert profile(header, 512).context_length == 512
    assert profile(header, 10**6).context_length == 2048


def _count(value: int) -> bytes:
    return struct.pack("<Q", value)


def _pair(key: bytes, kind: int, value: bytes) -> bytes:
    return _count(len(key)) + key + struct.pack("<I", kind) + value


def _file(pairs: bytes, *, tensors: int = 0, count: int = 1, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, count) + pairs + bytes(64)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not a GGUF"),
        (b"PK\x03\x04" + bytes(64), "not a GGUF"),
        (_file(b"", version=1), "version 1"),
        (_file(b"", version=3 << 24), "version"),
        (_file(b"", count=2**63), "metadata entries"),
        (_file(b"", tensors=2**63), "tensors"),
        (_file(_count(2**40) + b"key"), "bytes of text"),
        (_file(_pair(b"k", 8, _count(2**62))), "bytes of text"),
        (_file(_pair(b"k", 9, struct.pack("<I", 5) + _count(2**61))), "numbers"),
        (_file(_pair(b"k", 9, struct.pack("<I", 8) + _count(2**61))), "texts"),
        (_file(_pair(b"k", 9, struct.pack("<I", 9) + _count(1))), "array of unknown type"),
        (_file(_pair(b"k", 77, b"")), "unknown type 77"),
        (_file(_pair(b"general.alignment", 4, struct.pack("<I", 0))), "alignment"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_impossible_file_is_refused(damaged: Path, content: bytes, complaint: str) -> None:
    """Each impossible number is refused before it is used, in words that say which."""
    damaged.write_bytes(content)

    with pytest.raises(BadModelFile, match=complaint):
        read_header(damaged)


def test_missing_file_is_refused_without_its_path(tmp_path: Path) -> None:
    """Callers are not told where models lie."""
    with pytest.raises(BadModelFile) as caught:
        read_header(tmp_path / "none.gguf")

    assert str(tmp_path) not in caught.value.public


def test_cut_weights_are_refused(weights: Path, damaged: Path) -> None:
    """A download that ended early is noticed, even if only the last byte is missing."""
    damaged.write_bytes(weights.read_bytes()[:-64])

    with pytest.raises(BadModelFile, match="cut short"):
        read_header(damaged)


@settings(max_examples=300)
@given(data=st.data())
def test_damage_is_refused_or_harmless(weights: Path, damaged: Path, data: st.DataObject) -> None:
    """Whatever is cut off or overwritten, there is a header or a refusal, soon."""
    content = bytearray(weights.read_bytes())
    length = data.draw(st.sampled_from([0, 3, 24, 100, 4000, 12_000, len(content)]))
    content = content[: data.draw(st.integers(0, length))] if length < 12_000 else content
    for _ in range(data.draw(st.integers(0, 8))):
        at = data.draw(st.integers(0, min(len(content), 14_000)))
        with_what = data.draw(st.binary(min_size=1, max_size=9))
        content[at : at + len(with_what)] = with_what
    damaged.write_bytes(content)

    with suppress(BadModelFile):
        assert isinstance(read_header(damaged), Header)
