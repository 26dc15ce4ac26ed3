import dataclasses
import io

from rich.console import Console

from cellwright.train import SeriesRun, open_run, summary
from cellwright.train.table import fixed


def test_model_beside_baselines(finished):
    """The table fits 80 columns, marks the best and gives each forecaster a row."""
    run = open_run(finished)
    assert isinstance(run, SeriesRun)
    text = io.StringIO()
    Console(file=text, width=80).print(summary(run))
    shown = text.getvalue()
    assert "…" not in shown
    for entry in run.scores:
        assert entry.name in shown
        assert f"{entry.mse:.4f}" in shown
    (best,) = [
        line
        for line in shown.splitlines()
        if line.rstrip().startswith("  ") and " * " in line
    ]
    assert run.metrics["winner"] in best


def test_very_large_errors_stay_in_their_columns(finished):
    """Errors of any size are written in few digits and fit the terminal."""
    run = open_run(finished)
    metrics = dict(run.metrics)
    worst, *others = metrics["baselines"]
    errors = {"mse": 1.23456e76, "rmse": 1.11e38, "mae": 1.15e38}
    by_step = {"mse_by_step": [1.23456e76] * 3}
    name = {"name": "seasonal naive (127)"}
    metrics["baselines"] = [{**worst, **errors, **by_step, **name}, *others]
    text = io.StringIO()
    run = dataclasses.replace(run, metrics=metrics)
    Console(file=text, width=80).print(summary(run))
    shown = text.getvalue()
    assert "1.2e+76" in shown
    assert "1.1e+38" in shown
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_numbers_of_every_size():
    """Decimals as asked for below 10,000, and two digits from there on."""
    sizes = (0.0, 9999.0, 1e4, 1.23456e76, float("inf"))
    assert [fixed(size, 3) for size in sizes] == [
        "0.000",
        "9999.000",
        "1e+04",
        "1.2e+76",
        "inf",
    ]
