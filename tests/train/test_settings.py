import pytest

from cellwright.cells import load
from cellwright.cells.library import UnknownCellError
from cellwright.train import Settings, SettingsError


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hiden_size": 3}, "did you mean 'hidden_size'"),
        ({"epochs": 0}, "epochs=0"),
        ({"epochs": 1.5}, "epochs=1.5"),
        ({"batch_size": True}, "batch_size=True"),
        ({"history": -1}, "history=-1"),
        ({"season": 0}, "season=0"),
        ({"seed": -1}, "seed=-1"),
        ({"learning_rate": 0}, "learning_rate=0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"clip": float("inf")}, "clip=inf"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"change": 1}, "change is True or False; found change=1"),
        ({"cell_options": {"a": [1]}}, "cell_options"),
    ],
)
def test_bad_settings(options, words):
    """A setting that cannot be used is refused by name, rule and value."""
    with pytest.raises(SettingsError, match=words):
        Settings.of(options)


def test_unknown_cell():
    """A cell that nobody knows is refused before anything is written."""
    with pytest.raises(UnknownCellError, match="lstm"):
        Settings.of({"cell": "lstn"})


def test_json_holds_the_cells_text(tmp_path):
    """Settings come back from JSON although the cell's file is gone."""
    text = load("gru").text
    path = tmp_path / "mine.cell"
    path.write_text(text)
    before = Settings.of({"cell": path, "seed": 4})
    path.unlink()
    again = Settings.from_json(before.to_json())
    assert again == before
    assert again.cell.text == text
    assert again.model_name == "mine(300)"


def test_changed_cell_does_not_resume(tmp_path):
    """A cell file whose equations changed is another run; one that moved is not."""
    path = tmp_path / "mine.cell"
    path.write_text(load("gru").text)
    saved = Settings.of({"cell": path}).to_json()
    moved = tmp_path / "elsewhere" / "mine.cell"
    moved.parent.mkdir()
    moved.write_text(path.read_text())
    Settings.of({"cell": moved}).require_same(saved, "run")
    moved.write_text(path.read_text().replace("tanh", "sigmoid"))
    with pytest.raises(SettingsError, match="cell: mine"):
        Settings.of({"cell": moved}).require_same(saved, "run")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_cell_options_are_finite(value):
    """A constant that JSON cannot hold is refused by name."""
    with pytest.raises(SettingsError, match=r"cell_options\['slope'\] is finite"):
        Settings.of({"cell_options": {"slope": value}})
