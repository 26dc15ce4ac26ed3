"""Tests of peers and parity: all are right, and one that is wrong has no figure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from cellwright.bench import kinds, measure, onnx_peer, peers
from cellwright.bench.contender import Contender, multiply_adds, sequence
from cellwright.bench.errors import AbsentError, BenchError
from cellwright.bench.kinds import Setting, row
from cellwright.bench.loops import FORMS
from cellwright.bench.parity import fault
from cellwright.bench.registry import (
    BOTH,
    C_STEP,
    CASES,
    FORWARD,
    JAX,
    LOOP,
    ONNX,
    OUR_LSTM,
    OURS,
    PACKED,
    PADDED,
    STEP,
    TORCH,
    Shape,
    own_case,
)
from cellwright.cells import load

TINY = Shape(2, 6, 3, 16)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn is a call or two."""
    monkeypatch.setattr(measure, "TURN", 0.0)
    monkeypatch.setattr(measure, "LOOKS", 0)


def measured(name: str, what: str, shape: Shape = TINY) -> dict[str, Any]:
    """Measure a row of a case in two turns."""
    return row(Setting(CASES[name], what, shape), 2)


@pytest.mark.parametrize("what", [FORWARD, BOTH])
@pytest.mark.parametrize("name", ["lstm", "gru", "elman"])
def test_layers_of_torch_and_onnx_are_right(name: str, what: str):
    """Each peer computes what our drop-in does, from the same weights."""
    found = measured(name, what)
    peers = {OURS, TORCH, *([ONNX] if what == FORWARD else [])}

    assert (found["error"], found["wrong"]) == (None, {})
    assert found["seconds"].keys() - {JAX, OUR_LSTM} == peers
    assert found["absent"].keys() <= {JAX}
    assert all(len(turns) == 2 for turns in found["seconds"].values())
    assert found["work"][OURS] > 0


@pytest.mark.parametrize("what", [FORWARD, BOTH])
@pytest.mark.parametrize("name", ["peephole_lstm", "slstm", "lstm_norm_joint", "mine"])
def test_loops_are_right(name: str, what: str):
    """Each loop by hand computes what our kernel does, and all gradients."""
    found = measured(name, what)

    assert (found["error"], found["wrong"], found["absent"]) == (None, {}, {})
    assert {OURS, LOOP, OUR_LSTM} <= found["seconds"].keys()


def test_a_wrong_peer_has_no_figure(monkeypatch: pytest.MonkeyPatch):
    """A loop that forgets otherwise is told and not timed; the others are."""

    def wrong(cell: Any, wx: Any, states: Any) -> Any:
        h, c = FORMS["peephole_lstm"].step(cell, wx, states)
        return h, c * 0.9

    form = replace(FORMS["peephole_lstm"], step=wrong)
    monkeypatch.setattr(peers, "FORMS", {**FORMS, "peephole_lstm": form})
    found = measured("peephole_lstm", FORWARD)

    assert found["error"] is None
    assert "output: off by" in found["wrong"][LOOP]
    assert LOOP not in found["seconds"]
    assert {OURS, OUR_LSTM} <= found["seconds"].keys()


def test_gates_in_a_wrong_order_are_seen(monkeypatch: pytest.MonkeyPatch):
    """ONNX's order of the gates is no matter of taste."""
    wrong = {**onnx_peer.ORDER, "lstm": ("LSTM", "ifoc")}
    monkeypatch.setattr(onnx_peer, "ORDER", wrong)
    found = measured("lstm", FORWARD)

    assert ONNX in found["wrong"]
    assert ONNX not in found["seconds"]


def test_a_wrong_gradient_alone_is_seen(monkeypatch: pytest.MonkeyPatch):
    """Forward right and backward wrong is wrong."""

    def twice(cell: Any, wx: Any, states: Any) -> Any:
        h, c = FORMS["peephole_lstm"].step(cell, wx, states)
        return 2 * h - h.detach(), c

    form = replace(FORMS["peephole_lstm"], step=twice)
    monkeypatch.setattr(peers, "FORMS", {**FORMS, "peephole_lstm": form})

    assert measured("peephole_lstm", FORWARD)["wrong"] == {}
    assert LOOP in measured("peephole_lstm", BOTH)["wrong"]


