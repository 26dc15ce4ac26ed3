"""What is measured and what is asked of it, as data: shapes, cases and rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

FORWARD, BOTH = "forward", "forward and backward"
STEP, FIRST_USE = "one step", "first use"
OURS, OUR_LSTM = "cellwright", "our LSTM"
TORCH, LOOP, COMPILED = "torch.nn", "PyTorch loop", "torch.compile"
ONNX, JAX, REFERENCE, SGEMM = "ONNX Runtime", "JAX", "reference", "sgemm"
C_STEP, COLD, CACHED = "C function", "built", "from the cache"
PADDED, PACKED = "padded", "torch, packed"

README_CELL = Path(__file__).parent / "mine.cell"
"""The cell that the README shows."""


class Shape(NamedTuple):
    """Rows, steps, features of the input, units."""

    B: int
    T: int
    I: int  # noqa: E741  # the field's name of the axis
    H: int


BATCHES, STEPS, WIDTHS = (1, 16, 64), 100, (32, 64, 128, 256, 512)
WIDE = tuple(Shape(b, STEPS, h, h) for h in WIDTHS for b in BATCHES)
GRID = (*(s._replace(I=2) for s in WIDE), *WIDE)
LENGTHS = tuple(Shape(16, t, 64, 64) for t in (1, 10, 1000))
"""With the one of the grid: time against the number of steps."""
SOME = tuple(s for s in WIDE if s.H in (32, 128, 512))
OWN = tuple(s for s in WIDE if s.H in (64, 256))
"""For a cell of one's own."""
QUICK = frozenset({16, 32, 64, 128})
"""Units of a quick run; its batches are 1 and 16, and its inputs are as wide."""


@dataclass(frozen=True, slots=True)
class Case:
    """A cell beside its peers, in all of its shapes.

    Args:
        name: what ``--case`` calls it.
        cell: of the library, or a file.
        peers: whom it is measured with; see `peers.PEERS`.
        shapes: where.
        directions: what is timed.
        options: sizes of the cell.
        compared_steps: so many first steps are compared before anything is timed; all
            if None. A layer norm enlarges rounding by up to 316 at each step.
        kind: how it is measured; see `kinds.KINDS`.
    """

    name: str
    cell: str | Path
    peers: tuple[str, ...]
    shapes: tuple[Shape, ...]
    directions: tuple[str, ...] = (FORWARD, BOTH)
    options: Mapping[str, Any] = field(default_factory=dict)
    compared_steps: int | None = None
    kind: str = "layer"


LIMIT = "limit"
"""The case that is measured with all others of layers, for the line in the pictures."""
DROP_IN = (TORCH, ONNX, JAX, SGEMM)
ONE_PRODUCT = (
    "antisymmetric", "cifg", "clockwork", "elman_relu", "janet", "lif",
    "lstm_norm_per_gate", "lstm_norm_stored", "odyssey_nfg", "odyssey_niaf",
    "odyssey_nig", "odyssey_noaf", "odyssey_nog", "odyssey_np", "ugrnn",
)  # fmt: skip
"""Cells with one recurrent product a gate that have no case with other peers."""

CASES: Mapping[str, Case] = {
    case.name: case
    for case in (
        Case(LIMIT, "lstm", (SGEMM,), (Shape(64, STEPS, 256, 256),), (FORWARD,)),
        Case("lstm", "lstm", DROP_IN, GRID + LENGTHS),
        Case("gru", "gru", (*DROP_IN, OUR_LSTM), GRID + LENGTHS),
        Case("elman", "elman", (*DROP_IN, OUR_LSTM), GRID + LENGTHS),
        Case(
            "peephole_lstm",
            "peephole_lstm",
            (LOOP, COMPILED, SGEMM, OUR_LSTM),
            GRID + LENGTHS,
        ),
        Case(
            "slstm", "slstm", (LOOP, OUR_LSTM), GRID, options={"heads": 1},
            compared_steps=5,
        ),
        Case(
            "lstm_norm_joint", "lstm_norm_joint", (LOOP, OUR_LSTM), GRID,
            compared_steps=5,
        ),
        Case("mine", README_CELL, (LOOP, TORCH, OUR_LSTM), OWN),
        *(
            Case(name, name, (OUR_LSTM,), SOME, compared_steps=5)
            for name in ONE_PRODUCT
        ),
        Case(
            "lengths", "lstm", (PADDED, PACKED), (Shape(32, 400, 64, 128),), (BOTH,),
            kind="lengths",
        ),
        *(
            Case(
                f"stream_{cell}", cell, (TORCH, C_STEP),
                tuple(Shape(1, 1, h, h) for h in (16, 32, 64)), (STEP,), kind="stream",
            )
            for cell in ("lstm", "gru")
        ),
        Case(
            "first_use", "peephole_lstm", (), (Shape(2, 4, 8, 8),), (FIRST_USE,),
            kind="first use",
        ),
    )
}  # fmt: skip
"""By name, in the order in which they are measured."""

COMPILED_AT = ((16, 64), (64, 256))
"""B and H: each takes torch.compile minutes, for a loop of 100 steps."""
LIMIT_AT = (64, 256)
"""From so many rows and units on, a row is measured beside sgemm."""


def own_case(
    name: str, cell: str | Path, options: Mapping[str, Any], width: int | None = None
) -> Case:
    """Return the case of somebody's cell: beside the reference and our LSTM.

    Args:
        name: what it is called in tables.
        cell: of the library, or a file.
        options: sizes and constants of the cell.
        width: features of its input, where the cell leaves no choice.
    """
    shapes = OWN if width is None else tuple(s._replace(I=width) for s in OWN)
    peers = (REFERENCE, OUR_LSTM)
    return Case(name, cell, peers, shapes, options=options, compared_steps=5)


def shapes_of(case: Case, quick: bool) -> tuple[Shape, ...]:
    """Return the shapes of a case, the few of a quick run if that is asked for."""
    if not quick or len(case.shapes) == 1:
        return case.shapes
    few = tuple(s for s in case.shapes if BATCHES[-1] > s.B and s.H in QUICK)
    short = tuple(s for s in few if s.T in (1, STEPS))
    return tuple(s for s in short if s.I == s.H) or short


def peers_at(case: Case, what: str, shape: Shape) -> tuple[str, ...]:
    """Return the peers that are measured at a shape."""
    wide = shape.I == shape.H and shape.T == STEPS
    excluded: set[str] = set()
    if what != FORWARD:
        excluded.add(ONNX)
    if not (what == BOTH and wide and (shape.B, shape.H) in COMPILED_AT):
        excluded.add(COMPILED)
    if not (wide and LIMIT_AT[0] <= shape.B and LIMIT_AT[1] <= shape.H):
        excluded.add(SGEMM)
    return tuple(peer for peer in case.peers if peer not in excluded)
