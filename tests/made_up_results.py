"""Results of a benchmark that nobody measured: rows of the registry, by formulas."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from cellwright.bench.peers import SGEMM_SHAPES
from cellwright.bench.registry import (
    BOTH,
    C_STEP,
    CACHED,
    CASES,
    COLD,
    JAX,
    OUR_LSTM,
    OURS,
    SGEMM,
    Case,
    Shape,
    peers_at,
    shapes_of,
)

FASTER = {
    "torch.nn": 1.5,
    "ONNX Runtime": 0.6,
    "PyTorch loop": 8.0,
    "torch.compile": 3.0,
    "our LSTM": 1.2,
    "reference": 20.0,
    "padded": 1.0,
    "torch, packed": 25.0,
    "C function": 0.05,
}
"""How many times our time each peer takes."""

MACHINE: dict[str, Any] = {
    "processor": "A processor",
    "cores": 2,
    "threads": 2,
    "level": "x86-64-v4",
    "compiler": "cc 12",
    "kernels": "0123456789ab",
    "python": "3.11.7",
    "numpy": "2.4.6",
    "torch": "2.13.0",
    "onnxruntime": "1.32.0",
    "jax": None,
    "OMP_WAIT_POLICY": None,
    "load": [0.1, 0.1, 0.1],
    "date": "2026-01-02T03:04:05+00:00",
    "others": 0.01,
    "anyway": False,
    "turns": 5,
    "quick": False,
    "cases": [],
    "cells": "",
}


def results(cases: Iterable[str] = CASES, *, quick: bool = False) -> dict[str, Any]:
    """Return results of some cases."""
    rows = [
        row(CASES[name], what, shape)
        for name in cases
        for what in CASES[name].directions
        for shape in shapes_of(CASES[name], quick)
    ]
    return {"machine": dict(MACHINE), "rows": rows}


def row(case: Case, what: str, shape: Shape) -> dict[str, Any]:
    """Return a row whose times follow from its multiply-adds."""
    work = shape.B * shape.T * shape.H * (shape.I + shape.H) * (1 + 2 * (what == BOTH))
    ours = 1e-6 + work / 1e10
    peers = case.peers if case.kind != "layer" else peers_at(case, what, shape)
    seconds = {OURS: turns(ours)}
    works = {OURS: work}
    for peer in peers:
        if peer == SGEMM:
            for m, n, k in SGEMM_SHAPES:
                name = f"{SGEMM} {m}x{n}x{k}"
                works[name] = m * n * k
                seconds[name] = turns(m * n * k / (2e10 + k))
        elif peer != JAX:
            seconds[peer] = turns(ours * FASTER[peer] * (1 + 0.1 * math.log(shape.H)))
    if OUR_LSTM in seconds:
        works[OUR_LSTM] = work
    if C_STEP in seconds:
        works[C_STEP] = work
    counts = {}
    if case.kind == "first use":
        seconds, works, counts = (
            {COLD: turns(1.0), CACHED: turns(0.01)},
            {},
            {"rebuilt": 0},
        )
    return {
        "case": case.name,
        "what": what,
        **shape._asdict(),
        "seconds": seconds,
        "work": works,
        "counts": counts,
        "absent": {JAX: "No module named 'jax'"} if JAX in peers else {},
        "wrong": {},
        "error": None,
        "others": 0.01,
    }


def turns(seconds: float) -> list[float]:
    """Return five turns around a time."""
    return [seconds * (1 + share) for share in (0.02, 0.0, -0.01, 0.05, 0.01)]
