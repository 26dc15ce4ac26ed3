import csv
import json

import numpy as np
import pytest
import torch

from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.tasks import Plan
from cellwright.train import SeriesRun, open_run
from cellwright.train.forecasts import predict

from .conftest import wave


def test_metrics_beside_the_baselines(finished):
    """The metrics name the model and all baselines, by step and overall."""
    metrics = json.loads((finished / "metrics.json").read_text())
    names = [metrics["model"]["name"], *(row["name"] for row in metrics["baselines"])]
    assert names[:2] == ["lstm(3) x 2", "persistence"]
    assert names[2].startswith("seasonal naive")
    assert names[3] == "AR(4)"
    assert names[4].endswith("best lag")
    for row in [metrics["model"], *metrics["baselines"]]:
        assert len(row["mse_by_step"]) == 3
    errors = {r["name"]: r["mse"] for r in [metrics["model"], *metrics["baselines"]]}
    assert metrics["winner"] == min(errors, key=lambda name: errors[name])


def test_model_score_is_that_of_its_forecasts(finished):
    """The RMSE in the metrics is that of the raw forecasts of the test windows."""
    data = wave()
    plan = Plan(4, 3)
    first = int(plan.starts(plan.split(len(data)).test)[0])
    last = len(data) - plan.horizon
    rows = predict(finished, data, every=True).rows
    origins = {str(start) for start in range(first, last + 1)}
    errors = [r.forecast - (r.actual or 0.0) for r in rows if r.origin in origins]
    run = open_run(finished)
    assert isinstance(run, SeriesRun)
    score = run.scores[0]
    assert len(errors) == 3 * (last - first + 1)
    found = [np.sqrt(np.mean(np.square(errors))), np.mean(np.abs(errors))]
    expected = torch.tensor([score.rmse, score.mae], dtype=torch.float64)
    bound = TOLERANCES["reference", "float32"].bound
    assert error(torch.tensor(found), expected) <= bound


def test_curves(finished):
    """The curves have one row for each epoch."""
    with (finished / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    best = min(rows, key=lambda row: float(row["middle_mse"]))
    metrics = open_run(finished).metrics
    assert int(best["epoch"]) == metrics["best_epoch"]
    assert float(best["middle_mse"]) == metrics["middle_mse"]


@pytest.mark.parametrize("name", ["curves.png", "forecast.png"])
def test_pictures(finished, name):
    """The pictures are PNG files wide enough to read."""
    content = (finished / name).read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(content[16:20], "big") >= 1000
