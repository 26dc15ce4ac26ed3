"""Tests of the commands: `cells`, `show`, `new`, `diff`, `train`, `predict`."""

from __future__ import annotations

import csv
import inspect
import json
from dataclasses import fields
from pathlib import Path

import pytest

from cellwright.cells import load, names
from cellwright.cli import train as train_module
from cellwright.ir.text import parse_graph
from cellwright.train import AddingSettings, PeriodicSettings, Settings
from cellwright.train.calls import SUNSPOTS
from command_runs import Run, write_series

GOLDEN = Path(__file__).parent / "golden"
QUICK = ["--hidden-size", "2", "--epochs", "1", "--batch-size", "64", "--quiet"]


@pytest.mark.parametrize(
    "line",
    [
        "cells",
        "show lstm",
        "show cifg",
        "show rhn",
        "show lstm_norm_joint",
        "show slstm --size hidden_size=8 --size input_size=3",
        "show lstm --stage passes",
        "show lstm --stage schedule",
        "show lstm_norm_joint --stage passes",
        "show lstm_norm_joint --stage schedule",
        "diff lstm peephole_lstm",
        "diff lstm cifg",
        "diff gru lstm",
        "diff lstm lstm",
        "diff rhn elman",
    ],
)
@pytest.mark.parametrize("columns", ["80", "120"])
def test_output_is_the_golden_one(run: Run, golden, monkeypatch, line, columns):
    """What a command prints is what a person has looked at."""
    monkeypatch.setenv("COLUMNS", columns)
    result = run(*line.split())
    name = (
        line.replace(" ", "-").replace("--size-", "").replace("--", "").replace("=", "")
    )

    assert result.err == ""
    assert max(map(len, result.out.splitlines())) <= int(columns)
    golden(GOLDEN / f"{name}-{columns}.txt", result.out)


def test_cells_lists_every_cell(run: Run):
    """The list has each cell of the library with its facts."""
    rows = json.loads(run("cells", "--json").out)

    assert [row["name"] for row in rows] == list(names())
    (lstm,) = [row for row in rows if row["name"] == "lstm"]
    assert (lstm["year"], lstm["class"], lstm["states"]) == (
        2000,
        "recurrent",
        ["h", "c"],
    )


def test_show_prints_a_graph_that_reads_back(run: Run):
    """The graph's text is lossless."""
    result = run("show", "gru", "--stage", "graph")

    assert parse_graph(result.out) == load("gru").graph


def test_show_prints_the_c_of_both_directions(run: Run, monkeypatch):
    """What the schedule says in words, the C says for a machine's level."""
    monkeypatch.setenv("CELLWRIGHT_LEVEL", "plain")
    result = run("show", "gru", "--stage", "c")

    assert (result.status, result.err) == (0, "")
    for direction in ("forward", "backward"):
        assert f"/* {direction}, plain, float32 */" in result.out
    assert "#define CW_DOUBLE 0" in result.out
    assert "#define CW_BYTES 16" in result.out
    assert result.out.count("static void step(const Frame *frame, Member *member)") == 2
    assert "h' = (1 - z) * n + z * h" in result.out


@pytest.mark.parametrize("stage", ["graph", "passes", "schedule", "c", "latex"])
def test_every_stage_is_printed_as_json(run: Run, stage: str):
    """The text of a stage stands under its name, unwrapped."""
    data = json.loads(run("show", "lstm", "--stage", stage, "--json").out)

    assert data.keys() == {"name", stage}
    assert data[stage].strip()
    deep = run("show", "rhn", "--stage", stage, "--size", "depth=1", "--json").out
    assert "n_2" not in deep


@pytest.mark.parametrize("line", ["show cifg --cite", "show lstm_norm_joint --cite"])
def test_references_are_the_golden_ones(run: Run, golden, line: str):
    """The BibTeX of a variant is its own paper's and those of what it extends."""
    name = line.replace(" ", "-").replace("--", "")
    result = run(*line.split())

    assert (result.status, result.err) == (0, "")
    golden(GOLDEN / f"{name}.bib", result.out)
    assert run("cite", line.split()[1]).out == result.out
    shown = json.loads(run(*line.split(), "--json").out)
    assert shown["bibtex"] == result.out


def test_show_counts_for_given_sizes(run: Run):
    """Sizes and counts give the number of parameters."""
    sizes = ["--size", "input_size=1", "--size", "hidden_size=300"]

    assert "362,400" in run("show", "lstm", *sizes).out
    deep = json.loads(run("show", "rhn", "--size", "depth=1", *sizes, "--json").out)
    assert deep["parameters"]["at"]["count"] == 3 * (300 * 1 + 300 * 300 + 300)


