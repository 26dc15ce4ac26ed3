import json
import re
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from cellwright.tasks import Series, Split, sunspots
from cellwright.train import Settings, series
from cellwright.train.calls import SUNSPOTS
from sunspots_folds import (
    CANDIDATES,
    HERE,
    RULE,
    SEEDS,
    Candidate,
    Inputs,
    choose,
    folds,
    known,
    measure,
    study,
)
from sunspots_folds_page import report

QUICK = Settings(hidden_size=2, epochs=1, batch_size=512)
PLAIN, PRESENT = CANDIDATES[0], CANDIDATES[7]


def with_other_end(whole: Series) -> Series:
    """Return a series whose last fifth is another one."""
    values = whole.values.copy()
    values[Split.of(len(whole)).test.start :] = np.nan
    return replace(whole, values=values)


def stated(found: dict[str, Any]) -> dict[str, Any]:
    """Return a study as JSON has it, without the seconds it took."""
    plain = json.loads(json.dumps(found))
    for row in plain["candidates"]:
        for one in row["runs"]:
            del one["seconds"]
    return plain


def test_last_fifth_changes_nothing_that_goes_in():
    """Whatever the last fifth holds, every fold gets the very same numbers."""
    whole = sunspots()
    one, other = known(whole), known(with_other_end(whole))
    assert (one.sha256, one.times) == (other.sha256, other.times)
    assert len(one) == Split.of(len(whole)).test.start
    assert one.values.base is None
    for split in folds(len(one)):
        first, second = Inputs.of(one, split), Inputs.of(other, split)
        assert first.scaled.tobytes() == second.scaled.tobytes()
        assert first.scale.mean.tobytes() == second.scale.mean.tobytes()
        assert first.scale.std.tobytes() == second.scale.std.tobytes()
        assert len(first.scaled) == split.test.stop <= len(one)


def test_last_fifth_changes_nothing_that_comes_out(tmp_path):
    """The whole study, with its baselines, is the same for another last fifth."""
    whole = sunspots()
    pair = [PLAIN, PRESENT]
    one = study(known(whole), QUICK, tmp_path / "a", lambda _: None, pair)
    other = known(with_other_end(whole))
    again = study(other, QUICK, tmp_path / "b", lambda _: None, pair)
    assert stated(one) == stated(again)


def test_folds_look_ahead_only():
    """Training grows, stopping and validation follow it, and validations are new."""
    found = folds(2256)
    assert [split.train.stop for split in found] == [846, 1128, 1410, 1692]
    for split in found:
        assert split.train.start == 0
        assert split.middle.start == split.train.stop
        assert split.test.start == split.middle.stop
    tests = [(split.test.start, split.test.stop) for split in found]
    assert tests == [(1128, 1410), (1410, 1692), (1692, 1974), (1974, 2256)]


def test_training_is_that_of_the_job(tmp_path):
    """On the job's own split, the study's training gives the job's very error."""
    whole = known(sunspots())
    settings = PRESENT.settings(replace(QUICK, epochs=2), seed=3)
    own = measure(Inputs.of(whole, Split.of(len(whole))), settings)
    names = [entry.name for entry in fields(Settings)]
    options = {name: getattr(settings, name) for name in names}
    run = series(whole, out=tmp_path / "run", progress=False, **options)
    assert own["mse"] == run.scores[0].mse
    assert own["stopping_mse"] == run.metrics["middle_mse"]


def test_plain_forecaster_says_the_values():
    """Without the change, other numbers come out of the same seed."""
    whole = known(sunspots())
    inputs = Inputs.of(whole, folds(len(whole))[0])
    plain, change = (measure(inputs, replace(QUICK, change=c)) for c in (False, True))
    assert plain["mse"] != change["mse"]


def test_study_goes_on_where_it_stopped(tmp_path):
    """Finished trainings are kept; the missing one alone is made, to the same bits."""
    data, told = known(sunspots()), []
    first = study(data, QUICK, tmp_path, told.append, [PLAIN])
    assert len(told) == 4 * len(SEEDS)
    lost = sorted(tmp_path.iterdir())[3]
    lost.unlink()
    told.clear()
    again = study(data, QUICK, tmp_path, told.append, [PLAIN])
    assert len(told) == 1
    assert stated(again) == stated(first)
    with pytest.raises(SystemExit, match="to begin anew"):
        study(data, replace(QUICK, batch_size=256), tmp_path, told.append, [PLAIN])


def chosen(errors: dict[Candidate, list[float]]) -> tuple[str, list[str]]:
    """Return what the rule chooses for errors by fold, and which tie."""
    rows = [
        {"candidate": one.name, "fold": fold, "mse": mse + shift}
        for one, by_fold in errors.items()
        for fold, mse in enumerate(by_fold, 1)
        for shift in (-0.01, 0.01)
    ]
    found = choose(tuple(errors), rows, 3)
    ties = [row["name"] for row in found["candidates"] if row["ties"]]
    return found["chosen"], ties


def test_rule():
    """The lowest wins; within one standard error the one with fewer additions does."""
    best = [0.3, 0.4, 0.5]
    clearly = [0.31, 0.42, 0.51]
    hardly = [0.25, 0.45, 0.51]
    assert chosen({PLAIN: clearly, PRESENT: best}) == (PRESENT.name, [PRESENT.name])
    assert chosen({PLAIN: hardly, PRESENT: best}) == (
        PLAIN.name,
        [PLAIN.name, PRESENT.name],
    )
    assert chosen({PLAIN: best, PRESENT: hardly})[0] == PLAIN.name
    gentle = CANDIDATES[8]
    assert gentle.additions == PLAIN.additions
    assert chosen({PLAIN: hardly, gentle: best})[0] == gentle.name


def test_candidates_are_all_combinations():
    """Each of the three additions is there alone, in pairs and with both others."""
    assert len({one.name for one in CANDIDATES}) == len(CANDIDATES) == 10
    assert [one.name for one in CANDIDATES[:8]] == [
        "plain",
        "dropout",
        "average",
        "average + dropout",
        "change",
        "change + dropout",
        "change + average",
        "change + average + dropout",
    ]


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    """Return the committed study."""
    return json.loads((HERE / "sunspots-folds.json").read_text(encoding="utf-8"))


def test_committed_study_is_of_these_data_and_this_rule(committed):
    """What is committed was made from the shipped series by the rule in the file."""
    assert committed["rule"] == RULE
    assert committed["known"]["sha256"] == known(sunspots()).sha256
    assert len(committed["candidates"]) == len(CANDIDATES)
    rows = [
        {"candidate": row["name"], **one}
        for row in committed["candidates"]
        for one in row["runs"]
    ]
    again = choose(CANDIDATES, rows, len(committed["folds"]))
    assert again["chosen"] == committed["chosen"]
    page = (HERE / "sunspots-folds.md").read_text(encoding="utf-8")
    assert report(committed) == page


def test_page_of_the_choice_has_the_study_s_figures():
    """Each error of the folds that the page of the choice names is the study's."""
    named, errors = (
        set(re.findall(r"0\.\d{4}", (HERE / page).read_text(encoding="utf-8")))
        for page in ("sunspots-choice.md", "sunspots-folds.md")
    )

    assert len(named) >= 4
    assert named <= errors


def test_job_is_what_the_study_chose(committed):
    """The defaults of the job are those of the chosen forecaster."""
    (row,) = [r for r in committed["candidates"] if r["name"] == committed["chosen"]]
    present = Settings.of(SUNSPOTS)
    for entry in fields(Candidate):
        assert row[entry.name] == getattr(present, entry.name), entry.name
