"""What a command explains is found by its name, or the likely one is named."""

from pathlib import Path

import pytest
import torch
from torch import nn

import cellwright as cw
from cellwright.explain.python_file import TargetError
from cellwright.explain.targets import read_input, read_target

TEXT = """
from dataclasses import dataclass

from torch import nn
import beside

@dataclass
class Sizes:
    width: int = 3

class Net(nn.Linear):
    def __init__(self):
        super().__init__(Sizes().width, beside.HIGH)

def make():
    return Net()

ready = Net()
number = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that imports the one beside it."""
    (tmp_path / "beside.py").write_text("HIGH = 4\n", encoding="utf-8")
    path = tmp_path / "nets.py"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["Net", "make", "ready"])
def test_a_name_in_a_file(file: Path, name: str):
    """A module, its class, a function that makes it."""
    found = read_target(f"{file}:{name}", None, {}).module
    assert isinstance(found, nn.Linear)
    assert (found.in_features, found.out_features) == (3, 4)


def test_what_is_not_there_is_told(file: Path):
    """With the name that is near."""
    for text, words in (
        (f"{file}:Nett", "did you mean 'Net'"),
        (f"{file}:number", "found int"),
        (f"{file}", r"nets.py:MyNetwork"),
        (f"{file.parent}/no.py:Net", "no such file"),
    ):
        with pytest.raises(TargetError, match=words):
            read_target(text, None, {})


def test_cells_by_name_and_by_file(tmp_path: Path):
    """With sizes of one's own, and few where none are given."""
    path = tmp_path / "mine.cell"
    path.write_text("extends lstm\n", encoding="utf-8")
    for text in ("lstm", str(path)):
        few, own = (read_target(text, None, s) for s in ({}, {"hidden_size": 9}))
        assert isinstance(few.module, cw.nn.Recurrent)
        assert few.example == (5, 1, few.module.input_size)
        assert own.module.hidden_size == 9
    assert read_target("lstm", 7, {}).module.input_size == 7


def test_inputs_are_sizes_and_a_dtype():
    """Anything else is refused."""
    assert read_input("32,20,1") == ((32, 20, 1), torch.float32)
    assert read_input("2,7:long") == ((2, 7), torch.int64)
    for wrong in ("", "3,,4", "a,3", "0,3", "3,4:text", "-1"):
        with pytest.raises(TargetError, match="--input"):
            read_input(wrong)