@pytest.mark.parametrize("name", names())
def test_new_writes_the_same_cell(run: Run, tmp_path: Path, name: str):
    """The new file says the same cell, in one file, and says where it comes from."""
    result = run("new", "my.cell", "--from", name)
    text = (tmp_path / "my.cell").read_text(encoding="utf-8")

    assert result.status == 0
    assert f"cellwright diff {name} my.cell" in result.out
    assert text.startswith(f"# my, made from {name}: {load(name).title}")
    assert "extends" not in text
    assert run("diff", name, "my.cell").status == 0


def test_new_overwrites_nothing(run: Run, tmp_path: Path):
    """A file that is there stays as it is."""
    (tmp_path / "my.cell").write_text("mine\n", encoding="utf-8")
    result = run("new", "my.cell", "--from", "lstm")

    assert result.status == 2
    assert "nothing is overwritten" in result.err
    assert (tmp_path / "my.cell").read_text(encoding="utf-8") == "mine\n"


def test_new_file_has_the_ending_of_a_cell(run: Run, tmp_path: Path):
    """A name that no command would take later is refused at once."""
    result = run("new", "my.txt", "--from", "lstm")

    assert result.status == 2
    assert "cellwright new my.cell --from lstm" in result.err
    assert list(tmp_path.iterdir()) == []


def test_diff_answers_as_diff_does(run: Run):
    """Status 0 for the same cell, 1 for another."""
    assert run("diff", "lstm", "lstm").status == 0
    assert run("diff", "lstm", "gru").status == 1
    assert run("diff", "lstm", "gru", "--json").status == 1


def test_diff_shows_every_change(run: Run, tmp_path: Path):
    """Each statement that differs stands in the output, with its sign."""
    run("new", "my.cell", "--from", "lstm")
    path = tmp_path / "my.cell"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("f * c + i * g", "f * c + i * g * g"), encoding="utf-8"
    )
    lines = run("diff", "lstm", "my.cell").out.splitlines()

    assert "- c' = f * c + i * g" in lines
    assert "+ c' = f * c + i * g * g" in lines
    assert len([line for line in lines if line[:2] in ("- ", "+ ")]) == 2


@pytest.mark.parametrize(
    ("command", "settings", "own"),
    [
        (train_module.series, Settings(), set()),
        (train_module.sunspots, Settings.of(SUNSPOTS), set()),
        (train_module.adding, AddingSettings(), set()),
        (train_module.periodic, PeriodicSettings(), {"hidden_size"}),
    ],
)
def test_every_setting_is_an_option(command, settings, own):
    """What the settings in Python have, the command line has, with its default."""
    parameters = inspect.signature(command).parameters

    for name in {entry.name for entry in fields(settings)} - own:
        found, plain = parameters[name].default, getattr(settings, name)
        expected = {"cell": "lstm", "cell_options": None}.get(name, plain)
        assert found == expected, name


def test_adding_and_what_it_leaves(run: Run, tmp_path: Path):
    """A task becomes a result folder with a table of what was learned."""
    arguments = ["train", "adding", "--steps", "9", *QUICK, "--tensorboard"]
    done = run(*arguments, "--variant", "sum")

    assert (done.status, done.err) == (0, "")
    assert "lstm(2)" in done.out
    assert "not in 6,400" in done.out
    assert "cellwright.load('runs/adding-sum')" in done.out
    assert list((tmp_path / "runs/adding-sum/tensorboard").iterdir())
    cited = run("cite", "runs/adding-sum")
    assert (cited.status, cited.err) == (0, "")
    assert "@article{hochreiter1997long," in cited.out
    shown = run(*arguments, "--variant", "sum", "--resume", "--json")
    assert json.loads(shown.out)["memoryless"]["mse"] == 1 / 6
    refused = run("train", "adding", "--variant", "product")
    assert refused.status == 2
    assert "'mean', '1997', 'sum'" in refused.err
    refused = run("predict", "runs/adding-sum", "-o", "x.csv")
    assert refused.status == 2
    assert "a run on a task" in refused.err


