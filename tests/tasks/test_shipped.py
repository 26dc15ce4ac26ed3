import hashlib
from importlib import resources

import torch

from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.tasks import Plan, Scale, all_baselines, score, sunspots, targets

SHA256 = "5af2ea985a3ee4c120f5825c9d028a3cff35d4b30d470896e2e7876575723f27"


def test_shipped_file_is_the_recorded_one():
    """The file has the digest that the README beside it records."""
    folder = resources.files("cellwright.tasks") / "data"
    content = (folder / "sunspots.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256
    assert SHA256 in (folder / "README.md").read_text()


def test_values():
    """2,820 months from 1749 to 1983, the first 58.0, 62.6, 70.0."""
    series = sunspots(Plan(20, 20))
    assert len(series) == 2820
    assert series.target[:3].tolist() == [58.0, 62.6, 70.0]
    assert (series.times[0], series.times[-1]) == ("1749-01", "1983-12")
    assert series.sha256 == SHA256


def test_baselines_as_measured():
    """The baselines' errors over all 20 steps stay what the README states."""
    plan = Plan(20, 20)
    series = sunspots(plan)
    split = plan.split(len(series))
    scale = Scale.of(series, split.train)
    scaled = scale.apply(series.values)
    truth = targets(scaled, plan.starts(split.test), 20)
    found = {
        entry.name: score("", entry.forecast, truth, 1.0, 1).mse
        for entry in all_baselines(scaled, split, plan)
    }
    stated = {
        "persistence": 1.137,
        "seasonal naive (127)": 1.295,
        "AR(20)": 0.675,
        "AR(99), best lag": 0.545,
    }
    assert list(found) == list(stated)
    measured = torch.tensor(list(found.values()), dtype=torch.float64)
    expected = torch.tensor(list(stated.values()), dtype=torch.float64)
    bound = TOLERANCES["three decimals", "float64"].bound
    assert error(measured, expected) <= bound
