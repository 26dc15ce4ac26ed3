import csv
import dataclasses

import pytest
import torch

from cellwright.tasks import DataError, following, sunspots
from cellwright.train import InputError, RunError, load, predict, series

from .conftest import TINY, train_tiny, wave


def write(path, data, rows):
    """Write the first rows of a series as CSV, with numbered months."""
    lines = ["month,y,x"]
    for i, (y, x) in enumerate(data.values[:rows].tolist()):
        lines.append(f"{2000 + i // 12}-{i % 12 + 1:02d},{y!r},{x!r}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_next_values_of_a_file(tmp_path, finished):
    """The last rows of a file give the steps that follow it, labelled onward."""
    data = wave()
    path = write(tmp_path / "new.csv", data, 50)
    found = predict(finished, path)
    expected = load(finished)(torch.from_numpy(data.values[46:50])[None])[0]
    assert [row.forecast for row in found.rows] == expected.tolist()
    assert [row.step for row in found.rows] == [1, 2, 3]
    assert [row.time for row in found.rows] == ["2004-03", "2004-04", "2004-05"]
    assert {row.origin for row in found.rows} == {"2004-02"}
    assert {row.actual for row in found.rows} == {None}


def test_every_window(finished):
    """Looking back, each origin has its forecasts beside what came."""
    data = dataclasses.replace(wave(), values=wave().values[:10])
    found = predict(finished, data, every=True)
    assert len(found.rows) == 3 * 7
    assert (found.rows[0].origin, found.rows[0].time) == ("4", "5")
    assert found.rows[0].actual == data.target[4]
    assert [row.actual is None for row in found.rows[-6:]] == [False, *[True] * 5]
    assert found.rows[-3:] == predict(finished, data).rows


def test_own_data(tmp_path):
    """Without a file the run's own data is continued, as long as it is unchanged."""
    path = write(tmp_path / "mine.csv", wave(), 143)
    run = series(path, "y", ["x"], out=tmp_path / "run", progress=False, **TINY)
    assert predict(run.folder) == predict(run.folder, path)
    path.write_text(path.read_text() + "2011-12,1,1\n")
    with pytest.raises(InputError, match="has changed"):
        predict(run.folder)
    assert predict(run.folder, path).rows[0].time == "2012-01"


def test_own_data_without_a_file(finished):
    """A run on a Series made in Python needs to be given data."""
    with pytest.raises(InputError, match="came from no file"):
        predict(finished)


def test_sunspots_are_found_again(tmp_path):
    """A run on the shipped series continues it wherever the package lies."""
    run = train_tiny(tmp_path, sunspots(), epochs=1, batch_size=512)
    found = predict(run.folder)
    assert [row.time for row in found.rows] == list(
        following(["1983-11", "1983-12"], 3)
    )


def test_csv(tmp_path, finished):
    """Forecasts are written with full precision, whole or not at all."""
    found = predict(finished, wave(), every=True)
    path = found.to_csv(tmp_path / "out.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["origin", "step", "time", "y", "actual"]
    assert [float(row["y"]) for row in rows] == [row.forecast for row in found.rows]
    assert (rows[-1]["actual"], len(rows)) == ("", len(found.rows))
    with pytest.raises(RunError, match="cannot be written"):
        found.to_csv(path / "below.csv")


def test_unfit_data(tmp_path, finished):
    """Too few rows and missing columns are told."""
    path = write(tmp_path / "short.csv", wave(), 3)
    with pytest.raises(DataError, match="3 rows; the history is 4"):
        predict(finished, path)
    path.write_text("month,y\n2000-01,1\n")
    with pytest.raises(DataError, match="'x' as an input"):
        predict(finished, path)
    with pytest.raises(InputError, match="found 3 of y, x"):
        predict(finished, dataclasses.replace(wave(), values=wave().values[:3]))
