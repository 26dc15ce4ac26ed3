"""Runs on the tasks that are drawn: `cellwright.train.adding` and `periodic`."""

import io
import json
import math
import os
import subprocess
import sys
from functools import partial

import pytest
import torch
from rich.console import Console

import cellwright as cw
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.tasks import Adding, Periodic, TaskError
from cellwright.train import (
    AddingSettings,
    InputError,
    InterruptedRunError,
    Readout,
    RunError,
    SettingsError,
    TensorBoard,
    adding,
    load,
    open_run,
    periodic,
    predict,
    summary,
)

FAST = {"steps": 10, "hidden_size": 5, "epochs": 2, "progress": False}
FORGETFUL = """
input x [input_size]
state h [hidden_size]
weight W [hidden_size, input_size]
bias b [hidden_size]
constant keep = 0
output h'
h' = tanh(W @ x + b) + keep * h
"""
FILES = ("curves.csv", "metrics.json", "model.safetensors", "answers.png")


def content(folder):
    """Return what must not depend on interruptions."""
    return {name: (folder / name).read_bytes() for name in FILES}


def shown(*runs):
    """Return a table as a terminal of 80 columns has it."""
    text = io.StringIO()
    Console(file=text, width=80).print(summary(*runs))
    return text.getvalue()


@pytest.mark.long
def test_adding_passes_the_rule_of_1997(tmp_path):
    """An LSTM learns 30 steps, by the settings that the command has."""
    run = adding(out=tmp_path, steps=30, progress=False)

    assert run.metrics["passed"]
    assert 100_000 < run.metrics["passed_at"] < 400_000
    tested = run.metrics["test"]
    assert tested["sequences"] == 2560
    assert tested["wrong"] < 26
    assert tested["mse"] < run.metrics["memoryless"]["mse"] / 100
    # What was tested is what is loaded, and it is what passed.
    model = load(run.folder)
    assert isinstance(model, Readout)
    drawn = Adding(30).draw(2560, torch.Generator().manual_seed(1997))
    with torch.no_grad():
        errors = (model(drawn.x) - drawn.target).abs()
    assert int((errors >= 0.04).sum()) == tested["wrong"]
    assert f"{run.metrics['passed_at']:,}" in shown(run)


def test_one_unit_learns_to_count(tmp_path):
    """One LSTM unit says 1 0 0 0 and goes on by itself; so do two."""
    runs = periodic([1, 2], out=tmp_path, progress=False)

    for units, run in zip((1, 2), runs, strict=True):
        assert run.folder == tmp_path / str(units)
        assert run.metrics["passed"], units
        assert run.metrics["test"]["accuracy"] == 1.0
        assert run.metrics["alone"] == {"steps": 1000, "right": 1000}
    # 4 · (1 + 1 + 2) in torch's layout of two biases, and weight and bias of the head
    assert runs[0].metrics["parameters"] == 4 * 3 + 2
    text = shown(*runs)
    assert "lstm(1)" in text
    assert "75.0%" in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_who_cannot_count_is_found_out(tmp_path):
    """A cell without memory misses every 1: the score of whoever remembers nothing."""
    (run,) = periodic(
        [2], out=tmp_path, cell=FORGETFUL, epochs=40, progress=False, schedule="linear"
    )

    assert not run.metrics["passed"]
    assert round(run.metrics["test"]["accuracy"], 2) == 0.75
    assert 0.16 < run.metrics["test"]["mse"] < 0.17
    assert run.metrics["alone"]["right"] == 0
    assert "not in" in shown(run)


@pytest.mark.parametrize("variant", ["mean", "1997", "sum"])
def test_interrupted_is_uninterrupted_to_the_bit(tmp_path, variant, stop_after):
    """A run that was stopped goes on to the same files."""
    options = {**FAST, "steps": 12, "variant": variant, "average": 0.9}
    whole = adding(out=tmp_path / "whole", **options)
    stop_after(130)
    with pytest.raises(InterruptedRunError):
        adding(out=tmp_path / "parts", **options)
    parts = adding(out=tmp_path / "parts", resume=True, **options)

    assert content(parts.folder) == content(whole.folder)
    assert whole.metrics["seen"] == 2 * 100 * 64
    assert not whole.metrics["passed"]
    assert "…" not in shown(whole)


