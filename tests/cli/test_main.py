"""Tests of `cellwright.cli.main`: how the command ends, whatever happens."""

from __future__ import annotations

import inspect
import io
import json
import re
import shlex
from functools import partial
from importlib import metadata
from typing import Any

import pytest
import typer

from cellwright.bench.machine import machine
from cellwright.cli import bench as bench_module
from cellwright.cli import train as train_module
from cellwright.cli.arguments import complete_cell
from cellwright.cli.commands import SUMMARIES
from cellwright.cli.main import app, main
from cellwright.errors import CellwrightError
from cellwright.tasks import read_series
from command_runs import Run, write_series

COMMANDS = [
    *("cells", "show", "figure", "new", "diff", "explain", "predict", "bench"),
    *("cite", "cache"),
    *("train series", "train sunspots", "train adding", "train periodic"),
]
BAD_CELL = (
    "input x [input_size]\nstate h [hidden_size]\n"
    "weight W [hidden_size, inptu_size]\noutput h'\n"
    "h' = tahn(W @ x) + h\n"
)
QUICK: dict[str, Any] = {"hidden_size": 2, "epochs": 1, "batch_size": 64}


def examples(text: str) -> list[str]:
    """Return the examples of a help text."""
    return re.findall(r"^    (cellwright .*)$", text, re.MULTILINE)


def test_commands_are_all_walked_by_these_tests():
    """The list above names every command."""
    root = typer.main.get_command(app)
    found = []
    for name, command in root.commands.items():  # pyright: ignore[reportAttributeAccessIssue]
        inner = getattr(command, "commands", None)
        found += [f"{name} {child}" for child in inner] if inner else [name]

    assert sorted(found) == sorted(COMMANDS)


@pytest.mark.parametrize("name", SUMMARIES)
def test_summary_is_the_first_line_of_the_help(run: Run, name: str):
    """What the list of commands says is what the command says of itself."""
    lines = run(name, "--help").out.splitlines()

    assert lines[2].strip() == SUMMARIES[name]


@pytest.mark.parametrize("command", ["", "train", *COMMANDS])
def test_every_command_has_help_with_examples(run: Run, command: str):
    """--help says what the command does, shows examples, and fits 80 columns."""
    result = run(*command.split(), "--help")

    assert (result.status, result.err) == (0, "")
    assert examples(result.out)
    assert max(map(len, result.out.splitlines())) <= 80
    assert "\b" not in result.out


def test_every_example_runs(run: Run, tmp_path, monkeypatch: pytest.MonkeyPatch):
    """What the help shows is what a person can type."""
    training = train_module.training
    load = write_series(tmp_path / "load.csv")
    trained = training.series(load, "y", out="runs/load", progress=False, **QUICK)

    series, sunspots = training.series, training.sunspots
    adding, periodic = training.adding, training.periodic
    tiny = {**QUICK, "steps": 30}

    def checked(real, *arguments, **options):
        """Refuse what the function would, and hand out what was trained before."""
        inspect.signature(real).bind(*arguments, **options)
        own = inspect.signature(series).parameters  # where all runs lie
        settings = {key: v for key, v in options.items() if key not in own}
        kind = {adding: training.AddingSettings, periodic: training.PeriodicSettings}
        kind.get(real, training.Settings).of(settings)
        if real is series:
            read_series(tmp_path / arguments[0], *arguments[1:])
            return trained
        return done[real]

    done = {
        sunspots: trained,
        adding: adding(out="runs/adding", progress=False, **tiny),
        periodic: (periodic([1], out="runs/periodic", progress=False, epochs=1)),
    }
    for real in (series, sunspots, adding, periodic):
        monkeypatch.setattr(training, real.__name__, partial(checked, real))
    measured = {"machine": {**machine(), "anyway": True, "others": 0.0, "turns": 5}}
    nothing = {**measured, "rows": []}
    monkeypatch.setattr(bench_module.benchmarks, "bench", lambda *_, **__: nothing)
    write_series(tmp_path / "new.csv", 60)
    (tmp_path / "my.cell").write_text("extends lstm\nf = 1\n", encoding="utf-8")
    lines = [
        line
        for command in ["", "train", *COMMANDS]
        for line in examples(run(*command.split(), "--help").out)
    ]
    for line in dict.fromkeys(lines):
        words = shlex.split(line.removeprefix("cellwright ").partition(">")[0])
        if words[0] == "predict" or words[:2] == ["cite", "runs/sunspots"]:
            words[1] = "runs/load"
        if words[:2] == ["new", "my.cell"]:
            (tmp_path / "my.cell").unlink()
        result = run(*words)
        allowed = (0, 1) if words[0] == "diff" else (0,)
        assert result.status in allowed, f"{line}\n{result.err}"


