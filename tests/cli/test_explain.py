"""`cellwright explain`: the facts, a budget, and what cannot be explained."""

import json

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