def test_pictures_come_again(tmp_path):
    """What is missing of a finished run is drawn from what it wrote."""
    run = adding(out=tmp_path, **FAST)
    before = content(run.folder)
    (tmp_path / "answers.png").unlink()
    adding(out=tmp_path, resume=True, **FAST)

    assert content(run.folder) == before


def test_forget_bias_is_for_cells_that_forget(tmp_path):
    """It is set where a cell has such a gate, and asked of no other."""
    lstm = AddingSettings.of({"forget_bias": 2.5})
    assert lstm.layer_options["forget_bias"] == 2.5
    assert "forget_bias" not in AddingSettings.of({"cell": "gru"}).layer_options
    assert "forget_bias" not in AddingSettings.of({"forget_bias": None}).layer_options
    said = "extends lstm\nbias b_f [hidden_size] = 2\n"
    assert "forget_bias" not in AddingSettings.of({"cell": said}).layer_options
    own = AddingSettings.of({"cell_options": {"forget_bias": 1.0}})
    assert own.layer_options["forget_bias"] == 1.0
    with pytest.raises(SettingsError, match="forget_bias is a number or None"):
        AddingSettings.of({"forget_bias": math.nan})
    assert adding(out=tmp_path, cell="gru", **FAST).metrics["epochs"] == 2


def test_wrong_use(tmp_path):
    """What cannot be is refused before anything is written."""
    with pytest.raises(TaskError, match="variant='product'"):
        adding(out=tmp_path / "a", variant="product")
    with pytest.raises(SettingsError, match="did you mean 'hidden_size'"):
        adding(out=tmp_path / "a", hiden_size=3)
    for wrong in ([], [2, 2]):
        with pytest.raises(SettingsError, match="each number once"):
            periodic(wrong, out=tmp_path / "a")
    with pytest.raises(SettingsError, match="and hidden_size="):
        periodic([1], out=tmp_path / "a", hidden_size=2)
    assert not (tmp_path / "a").exists()

    adding(out=tmp_path / "b", **FAST)
    with pytest.raises(RunError, match="holds a run already"):
        adding(out=tmp_path / "b", **FAST)
    with pytest.raises(SettingsError, match="seed: 0 there, 1 here"):
        adding(out=tmp_path / "b", resume=True, seed=1, **FAST)
    with pytest.raises(InputError, match="a run on a task"):
        predict(tmp_path / "b")
    with pytest.raises(RunError, match="of another kind: adding, not series"):
        cw.train.sunspots(out=tmp_path / "b", resume=True, progress=False)