def test_version_is_that_of_the_package(run: Run):
    """--version prints the name and the version, and nothing else."""
    result = run("--version")

    assert result.out == f"cellwright {metadata.version('cellwright')}\n"
    assert result.status == 0


def test_no_command_shows_the_help(run: Run):
    """Without a command there is nothing to do: help, and status 2."""
    result = run()

    assert result.status == 2
    assert "Usage: cellwright" in result.out + result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shwo", "lstm"], "No such command 'shwo'. Did you mean 'show'?"),
        (["cells", "--jsn"], "--json"),
        (["show"], "Missing argument 'CELL'"),
        (["show", "lstm", "--stage", "grpah"], "'grpah'"),
        (["show", "lsmt"], "did you mean 'lstm'?"),
        (["diff", "lstm", "lsmt"], "did you mean 'lstm'?"),
        (["new", "a.cell", "--from", "lsmt"], "did you mean 'lstm'?"),
        (["show", "none.cell"], "none.cell: cannot be read: No such file"),
        (["train", "serise", "a.csv"], "Did you mean 'series'?"),
        (["train", "series", "none.csv"], "none.csv"),
        (["train", "sunspots", "--cell", "lsmt"], "did you mean 'lstm'?"),
        (["train", "sunspots", "--epochs", "0"], "epochs"),
        (["train", "sunspots", "--epochs", "many"], "Invalid value for '--epochs'"),
        (
            ["train", "sunspots", "--set", "heads"],
            "--set heads: takes NAME=NUMBER\n  fix: --set heads=8",
        ),
        (["train", "sunspots", "--set", "8"], "fix: --set hidden_size=8"),
        (["predict", "none", "-o", "out.csv"], "none: is no run"),
        (["predict", "none"], "Missing option '--out'"),
        (["cache", "--claer"], "--clear"),
    ],
)
def test_bad_use_is_status_2_and_one_message(run: Run, arguments: list[str], said: str):
    """Bad use and bad input say what is wrong, on stderr, and never a traceback."""
    result = run(*arguments)

    assert result.status == 2
    assert result.out == ""
    assert said in result.err
    assert "Traceback" not in result.err


def test_caret_blocks_stay_as_they_are(run: Run, tmp_path):
    """Brackets in a message are no markup, and no line of it is wrapped."""
    text = (
        "input x [input_size]\nstate h [hidden_size]\n"
        "weight W [hidden_size, input_size]\nweight red [red]\noutput h'\n"
        "h' = tahn(W @ x) + sigmoid(W @ x) + sigmoid(W @ x) + [bold]h + relu(W @ x)\n"
    )
    (tmp_path / "a[b].cell").write_text(text, encoding="utf-8")

    result = run("show", "a[b].cell")

    assert result.status == 2
    assert "a[b].cell:4:13: unknown-size" in result.err
    assert "    weight red [red]\n                ^^^\n" in result.err
    assert text.splitlines()[-1].strip() in result.err


