"""Tests of the command `figure`."""

from pathlib import Path

import pytest

from cellwright.cells import load
from cellwright.explain import cell_figure, layer_box, network_figure
from command_runs import Run

GOLDEN = Path(__file__).parent / "golden"
SIZES = ["--size", "input_size=1", "--size", "hidden_size=300"]


def test_a_picture_is_written_and_drawn_anew(run: Run, tmp_path: Path):
    """The file has what the function returns; a second call draws over it."""
    for name in ("lstm", "gru"):
        result = run("figure", name, "-o", "cell.svg")

        assert (result.status, result.out, result.err) == (0, "Wrote cell.svg\n", "")
        assert (tmp_path / "cell.svg").read_text("utf-8") == cell_figure(load(name))
    assert [path.name for path in tmp_path.iterdir()] == ["cell.svg"]


def test_a_picture_is_printed_without_a_file(run: Run):
    """It goes where a person leads it."""
    result = run("figure", "gru")
    assert (result.status, result.out) == (0, cell_figure(load("gru")))


def test_a_cell_of_ones_own_is_drawn(run: Run, tmp_path: Path):
    """A file is as good as a name."""
    run("new", "my.cell", "--from", "rhn")
    result = run("figure", "my.cell")

    assert result.status == 0
    assert "for l in 1..depth" in result.out


def test_a_layer_is_drawn_with_numbers(run: Run):
    """The sizes of the cell and the length of the sequence are given alike."""
    layer = layer_box(load("lstm"), {"input_size": 1, "hidden_size": 300})
    sized = run("figure", "lstm", "--view", "unrolled", *SIZES, "--size", "T=100")
    folded = run("figure", "lstm", "--view", "folded")

    assert sized.out == network_figure([layer], 100)
    assert folded.out == network_figure([layer_box(load("lstm"))], unroll=False)


def test_faults_are_told_as_the_golden_text_says(run: Run, golden, tmp_path: Path):
    """Each says where, the rule, what was found and the likely fix; no file is made."""
    (tmp_path / "mine.svg").write_text("<svg/>\n", encoding="utf-8")
    (tmp_path / "folder.svg").mkdir()
    lines = [
        "figure lstn",
        "figure nowhere.cell",
        "figure lstm -o lstm.png",
        "figure lstm -o mine.svg",
        "figure lstm -o folder.svg",
        "figure lstm -o no/where/lstm.svg",
        "figure lstm --size T=3",
        "figure lstm --view folded --size T=0",
        "figure lstm --view folded --size hidden_size=8",
        "figure lstm --view folded --size hiden_size=8",
        "figure lstm --view lstm",
    ]
    told: list[str] = []
    for line in lines:
        result = run(*line.split())
        assert (result.status, result.out) == (2, ""), line
        told.append(f"$ cellwright {line}\n{result.err}")

    golden(GOLDEN / "figure-faults.txt", "\n".join(told))
    found = sorted(path.name for path in tmp_path.rglob("*"))
    assert found == ["folder.svg", "mine.svg"]
    assert (tmp_path / "mine.svg").read_text("utf-8") == "<svg/>\n"


@pytest.mark.parametrize("view", ["cell", "folded", "unrolled"])
def test_a_picture_has_the_same_bytes_each_time(run: Run, view: str):
    """Pages that hold a picture do not change for nothing."""
    first, second = (run("figure", "slstm", "--view", view).out for _ in range(2))
    assert first == second
