"""Tests of `cellwright.train.citing`: exactly what a run used, and nothing else."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import cellwright as cw
from cellwright import networks
from cellwright.explain.bibliography import FUNCTION_PAPERS, cell_entries, table
from cellwright.nn.recurrent import Recurrent
from cellwright.tasks import Scale, read_series, sunspots
from cellwright.train import AddingSettings, PeriodicSettings, Settings, cite, citing
from cellwright.train.folder import Folder, begin
from cellwright.train.jobs import JOBS
from cellwright.train.recipe import OPTIMISERS, SCHEDULES
from cellwright.train.series_job import SeriesJob
from cellwright.train.task_job import AddingJob
from command_runs import write_series

ALWAYS = {"kingma2015adam", "pascanu2013difficulty", "paszke2019pytorch", "cellwright"}
LSTM = {"gers2000learning"}


def keys(text: str) -> list[str]:
    """Return the keys of a .bib file."""
    return re.findall(r"^@\w+\{(.+),$", text, re.MULTILINE)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run on the adding task that has begun."""
    folder = tmp_path_factory.mktemp("runs") / "adding"
    begin(Folder(folder), AddingJob(AddingSettings(steps=11)), resume=False)
    return folder


def changed(run: Path, to: Path, job: str | None = None, **settings: Any) -> Path:
    """Return the folder of a run that began otherwise; it was never trained."""
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    config["settings"] |= settings
    config["job"] = job or config["job"]
    (to / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return to


def test_run_on_a_task_cites_cell_task_and_training(run: Path):
    """Each reference once, and the entry of cellwright names its version."""
    text = cite(run)
    found = keys(text)

    used = {"hochreiter1997long", "jozefowicz2015empirical"}
    assert set(found) == LSTM | ALWAYS | used
    assert len(found) == len(set(found))
    assert "Version " in text.partition("@misc{cellwright,")[2]
    assert cw.cite(str(run)) == text


@pytest.mark.parametrize(
    ("settings", "gone", "new"),
    [
        (
            {"optimiser": "adamw", "schedule": "warm restarts"},
            {"kingma2015adam"},
            {"loshchilov2019decoupled", "loshchilov2017sgdr"},
        ),
        (
            {"optimiser": "sgd", "momentum": 0.9, "warmup": 3},
            {"kingma2015adam"},
            {"robbins1951stochastic", "polyak1964methods", "goyal2017accurate"},
        ),
        (
            {"optimiser": "rmsprop", "average": 0.99, "forget_bias": None},
            {"kingma2015adam", "jozefowicz2015empirical"},
            {"tieleman2012lecture", "polyak1992acceleration"},
        ),
        (
            {"cell_options": {"chrono": 50, "zoneout": 0.1}, "forget_bias": None},
            {"jozefowicz2015empirical"},
            {"tallec2018can", "krueger2017zoneout"},
        ),
        (
            {"cell_options": {"variational_dropout": 0.1, "weight_dropout": 0.2}},
            set(),
            {"gal2016theoretically", "merity2018regularizing"},
        ),
        ({"cell_options": {"zoneout": 0.0}}, set(), set()),
    ],
)
def test_settings_bring_their_papers(
    run: Path, tmp_path: Path, settings: dict[str, Any], gone: set[str], new: set[str]
):
    """What was chosen is cited, what was not chosen is not."""
    found = set(keys(cite(changed(run, tmp_path, **settings))))

    assert found == set(keys(cite(run))) - gone | new


def test_forget_bias_counts_where_there_is_a_forget_gate(run: Path, tmp_path: Path):
    """An Elman network has none, so nothing was set."""
    link = cw.cells.load("elman").source
    chain = [{"name": link.name, "text": link.text, "label": link.label}]
    found = set(keys(cite(changed(run, tmp_path, cell=chain))))

    assert found == {"elman1990finding", "hochreiter1997long"} | ALWAYS


@pytest.mark.parametrize("shipped", [True, False])
def test_series_cites_the_shipped_data_alone(tmp_path: Path, shipped: bool):
    """Sunspots have a source that we know; a file of one's own has not."""
    settings = Settings.of({"dropout": 0.1})
    series = (
        sunspots() if shipped else read_series(write_series(tmp_path / "y.csv"), "y")
    )
    scale = Scale.of(series, settings.plan.split(len(series)).train)
    begin(Folder(tmp_path / "run"), SeriesJob(settings, series, scale), resume=False)

    source = {"smith2017pmdarima"} if shipped else set()
    expected = LSTM | ALWAYS | {"zaremba2014recurrent"} | source
    assert set(keys(cite(tmp_path / "run"))) == expected


def test_everything_that_a_run_can_use_has_a_row():
    """A new setting, optimiser, schedule, task or argument of a layer must choose."""
    for kind in (Settings, AddingSettings, PeriodicSettings):
        own = {entry.name for entry in fields(kind)}
        assert own <= citing.PLAIN | citing.CHOICES.keys() | citing.AMOUNTS.keys()
    assert not citing.PLAIN & (citing.CHOICES.keys() | citing.AMOUNTS.keys())
    assert citing.CHOICES["optimiser"].keys() == OPTIMISERS.keys()
    assert citing.CHOICES["schedule"].keys() == SCHEDULES.keys()
    assert citing.TASKS.keys() == JOBS.keys()
    given = set(inspect.signature(Recurrent).parameters)
    assert given >= citing.LAYER.keys()
    sizes = {"cell", "input_size", "hidden_size", "num_layers"}
    torch_s = {"bias", "batch_first", "dropout", "bidirectional", "device", "dtype"}
    ours = {"init", "backend", "memory", "sizes_and_constants"}
    assert given <= citing.LAYER.keys() | sizes | torch_s | ours


def test_every_key_is_in_the_table_and_every_entry_is_used():
    """No name of a paper is misspelt, and none is kept that nothing cites."""
    rows = [citing.TASKS, citing.AMOUNTS, citing.LAYER, *citing.CHOICES.values()]
    named = {key for row in rows for papers in row.values() for key in papers}
    named |= {key for _, papers in citing.SHIPPED.values() for key in papers}
    named |= set(FUNCTION_PAPERS.values()) - {""} | {"paszke2019pytorch"}
    euler = Path(networks.__file__).parent / "izhikevich_euler.cell"
    cells = [*map(cw.cells.load, cw.cells.names()), cw.cells.find(euler)]
    named |= {entry.key for cell in cells for entry in cell_entries(cell)}

    assert named == table().keys()


def test_a_folder_called_as_a_cell_hides_no_cell(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A name is a cell's unless a run lies there; a text is no path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elman").mkdir()

    assert keys(cite("elman")) == ["elman1990finding"]
    assert "paszke2019pytorch" in keys(cite(changed(run, Path("elman"))))
    text = "extends elman\n" + "# long\n" * 100 + "h' = tanh(W @ x) + h\n"
    assert keys(cite(text)) == ["elman1990finding"]


def test_several_runs_and_cells_are_one_list(run: Path):
    """BibTeX refuses a reference that stands twice."""
    found = keys(cite("peephole_lstm", run, "lstm"))

    assert found[0] == "gers2000recurrent"
    assert len(found) == len(set(found))
    assert set(found) == set(keys(cite(run))) | set(keys(cite("peephole_lstm")))


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path):
    """The message is that of every command that takes a run."""
    with pytest.raises(cw.train.RunError, match="is no run"):
        cite(tmp_path)