def test_fault_of_ours_is_told_as_one(run: Run, tmp_path, monkeypatch):
    """A bug names itself, keeps its traceback in a file, and is neither 1 nor 2."""

    def broken(cell: str):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("cellwright.cli.show.find", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    result = run("show", "lstm")

    assert result.status == 70
    assert "fault of cellwright, not of your input: ZeroDivisionError" in result.err
    assert "Traceback" not in result.err
    (named,) = tmp_path.glob("cellwright-fault-*.txt")
    assert str(named) in result.err
    assert "Traceback" in named.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (CellwrightError("no [such] thing"), 2, "no [such] thing"),
        (OSError(28, "No space left on device", "a.csv"), 2, "a.csv: No space left"),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (KeyboardInterrupt("kept: runs/a"), 130, "kept: runs/a"),
    ],
)
def test_errors_become_messages(run: Run, monkeypatch, error, status: int, said: str):
    """What is refused, what the system refuses and Ctrl-C each end as they should."""

    def failing(cell: str):
        raise error

    monkeypatch.setattr("cellwright.cli.show.find", failing)
    result = run("show", "lstm")

    assert (result.status, result.out) == (status, "")
    assert said in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["cells", "--json"],
        ["show", "rhn", "--json"],
        ["show", "rhn", "--stage", "graph", "--json"],
        ["show", "rhn", "--stage", "latex", "--json"],
        ["show", "rhn", "--cite", "--json"],
        ["cite", "rhn", "--json"],
        ["diff", "gru", "lstm", "--json"],
        ["cache", "--json"],
        ["cache", "--clear", "--json"],
    ],
)
def test_json_is_pure(run: Run, arguments: list[str]):
    """With --json, standard output is JSON and nothing else."""
    result = run(*arguments)

    assert json.loads(result.out)
    assert result.err == ""


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        ("show bad.cell", ["unknown-function", "unknown-size"]),
        ("show bad.cell --stage graph", ["unknown-function", "unknown-size"]),
        ("show none.cell", []),
        ("show lstm --size a=1", []),
        ("diff lstm bad.cell", ["unknown-function", "unknown-size"]),
        ("diff lsmt lstm", []),
        ("train sunspots --cell bad.cell", ["unknown-function", "unknown-size"]),
        ("train sunspots --epochs 0", []),
        ("train series load.csv --column city --inputs y", ["gap", "text"]),
        ("train series none.csv --column y", []),
        ("predict run load.csv -o out.csv", ["gap"]),
        ("predict none -o out.csv", []),
    ],
)
def test_bad_input_is_json_where_json_was_asked(
    run: Run, tmp_path, arguments: str, codes: list[str]
):
    """With --json, what is refused is JSON as well, with every fault of a file."""
    (tmp_path / "bad.cell").write_text(BAD_CELL, encoding="utf-8")
    sound = write_series(tmp_path / "sound.csv")
    if arguments.startswith("predict run"):
        train_module.training.series(sound, "y", out="run", progress=False, **QUICK)
    lines = sound.read_text(encoding="utf-8").splitlines()
    lines[5] = ",1,2"
    rows = [f"{line},Bonn" for line in lines[1:]]
    (tmp_path / "load.csv").write_text("\n".join(["y,a,b,city", *rows]) + "\n")
    plain = run(*arguments.split())
    result = run(*arguments.split(), "--json")
    found = json.loads(result.out)

    assert (plain.status, plain.out) == (2, "")
    assert (result.status, result.err) == (2, plain.err)
    assert found["error"] + "\n" == plain.err
    assert sorted(fault["code"] for fault in found["faults"]) == codes
    for fault in found["faults"]:
        assert fault["file"] in ("bad.cell", "load.csv")
        assert fault["line"] > 0
        assert all(fault[key] for key in ("column", "rule", "found", "fix"))


def test_output_that_is_no_terminal_is_plain(run: Run):
    """In a pipe there are no colours and no terminal codes."""
    for arguments in (["cells"], ["show", "lstm"], ["diff", "gru", "lstm"]):
        assert "\x1b" not in run(*arguments).out


def test_no_color_is_heeded_on_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch):
    """Colours come where a terminal has them, and NO_COLOR turns them off."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[36msigmoid\x1b[0m(W_r @ x" in run("show", "gru").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in run("show", "gru").out


def test_terminal_without_unicode_still_answers(monkeypatch: pytest.MonkeyPatch):
    """What the terminal's encoding lacks is replaced, and nothing fails."""
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))

    assert main(["show", "lstm"]) == 0
    assert b"4HI + 4H? + 4H" in written.getvalue()


def test_a_second_interrupt_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch):
    """Who presses Ctrl-C once more, while the first one is answered, sees no code."""

    class Output(io.StringIO):
        def flush(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdout", Output())
    assert main(["cells"]) == 130


def test_cell_names_complete():
    """A shell is offered the cells that begin as what is typed."""
    assert complete_cell("rh") == ["rhn", "rhn_coupled"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["slope=nan"], "--set slope=nan: takes a finite number"),
        (["slope=-inf"], "--set slope=-inf: takes a finite number"),
        (["heads=" + "9" * 400], "takes a finite number"),
        (["heads=2", "heads=4"], "--set heads=4: heads is given already, as 2"),
    ],
)
def test_numbers_of_options(run: Run, given: list[str], said: str):
    """A number that is not finite, and a name given twice, are refused."""
    options = [word for text in given for word in ("--set", text)]
    result = run("train", "sunspots", *options)

    assert result.status == 2
    assert said in result.err