def test_periodic_and_its_sizes(run: Run, tmp_path: Path):
    """Each size has a row, a folder, and a curve in one picture."""
    arguments = ["train", "periodic", "--epochs", "2", "--quiet", "--steps", "8"]
    done = run(*arguments, "--units", "2, 1", "--json")

    assert (done.status, done.err) == (0, "")
    found = json.loads(done.out)
    assert [row["folder"] for row in found] == ["runs/periodic/2", "runs/periodic/1"]
    assert (tmp_path / "runs/periodic/sizes.png").exists()
    refused = run("predict", "runs/periodic", "-o", "x.csv")
    assert "fix: give one of the runs in it: 1, 2" in refused.err
    refused = run(*arguments, "--units", "1;2")
    assert refused.status == 2
    assert "--units 1,2,3,50" in refused.err
    assert run(*arguments, "--units", "3,3").status == 2


def test_training_and_forecasting_from_a_file(run: Run, tmp_path: Path):
    """A CSV file becomes a result folder, and the folder becomes forecasts."""
    write_series(tmp_path / "load.csv")
    arguments = ["train", "series", "load.csv", "--column", "y", "--inputs", "wind,"]
    trained = run(*arguments, "--cell", "gru", *QUICK)

    assert (trained.status, trained.err) == (0, "")
    assert "gru(2)" in trained.out
    assert "cellwright predict runs/load -o forecast.csv" in trained.out

    write_series(tmp_path / "new.csv", 40)
    result = run("predict", "runs/load", "new.csv", "-o", "out.csv")
    assert result.status == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, 21))
    assert "20 rows" in result.out

    again = run(*arguments, "--cell", "gru", *QUICK)
    assert again.status == 2
    assert "--resume" in again.err
    shown = run(*arguments, "--cell", "gru", *QUICK, "--resume", "--json")
    assert shown.status == 0
    assert json.loads(shown.out)["folder"] == "runs/load"


def test_options_of_the_cell_reach_it(run: Run, tmp_path: Path):
    """--set gives sizes and constants; one that the cell has not is refused."""
    write_series(tmp_path / "load.csv")
    arguments = ["train", "series", "load.csv", "--column", "y", *QUICK]

    refused = run(*arguments, "--cell", "slstm", "--set", "haeds=2", "--out", "runs/a")
    assert refused.status == 2
    assert "did you mean 'heads'?" in refused.err
    trained = run(*arguments, "--cell", "slstm", "--set", "heads=2", "--out", "runs/b")
    assert trained.status == 0, trained.err


def test_faults_of_a_data_file_are_told(run: Run, tmp_path: Path):
    """A gap in the file is named with its line, and nothing is trained."""
    path = write_series(tmp_path / "load.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[7] = ",1,2"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = run("train", "series", "load.csv", "--column", "y", *QUICK)

    assert result.status == 2
    assert "line 8, column 'y'" in result.err
    assert not (tmp_path / "runs").exists()


def test_new_from_a_change_says_the_change(run: Run, tmp_path: Path):
    """A file that extends another can be begun from, too."""
    (tmp_path / "my.cell").write_text("extends lstm\nf = 1\n", encoding="utf-8")
    run("new", "next.cell", "--from", "my.cell")

    assert run("diff", "my.cell", "next.cell").status == 0


def test_predict_overwrites_forecasts_only(run: Run, tmp_path: Path):
    """The data, the run's files and anything else stay; a forecast is replaced."""
    write_series(tmp_path / "load.csv")
    write_series(tmp_path / "new.csv", 40)
    (tmp_path / "notes.txt").write_text("mine\n", encoding="utf-8")
    trained = run("train", "series", "load.csv", "--column", "y", *QUICK)
    assert trained.status == 0
    assert ".lock" not in trained.out
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    kept = [path.relative_to(tmp_path) for path in before]
    for out in (*kept, "runs/load/checkpoints/a.csv", "runs/load/../load/.lock"):
        result = run("predict", "runs/load", "new.csv", "-o", str(out))
        assert (result.status, result.out) == (2, ""), out
        assert f"{out}: is" in result.err
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert run("predict", "runs/load", "-o", "load.csv").status == 2

    assert run("predict", "runs/load", "-o", "out.csv").status == 0
    first = (tmp_path / "out.csv").read_bytes()
    assert run("predict", "runs/load", "new.csv", "-o", "out.csv").status == 0
    assert (tmp_path / "out.csv").read_bytes() != first
    # A forecast has the columns of a series; even then it is not written over itself.
    before_itself = run("predict", "runs/load", "out.csv", "-o", "./out.csv")
    assert "is the data that is read" in before_itself.err
