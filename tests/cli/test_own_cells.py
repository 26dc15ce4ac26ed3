"""A person's own cell is one file: everything else is made of it, from its folder."""

import json
from pathlib import Path

import pytest
import torch

import cellwright as cw
from cellwright.cells.library import CellFileError, UnknownCellError
from cellwright.checks.gradients import check_gradients
from cellwright.checks.tolerances import TOLERANCES, error
from command_runs import Run

MINE = """\
# Leaky LSTM: the cell state is shown without its gate while it is young.
# family: LSTM
extends  lstm

state    age = 0
weight   leak [hidden_size] = uniform(0.5, 1)

k    = sigmoid(leak * age)                     # how far the output gate has a say
h'   = (k * o + 1 - k) * tanh(leak * c')       # hidden state
age' = age + 1                                 # steps since the state was new
"""
CHILD = """\
# The same, with one gate for writing and forgetting.
extends  mine

f = 1 - i     # forget gate: keeps what the input gate leaves
"""
BOUND = TOLERANCES["c", "float64"].bound


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Return the only file that a person writes."""
    path = tmp_path / "mine.cell"
    path.write_text(MINE, encoding="utf-8")
    return path


def test_a_file_is_a_layer_with_kernels_and_gradients(mine: Path):
    """It runs on kernels, says so, and agrees with the reference, back and forth."""
    ours, exact = (
        cw.nn.Recurrent(mine, 3, 5, backend=name, dtype=torch.float64)
        for name in ("c", "reference")
    )
    exact.load_state_dict(ours.state_dict())
    x = torch.randn(6, 2, 3, dtype=torch.float64)

    assert [row.backend for row in ours.backend_report().rows] == ["c"]
    outputs = [layer(x)[0] for layer in (ours, exact)]
    assert error(*outputs) <= BOUND
    grads = [
        torch.autograd.grad(output.sum(), list(layer.parameters()))
        for layer, output in zip((ours, exact), outputs, strict=True)
    ]
    assert all(error(a, b) <= BOUND for a, b in zip(*grads, strict=True))


def test_a_file_passes_the_gradient_check(mine: Path):
    """Central differences need nothing but the file."""
    report = check_gradients(mine, 2, 3, steps=3)
    assert report, str(report)


def test_a_file_is_shown_printed_and_compared(run: Run, mine: Path):
    """Equations, LaTeX, the difference from its base and its C come from the file."""
    shown = run("show", "mine.cell")
    latex = run("show", "mine.cell", "--stage", "latex")
    code = run("show", "mine.cell", "--stage", "c")
    difference = run("diff", "lstm", "mine.cell")

    assert (shown.status, latex.status, code.status) == (0, 0, 0)
    assert "how far the output gate has a say" in shown.out
    assert r"\begin{align}" in latex.out
    assert "how far the output gate has a say" in latex.out
    assert "static void step" in code.out
    assert difference.status == 1
    assert "+ weight leak [hidden_size] = uniform(0.5, 1)" in difference.out
    assert "the same equations: i, f, g, o, c'" in difference.out


def test_a_folder_is_listed(run: Run, mine: Path):
    """Its cells stand under their families, each by the word that commands take."""
    (mine.parent / "child.cell").write_text(CHILD, encoding="utf-8")
    (mine.parent / "notes.txt").write_text("no cell\n", encoding="utf-8")
    rows = json.loads(run("cells", ".", "--json").out)

    assert [(row["name"], row["family"]) for row in rows] == [
        ("child.cell", "LSTM"),
        ("mine.cell", "LSTM"),
    ]
    assert "Leaky LSTM" in run("cells", ".").out
    assert run("show", rows[0]["name"]).status == 0
    assert cw.cells.find(cw.cells.files(mine.parent)[0]).family == "LSTM"


def test_a_faulty_file_hides_no_other(run: Run, mine: Path):
    """The list is whole, the fault is counted after it, and the status is 2."""
    (mine.parent / "bad.cell").write_text("extends lstn\n", encoding="utf-8")
    result = run("cells", ".")
    rows = json.loads(run("cells", ".", "--json").out)

    assert result.status == 2
    assert "mine.cell" in result.out
    assert result.err == (
        "bad.cell: no cell, but 1 fault\n  to see: cellwright show bad.cell\n"
    )
    assert [row["name"] for row in rows] == ["mine.cell", "bad.cell"]
    assert [fault["code"] for fault in rows[1]["faults"]] == ["extends"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("nowhere", "is not there"),
        ("mine.cell", "is a file, not a folder"),
        ("empty", "holds no file NAME.cell"),
    ],
)
def test_what_is_no_folder_of_cells_is_told(mine: Path, name: str, found: str):
    """The message names the folder and what is the matter."""
    (mine.parent / "empty").mkdir()
    with pytest.raises(CellFileError, match=found):
        cw.cells.files(mine.parent / name)


@pytest.mark.parametrize(
    ("wanted", "fix"),
    [
        ("mine.cel", "did you mean 'mine.cell'?"),
        ("mine", "did you mean the file 'mine.cell'?"),
        ("some", "`cellwright cells some` lists the cells of a folder"),
    ],
)
def test_a_file_that_was_meant_is_named(run: Run, mine: Path, wanted: str, fix: str):
    """A name of the library is seldom meant by whoever has a file."""
    (mine.parent / "some").mkdir()
    result = run("show", wanted)
    assert result.status == 2
    assert fix in result.err


def test_a_file_is_found_and_not_loaded(mine: Path):
    """`load` knows the library alone, and says what reads files."""
    with pytest.raises(UnknownCellError, match=r"cells.find\(.*mine.cell'\) reads"):
        cw.cells.load(str(mine))


def test_a_new_cell_in_no_folder(run: Run):
    """The folder is not made; how to is said."""
    result = run("new", "nowhere/mine.cell", "--from", "lstm")
    assert (result.status, "mkdir -p nowhere" in result.err) == (2, True)


@pytest.mark.filterwarnings("always::cellwright.explain.bibliography.ReferenceWarning")
def test_a_reference_that_cannot_be_read_is_told_on_stderr(run: Run, mine: Path):
    """The BibTeX on stdout stays BibTeX; the place and the line are on stderr."""
    line = "# Smith, John, 2020, Cells. https://arxiv.org/abs/2001.00001"
    mine.write_text(MINE.replace("# family", f"{line}\n# family"), encoding="utf-8")

    for command in (("show", str(mine), "--cite"), ("cite", str(mine))):
        result = run(*command)
        assert result.status == 0
        assert result.out.startswith("@")
        assert "smith" not in result.out.lower()
        assert result.err.startswith("warning: ")
        assert "mine.cell:2: " in result.err
        assert line.removeprefix("# ") in result.err