def test_damaged_runs_are_told(tmp_path):
    """A metrics or a config file that lacks something is named with what it lacks."""
    run = adding(out=tmp_path, **FAST)
    metrics = json.loads((run.folder / "metrics.json").read_text())
    del metrics["test"]
    (run.folder / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(RunError, match="'test'"):
        open_run(tmp_path)
    config = json.loads((run.folder / "config.json").read_text())
    (run.folder / "config.json").write_text(json.dumps({**config, "job": "cooking"}))
    with pytest.raises(RunError, match="kind 'cooking'; this version knows series"):
        load(tmp_path)


def scalars(folder):
    """Return what TensorBoard reads, by name: steps and values."""
    from tensorboard.backend.event_processing.event_accumulator import (  # noqa: PLC0415
        EventAccumulator,
    )

    events = EventAccumulator(str(folder)).Reload()
    return {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def test_tensorboard_shows_the_run_as_if_it_had_not_stopped(tmp_path, stop_after):
    """Every step and epoch is there once; the losses are those of the run."""
    options = {**FAST, "tensorboard": True, "schedule": "linear"}
    stop_after(130)
    with pytest.raises(InterruptedRunError):
        adding(out=tmp_path, **options)
    run = adding(out=tmp_path, resume=True, **options)
    found = scalars(run.folder / "tensorboard")

    assert sorted(found) == ["learning rate", "loss/step", "loss/training"]
    assert [step for step, _ in found["loss/step"]] == list(range(1, 201))
    assert [step for step, _ in found["loss/training"]] == [100, 200]
    bound = TOLERANCES["reference", "float32"].bound
    losses = torch.tensor([value for _, value in found["loss/step"]])
    epochs = torch.tensor([value for _, value in found["loss/training"]])
    assert error(losses.reshape(2, 100).mean(1), epochs) <= bound
    rates = torch.tensor([value for _, value in found["learning rate"]])
    assert error(rates, 2e-3 * torch.linspace(1, 1 / 200, 200)) <= bound


def test_tensorboard_is_an_extra(tmp_path, monkeypatch):
    """Without it the fix is said, and nothing is begun."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)

    with pytest.raises(SettingsError, match=r"pip install 'cellwright\[tensorboard\]'"):
        TensorBoard(tmp_path)
    with pytest.raises(SettingsError, match="TensorBoard is not installed"):
        adding(out=tmp_path / "a", tensorboard=True, **FAST)
    assert not (tmp_path / "a").exists()


def command(folder, processes, *arguments):
    """Run ``cellwright train`` in so many processes."""
    start = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
    ]
    done = subprocess.run(
        [sys.executable, *start, "-m", "cellwright", "train", *arguments, "--quiet"],
        cwd=folder,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.long
def test_commands_run_under_torchrun(tmp_path):
    """Two processes have the curve of one, and say what they did once."""
    bound = TOLERANCES["processes", "float32"].bound
    adds = ["adding", "--steps", "10", "--hidden-size", "4", "--epochs", "1"]
    one = command(tmp_path, 1, *adds, "--out", "one")
    two = command(tmp_path, 2, *adds, "--out", "two", "--tensorboard")
    assert two.count("lstm(4)") == 1
    curves = [
        [
            float(row.split(",")[1])
            for row in (tmp_path / name / "curves.csv").read_text().split()[1:]
        ]
        for name in ("one", "two")
    ]
    assert len(curves[0]) == 1
    assert error(*map(torch.tensor, curves)) <= bound
    steps = scalars(tmp_path / "two" / "tensorboard")["loss/step"]
    assert [step for step, _ in steps] == list(range(1, 101))
    assert "one" in one

    said = command(tmp_path, 2, "periodic", "--units", "1,2", "--epochs", "1")
    assert said.count("lstm(1)") == 1
    assert (tmp_path / "runs/periodic/sizes.png").exists()


def test_known_steps_are_those_behind_the_first_one():
    """Before the first 1 of a sequence that begins anywhere nobody can know."""
    steps = torch.arange(8.0)[:, None, None]

    assert Periodic(4, 8, "any").known(steps).flatten().tolist() == [3, 4, 5, 6, 7]
    assert torch.equal(Periodic(4, 8, "one").known(steps), steps)


def test_a_cells_size_may_have_the_name_of_the_readouts(tmp_path):
    """Jordan's network feeds its output back, whose size the call gives."""
    options = {**FAST, "cell": "jordan", "cell_options": {"output_size": 3}}
    run = adding(out=tmp_path / "a", **options)
    assert run.metrics["parameters"] > 0


@pytest.mark.parametrize(
    ("cell", "says"),
    [("phased_lstm", "reads time too"), ("sru", "input_size = hidden_size")],
)
@pytest.mark.parametrize("command", [adding, partial(periodic, [5])])
def test_a_cell_that_cannot_learn_it_leaves_no_folder(tmp_path, command, cell, says):
    """It is refused before anything is written."""
    with pytest.raises(cw.CellwrightError, match=says):
        command(out=tmp_path / "a", cell=cell, progress=False)
    assert not list(tmp_path.rglob("config.json"))


def test_a_network_that_fails_leaves_no_folder(tmp_path, monkeypatch):
    """What cannot answer one sequence is not trained."""
    monkeypatch.delattr(cw.train.Readout, "forward")
    with pytest.raises(NotImplementedError):
        adding(out=tmp_path / "a", **FAST)
    assert not list(tmp_path.rglob("config.json"))