def test_our_own_wrong_result_ends_the_row(monkeypatch: pytest.MonkeyPatch):
    """Nobody is timed beside a result of ours that is wrong."""
    real = peers._ours

    def broken(given: Any) -> list[Contender]:
        (ours,) = real(given)
        return [
            replace(ours, compute=lambda n: {"output": given.ours(n)["output"] + 1})
        ]

    monkeypatch.setattr(peers, "_ours", broken)
    found = measured("lstm", FORWARD)

    assert "output: off by" in found["error"]
    assert found["seconds"] == {}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"output": torch.tensor([float("nan")])}, "off by inf"),
        ({"output": torch.zeros(2)}, "is [2], expected [1]"),
        ({"h": torch.zeros(1)}, "no output"),
        ({"output": torch.zeros(1), "w": torch.zeros(1)}, "none to compare with"),
    ],
)
def test_faults_have_words(values: Any, said: str):
    """What is not equal is told in what way."""
    expected = {"output": torch.zeros(1)}
    contender = Contender(
        "x", lambda: None, compute=lambda _: values, expected=lambda _: expected
    )

    assert said in (fault(contender, 1) or "")


def test_absent_peer_is_told_with_the_reason(monkeypatch: pytest.MonkeyPatch):
    """Without its package a peer is no failure; the row says why it is not there."""

    def absent(*_: object) -> Any:
        raise AbsentError("No module named 'onnx'")

    monkeypatch.setattr(onnx_peer, "contender", absent)
    found = measured("lstm", FORWARD)

    assert found["absent"][ONNX] == "No module named 'onnx'"
    assert found["error"] is None


def test_without_kernels_there_is_nothing_to_measure(monkeypatch: pytest.MonkeyPatch):
    """The reference is never timed as if it were our kernels."""
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(BenchError, match="runs by"):
        measured("peephole_lstm", FORWARD)


def test_own_cell_is_beside_the_reference_and_our_lstm():
    """A file of one's own needs no case of the registry."""
    case = own_case("cifg", "cifg", {})
    found = row(Setting(case, BOTH, TINY), 1)

    assert found["seconds"].keys() == {OURS, "reference", OUR_LSTM}


def test_streams_take_a_step():
    """From NumPy, by torch, and in C: all with the same outputs as the sequence."""
    for name in ("stream_lstm", "stream_gru"):
        found = measured(name, STEP, Shape(1, 1, 16, 16))

        assert (found["error"], found["wrong"], found["absent"]) == (None, {}, {})
        assert found["seconds"].keys() == {OURS, TORCH, C_STEP}
        assert found["seconds"][C_STEP] < found["seconds"][OURS]


def test_lengths_are_right_beside_the_packed_path():
    """Ours and torch's packed path have the same outputs and gradients."""
    found = measured("lengths", BOTH, Shape(3, 8, 4, 16))

    assert (found["error"], found["wrong"]) == (None, {})
    assert found["seconds"].keys() == {OURS, PADDED, PACKED}


def test_multiply_adds_are_those_of_the_products():
    """4 (H I + H H) a step of an LSTM; backward one more with x, two with h."""
    graph, sizes = load("lstm").graph, {"input_size": 3, "hidden_size": 16}
    with_x, with_h = 4 * 16 * 3, 4 * 16 * 16
    shape = Shape(2, 6, 3, 16)

    assert multiply_adds(graph, sizes, FORWARD, shape) == 12 * (with_x + with_h)
    assert multiply_adds(graph, sizes, BOTH, shape) == 12 * (2 * with_x + 3 * with_h)


def test_all_read_the_same(monkeypatch: pytest.MonkeyPatch):
    """What a row reads is drawn from one seed, and is as it is called."""
    one, other = sequence(BOTH, TINY), sequence(BOTH, TINY)

    assert torch.equal(one.x, other.x)
    assert one.x.shape == (TINY.T, TINY.B, TINY.I)
    whole = torch.empty(TINY.T, TINY.B, 7)
    assert torch.equal(one.dy(whole), other.dy(whole))
    assert torch.equal(one.dy(whole[:2]), one.dy(whole)[:2])
    assert one.dy(whole[..., 0]).shape == (TINY.T, TINY.B)
    assert kinds.KINDS.keys() == {"layer", "stream", "lengths"}
