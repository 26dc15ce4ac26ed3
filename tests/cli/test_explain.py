"""`cellwright explain`: the facts, a budget, and what cannot be explained."""

import json
from pathlib import Path

import pytest

from command_runs import Run


def test_a_budget_is_an_answer(run: Run):
    """Status 1 where there are more, with the layers that cost most."""
    line = "nn.LSTM(100, 400); nn.Linear(400, 10)"
    within = run("explain", line, "--budget", "807210")
    over = run("explain", line, "--budget", "807209")
    assert (within.status, within.err) == (0, "")
    assert over.status == 1
    assert over.err == (
        "807,210 parameters, 1 over 807,209; most: 0 LSTM 803,200, 1 Linear 4,010\n"
    )
    assert over.out == within.out


def test_rules_of_thumb_are_told(run: Run):
    """In the terminal, in JSON, and with an error where there is no answer."""
    line = ("explain", "Dense(5, input_dim=6); Dense(2)", "--examples", "100")
    shown, data = run(*line), run(*line, "--json")
    assert "2/3 × 6 + 2 = 6" in shown.out
    assert "5 units in layer 0" in shown.out
    rules = json.loads(data.out)["rules_of_thumb"]["rules"]
    assert [rule["most"] for rule in rules] == [6, 6, 11, 6]
    assert "has         4 units in lstm" in run("explain", "lstm", *line[2:]).out
    failed = run("explain", "nn.Conv2d(1, 4, 3)", "--examples", "100")
    assert failed.status == 2
    assert "found none at one of its ends" in failed.err


@pytest.mark.parametrize("steps", [5, 20])
def test_json_is_what_the_terminal_shows(run: Run, steps: int):
    """From the same facts."""
    arguments = ("explain", "nn.GRU(2, 3)", "--input", f"{steps},1,2")
    data = json.loads(run(*arguments, "--json").out)
    assert data["layers"][0]["recurrence"]["steps"] == steps
    assert f"{data['multiply_adds']:,}" in run(*arguments).out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Dense(6, input_dim=3); Dense(6, input_dim=3)"], "rows of 3 numbers"),
        (["lsmt"], "did you mean 'lstm'"),
        (["lstm", "--input", "a"], "--input 32,20,1"),
        (["lstm", "--size", "hiden_size=3"], "hiden_size"),
        (["nowhere.py:Net"], "no such file"),
        (["nn.LSTM(3, 4)", "--input", "5,1,7"], "7"),
    ],
)
def test_bad_input_is_told(run: Run, arguments: list[str], words: str):
    """With status 2, no traceback, and the likely fix."""
    result = run("explain", *arguments)
    assert result.status == 2
    assert words in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


def test_a_page_and_a_picture_are_written(run: Run, tmp_path: Path):
    """Both by one call; a second call makes them anew."""
    page, picture = tmp_path / "net.html", tmp_path / "net.svg"
    line = "Embedding(9, 2); LSTM(3); Dense(1)"
    arguments = (line, "--input", "2,5:long", "--html", page, "--svg", picture)
    for _ in range(2):
        result = run("explain", *map(str, arguments))
        assert (result.status, result.err) == (0, "")
        assert result.out.startswith(f"Wrote {page}")
    assert "Embedding(9, 2)" in page.read_text("utf-8")
    assert ">t = 5<" in picture.read_text("utf-8")


def test_files_of_others_are_left_alone(run: Run, tmp_path: Path):
    """A page is no picture, and neither takes the place of something else."""
    mine = tmp_path / "mine.html"
    mine.write_text("<p>mine</p>", encoding="utf-8")
    for option, name, words in [
        ("--html", "mine.html", "is no page that cellwright made"),
        ("--html", "mine.svg", "ends in .html"),
        ("--svg", "mine.html", "ends in .svg"),
        ("--html", "none/mine.html", "mkdir -p"),
    ]:
        result = run("explain", "lstm", option, str(tmp_path / name))
        assert result.status == 2
        assert words in result.err
    assert mine.read_text("utf-8") == "<p>mine</p>"
    assert [each.name for each in tmp_path.iterdir()] == ["mine.html"]


def test_a_page_needs_an_input_and_a_picture_a_state(run: Run, tmp_path: Path):
    """Each says what is missing."""
    page = run("explain", "nn.LSTM(3, 4)", "--html", str(tmp_path / "a.html"))
    picture = run("explain", "nn.Linear(3, 4)", "--svg", str(tmp_path / "a.svg"))
    assert (page.status, picture.status) == (2, 2)
    assert "--input" in page.err
    assert "a chain of layers, or of recurrent ones; found neither" in picture.err


def test_json_stays_json_beside_files(run: Run, tmp_path: Path):
    """The files are written without a word."""
    files = ("--html", str(tmp_path / "a.html"), "--svg", str(tmp_path / "a.svg"))
    result = run("explain", "lstm", *files, "--json")
    assert json.loads(result.out)["parameters"] == 128
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.html", "a.svg"]


def test_dropout_is_off_in_a_page(run: Run, tmp_path: Path):
    """A line of layers is explained as it is in evaluation."""
    page = tmp_path / "a.html"
    line = "nn.LSTM(3, 4, 2, dropout=0.5)"
    result = run("explain", line, "--input", "5,2,3", "--html", str(page))
    assert result.status == 0
    assert "Traces(" in result.out


def test_nothing_is_written_where_one_of_two_is_refused(run: Run, tmp_path: Path):
    """A page of a network that has no picture."""
    files = ("--html", str(tmp_path / "a.html"), "--svg", str(tmp_path / "a.svg"))
    assert run("explain", "nn.Linear(3, 4)", *files).status == 2
    assert list(tmp_path.iterdir()) == []


def test_an_input_that_a_network_does_not_take_is_told(run: Run, tmp_path: Path):
    """It is the network's error, with the shape that it was given."""
    file = tmp_path / "nets.py"
    file.write_text(
        "from torch import nn\n\n\nclass Two(nn.Module):\n"
        "    def forward(self, x, y):\n        return x + y\n"
    )
    for target, words in (
        (f"{file}:Two", "missing 1 required positional argument: 'y'"),
        ("nn.Conv2d(3, 4, 5)", "here [2, 3] of float32; found RuntimeError"),
        ("Embedding(50, 4); LSTM(3)", "fix: --input 2,3:long"),
    ):
        result = run("explain", target, "--input", "2,3")
        assert result.status == 2
        assert words in result.err
        assert "fault of cellwright" not in result.err
