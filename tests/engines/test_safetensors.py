import random
from pathlib import Path

import pytest

from cupola.engines.gguf_file import BadModelFile
from cupola.engines.safetensors_file import count_weights
from tests.catalog.safetensors import build_safetensors, pack


def count(path: Path, data: bytes) -> dict[str, int]:
    path = path / "model.safetensors"
    path.write_bytes(data)
    return dict(count_weights(path))


def tensor(dtype: str = "F32", shape: object = (1,), offsets: object = (0, 4)) -> object:
    return {"t": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def test_numbers_are_counted(tmp_path: Path):
    """By type; the data is not looked into."""
    assert {"BF16": 192} == count(tmp_path, build_safetensors(tensors=3))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 7,
        b"\xff" * 64,
        pack([], b""),
        pack({}, b""),
        pack({"t": {}}, b""),
        pack(tensor(), b"123"),
        pack(tensor(), b"12345"),
        pack(tensor(offsets=(1, 5)), b"12345"),
        pack(tensor(shape=(2,)), b"1234"),
        pack(tensor(shape=(-1, -1)), b"1234"),
        pack(tensor(dtype="PICKLE"), b"1234"),
        pack(tensor(shape=(2**70,)), b"1234"),
        pack({**tensor(), "u": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"1234"),  # type: ignore[dict-item]
        build_safetensors()[:-1],
        (100).to_bytes(8, "little") + b"[" * 100,
    ],
)
def test_damage_is_refused(tmp_path: Path, data: bytes):
    """Whatever is wrong with it."""
    with pytest.raises(BadModelFile):
        count(tmp_path, data)


def test_absent_file_is_refused(tmp_path: Path):
    """As every other fault."""
    with pytest.raises(BadModelFile) as raised:
        count_weights(tmp_path / "absent.safetensors")
    assert "The model file cannot be read." == raised.value.public


def test_random_damage_never_surprises(tmp_path: Path):
    """Any bytes are either read or refused."""
    whole = build_safetensors()
    source = random.Random(7)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(source.randint(1, 6)):
            data[source.randrange(len(data) // 2)] = source.randrange(256)
        try:
            count(tmp_path, bytes(data))
        except BadModelFile:
            continue
