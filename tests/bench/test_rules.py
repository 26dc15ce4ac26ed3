"""Tests of `cellwright.bench.rules`: what rows answer, missed ones above all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cellwright.bench.registry import BOTH, FORWARD, LOOP, OUR_LSTM, SGEMM, TORCH
from cellwright.bench.report import report
from cellwright.bench.rules import (
    PER_WORK,
    RATIO,
    RULES,
    SHARE,
    TIME,
    WORST,
    Rule,
    answer,
    answers,
    values,
)
from cellwright.bench.text import lines
from made_up_results import results


def row(**seconds: list[float]) -> dict[str, Any]:
    """Return a row of an LSTM of 64 units with given turns."""
    named = {"ours": "cellwright", "torch": TORCH, "lstm": OUR_LSTM, "gemm": "sgemm a"}
    return {
        "case": "lstm",
        "what": FORWARD,
        "B": 1,
        "T": 100,
        "I": 64,
        "H": 64,
        "seconds": {named.get(name, name): turns for name, turns in seconds.items()},
        "work": {"cellwright": 100, OUR_LSTM: 400, "sgemm a": 1000},
        "counts": {},
        "absent": {},
        "wrong": {},
        "error": None,
        "others": 0.0,
    }


MEAN_RULE = Rule("x", ("lstm",), FORWARD, RATIO, "geometric mean", TORCH, 1.0)


def test_a_ratio_is_taken_turn_by_turn():
    """The peer's time over ours in each turn."""
    found = row(ours=[1.0, 2.0, 4.0], torch=[2.0, 2.0, 2.0])

    assert values(found, RATIO, TORCH) == [2.0, 1.0, 0.5]
    assert values(found, RATIO, LOOP) is None
    assert values(found, TIME, TORCH) == [2.0, 2.0, 2.0]


def test_time_per_multiply_add_is_over_our_lstm_s():
    """A quarter of the products in half of the time is twice as dear."""
    assert values(row(ours=[1.0], lstm=[2.0]), PER_WORK, OUR_LSTM) == [2.0]


def test_share_is_of_the_best_sgemm():
    """100 multiply-adds a second beside 1,000 in two seconds, or in four."""
    found = row(ours=[1.0], gemm=[2.0], **{"sgemm b": [4.0]})
    found["work"]["sgemm b"] = 1000

    assert values(found, SHARE, SGEMM) == [0.2]


def test_mean_and_worst_of_rows():
    """Twice as fast and half as fast is 1 in the mean, and missed at the worst."""
    one = row(ours=[1.0] * 3, torch=[2.0] * 3)
    other = {**row(ours=[2.0] * 3, torch=[1.0] * 3), "H": 512}
    mean = answer(MEAN_RULE, [one, other])
    worst = answer(replace(MEAN_RULE, statistic=WORST), [one, other])

    assert mean.value is not None
    assert worst.value is not None
    assert (mean.value.value, mean.met, mean.rows) == (1.0, True, 2)
    assert (worst.value.value, worst.met) == (0.5, False)
    assert worst.at == "lstm B=1 T=100 I=64 H=512"


def test_a_bound_from_above_is_met_from_below():
    """Time per multiply-add is to be small."""
    rule = Rule("x", ("lstm",), FORWARD, PER_WORK, WORST, OUR_LSTM, 1.5)

    assert answer(rule, [row(ours=[1.0], lstm=[3.0])]).met is True
    assert answer(rule, [row(ours=[1.0], lstm=[2.0])]).met is False


def test_a_wrong_result_is_a_rule_missed():
    """A row without figure because a result was wrong, ours or the peer's, counts."""
    good = row(ours=[1.0], torch=[2.0])
    ours = {**row(), "error": "output: off by 1"}
    peer = {**row(ours=[1.0]), "wrong": {TORCH: "output: off by 1"}}
    for bad in (ours, peer):
        found = answer(MEAN_RULE, [good, bad])

        assert (found.met, found.wrong, found.rows) == (False, 1, 1)


def test_without_rows_there_is_no_answer():
    """What was not measured is neither met nor missed."""
    found = answer(MEAN_RULE, [])

    assert (found.value, found.met, found.rows) == (None, None, 0)


def test_without_a_bound_there_is_a_figure():
    """A rule may ask for the figure alone."""
    found = answer(replace(MEAN_RULE, bound=None), [row(ours=[1.0], torch=[2.0])])

    assert found.met is None
    assert found.value is not None


def test_other_numbers_of_steps_do_not_count():
    """The rules are about T=100."""
    found = answer(MEAN_RULE, [{**row(ours=[1.0], torch=[2.0]), "T": 1000}])

    assert found.rows == 0


def test_every_rule_has_an_answer_in_a_whole_run():
    """No line of the report is empty when everything was measured."""
    found = answers(results()["rows"])

    assert [each.rule for each in found] == list(RULES)
    assert all(each.value is not None and each.rows for each in found)


def test_misses_are_printed():
    """ONNX Runtime is faster in these numbers: page and terminal say so."""
    found = results(["lstm"])
    page = report(found)
    shown = "\n".join(lines(found, 80))

    (line,) = [x for x in page.splitlines() if "beside ONNX Runtime, worst" in x]
    assert "**missed**" in line
    assert "≥ 0.97" in line
    assert "missed: LSTM forward beside ONNX Runtime, worst" in shown
    assert "met: LSTM fwd+bwd beside nn.LSTM, geometric mean" in shown


@pytest.mark.parametrize("name", ["error", "wrong"])
def test_wrong_results_are_printed(name: str):
    """Page and terminal say which row has no figure, and why."""
    found = results(["lstm"], quick=True)
    bad = found["rows"][0]
    if name == "error":
        bad.update(error="output: off by 1", seconds={}, work={})
    else:
        bad["wrong"] = {TORCH: "output: off by 1"}
        del bad["seconds"][TORCH]
    shown = " ".join("\n".join(lines(found, 80)).split())

    for text in (report(found), shown):
        assert "wrong: output: off by 1" in text
        assert "lstm, forward, B=1 T=100 I=32 H=32" in text


def test_absent_peers_and_busy_rows_are_printed():
    """Who was not there, and whether others were at work, stand on the page."""
    found = results(["lstm"], quick=True)
    found["rows"][1]["others"] = 0.4
    shown = " ".join("\n".join(lines(found, 80)).split())

    for text in (report(found), shown):
        assert "JAX is absent: No module named 'jax'" in text
        assert (
            " ".join(text.split()).count("others took more than 10% of the cores") == 1
        )


def test_a_run_of_one_case_is_asked_its_own_rules():
    """Nothing is said of cases that nobody measured."""
    found = answers(results(["gru"])["rows"])

    assert found
    assert all("gru" in each.rule.cases for each in found)
    assert {each.rule.what for each in found} == {FORWARD, BOTH}
