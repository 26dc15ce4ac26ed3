import json
import re
from typing import Any

import pytest

from cellwright.tasks import sunspots
from cellwright.train import Settings
from cellwright.train.calls import SUNSPOTS
from sunspots import HERE, README, SHOWN, TABLE, report, with_table


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """Return the committed study."""
    return json.loads((HERE / "sunspots.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def readme() -> str:
    """Return the README."""
    return README.read_text(encoding="utf-8")


def cells(line: str) -> list[str]:
    """Return the cells of a table's line, without bold."""
    return [cell.strip() for cell in line.replace("**", "").strip("| ").split("|")]


def test_readme_has_the_study_s_errors(found, readme: str):
    """Each figure of the README's table is that of the study, to the digit printed."""
    table = TABLE.search(readme)
    assert table is not None
    heading, _, model, *rivals = map(cells, table[0].splitlines())
    persistence, seasonal, same, best = found["baselines"]
    errors = [row["mse"] for row in found["model"]["seeds"]]
    name = f"{found['cell']}({found['settings']['hidden_size']})"
    span = f"{min(errors):.3f} to {max(errors):.3f}"

    assert heading[0] == f"forecaster, {found['settings']['horizon']} months ahead"
    assert model == [
        f"{name}, mean of {len(errors)} seeds (range)",
        str(found["settings"]["history"]),
        f"{sum(errors) / len(errors):.3f} ({span})",
    ]
    assert [row[1:] for row in rivals] == [
        [str(row["lags"]), f"{row['mse']:.3f}"]
        for row in (same, best, persistence, seasonal)
    ]
    assert [row[0].split(",")[0] for row in rivals] == [
        "linear autoregression",
        "linear autoregression",
        "persistence",
        "seasonal naive",
    ]


def test_readme_s_sentences_have_the_study_s_figures(found, readme: str):
    """Percentage, windows and lags that the README speaks of are the study's."""
    text = re.sub(r"\s+", " ", readme)
    same, best = found["baselines"][-2:]
    below = 1 - found["model"]["mean_mse"] / same["mse"]

    assert f"The LSTM is {below:.0%}".replace("%", " %") in text
    assert f"of {found['test_windows']} windows" in text
    assert f"a linear one that sees {best['lags']}:" in text


def test_readme_names_the_winner(found, readme: str):
    """The lowest error, and no other, stands in bold, whoever has it."""
    table = TABLE.search(readme)
    assert table is not None
    bold = re.findall(r"\*\*([\d.]+)\*\*", table[0])
    errors = [found["model"]["mean_mse"], *(row["mse"] for row in found["baselines"])]

    assert bold == [f"{min(errors):.3f}"]


def test_study_writes_what_the_readme_has(found, readme: str):
    """The study's one command leaves README and page as they are committed."""
    page = (HERE / "sunspots.md").read_text(encoding="utf-8")

    assert with_table(readme, found) == readme
    assert report(found) == page


def test_study_is_of_the_present_job(found):
    """Settings and data of the study are those that the command trains with today."""
    present = Settings.of(SUNSPOTS)

    assert found["settings"] == {name: getattr(present, name) for name in SHOWN}
    assert found["cell"] == present.cell.name
    assert found["data"]["sha256"] == sunspots().sha256


def test_forecaster_is_better_than_a_line_through_the_same_months(found):
    """In the mean of its seeds it is at least 4 % below the AR of the same inputs."""
    same = found["baselines"][-2]

    assert same["lags"] == found["settings"]["history"]
    assert len(found["model"]["seeds"]) == 5
    assert found["model"]["mean_mse"] <= 0.96 * same["mse"]
