import pytest
from matplotlib.figure import Figure

from cellwright.cells import load
from cellwright.language.cell import Cell
from cellwright.language.report import Source
from cellwright.tasks import Series
from cellwright.train import PictureWarning, open_run
from cellwright.train.plots import COLOURS, _place, _time_axis

from .conftest import result_bytes, train_tiny, wave


def labels(times, start, stop, ticks=5):
    """Return the labels of a time axis."""
    axes = Figure().subplots()
    values = wave(stop).values
    _time_axis(axes, Series("s", ("y", "x"), values, tuple(times)), start, stop, ticks)
    return [text.get_text() for text in axes.get_xticklabels()]


def months(count):
    """Return labels of consecutive months from January 1990 on."""
    return [f"{1990 + i // 12}-{i % 12 + 1:02d}" for i in range(count)]


def test_years_where_labels_begin_with_one():
    """Dates are labelled with round years, thinned to a few."""
    assert labels(months(240), 0, 240) == ["1995", "2000", "2005"]
    assert labels(months(36), 0, 36) == ["1991", "1992"]


def test_other_labels_are_shown_as_they_are():
    """Labels that are no dates are shown for a few rows, first and last included."""
    found = labels([f"run {i}" for i in range(50)], 0, 50)
    assert found == ["run 0", "run 12", "run 24", "run 37", "run 49"]


@pytest.mark.parametrize("count", [4, 5])
def test_every_forecaster_keeps_its_colour(count):
    """Without a seasonal naive the autoregressions keep their colours."""
    colours = [_place(i, count)["color"] for i in range(count)]
    assert len(set(colours)) == count
    assert colours[-2:] == list(COLOURS[-2:])
    assert colours[0] == COLOURS[0]


def test_names_are_no_formulas(tmp_path):
    """Columns, labels and cells are drawn as they are written, dollars included."""
    name = "_cost $a_{ $"
    times = tuple(f"$\\frac{{ {i} $" for i in range(143))
    data = Series(name, (name, "x"), wave().values, times)
    cell = Cell((Source("_a $b_{ $", load("gru").text, "<text>"),))
    run = train_tiny(tmp_path, data, cell=cell, epochs=1)
    for picture in ("curves.png", "forecast.png"):
        assert (run.folder / picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["curve_picture", "forecast_picture"])
def test_a_picture_that_fails_costs_no_result(tmp_path, finished, monkeypatch, name):
    """The run is whole without its picture, and resuming it draws the picture."""

    def fail(*_):
        raise ZeroDivisionError("planted")

    with monkeypatch.context() as patched:
        patched.setattr(f"cellwright.train.series_job.{name}", fail)
        with pytest.warns(PictureWarning, match="ZeroDivisionError: planted"):
            run = train_tiny(tmp_path)
    assert open_run(tmp_path) == run
    train_tiny(tmp_path, resume=True)
    assert result_bytes(tmp_path) == result_bytes(finished)
