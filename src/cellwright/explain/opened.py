"""`explain`: all that is true of a network, what it did with one input included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from torch import nn

from cellwright.errors import CellwrightValueError
from cellwright.whole_file import write_whole

from .inside import horizon, trace
from .inside.horizons import Horizon
from .inside.trace_errors import TraceError
from .inside.traces import Traces
from .layers.boxes import made_in
from .network import network
from .page.html import html
from .page.payload import Inside
from .summary import Summary
from .watching import in_evaluation


class ExplainError(CellwrightValueError):
    """Labels that do not go with a network's input."""


@dataclass(frozen=True, repr=False)
class Explained(Summary):
    """The facts of a network, and what was inside of it while it ran.

    Args:
        inside: traces, horizon, and what could not be had of them.
    """

    inside: Inside = field(default_factory=Inside)

    def to_json(self) -> dict[str, Any]:
        """Return all facts as plain data; tensors are in `traces` and `horizon`."""
        return Summary(
            **{each.name: getattr(self, each.name) for each in fields(Summary)}
        ).to_json()

    @property
    def traces(self) -> Traces | None:
        """Every gate and state at every step; None where there are none."""
        return self.inside.traces

    @property
    def horizon(self) -> Horizon | None:
        """How far back learning reaches; None where that could not be measured."""
        return self.inside.horizon

    def html(self) -> str:
        """Return one page that shows all of it, and needs nothing else."""
        return html(self, self.inside)

    def save_html(self, path: str | Path) -> None:
        """Write the page to a file, whole or not at all; any browser opens it."""
        write_whole(Path(path), self.html().encode("utf-8"))


def explain(
    module: nn.Module,
    /,
    *args: Any,
    labels: Sequence[str] = (),
    words: str = "",
    **kwargs: Any,
) -> Explained:
    """Open a network: its facts, every gate at every step, how far back it learns.

    The module runs as ``module(*args, **kwargs)`` and is afterwards what it was.

    Args:
        module: any module.
        *args: what it is called with.
        labels: what stands at each step of the first row, words or characters.
        words: what to call the network; its class otherwise.
        **kwargs: likewise to ``args``.

    Raises:
        ExplainError: for labels that no layer has as many steps as.

    Example:
        >>> import torch, cellwright as cw
        >>> found = cw.explain(torch.nn.GRU(2, 3), torch.randn(7, 1, 2))
        >>> found.parameters, tuple(found.traces["GRU"]["z_l0"].shape)
        (63, (7, 1, 3))
        >>> found.html().startswith("<!doctype html>")
        True
    """
    facts = network(module, args, kwargs, words)
    found = look_inside(module, args, kwargs, labels)
    parts = {each.name: getattr(facts, each.name) for each in fields(facts)}
    return Explained(**parts, inside=found)


def look_inside(
    module: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    labels: Sequence[str] = (),
) -> Inside:
    """Return traces and horizon of a run; where there is none it says why.

    Args:
        module: any.
        args: what it is called with.
        kwargs: likewise.
        labels: what stands at each step.
    """
    missing: list[str] = []
    traces: Traces | None = None
    far: Horizon | None = None
    with in_evaluation(module):
        try:
            traces = trace(module, *args, **kwargs)
        except TraceError as error:
            return Inside(missing=(str(error),))
        try:
            far = horizon(module, *args, **kwargs)
        except (TraceError, RuntimeError) as error:
            # A forward that leaves the graph, by `.numpy()` say, runs for traces alone.
            missing.append(f"no gradient reaches the states of this run: {error}")
    words = tuple(map(str, labels))
    steps = {len(each.input) for each in traces.traces}
    if words and len(words) not in steps:
        raise ExplainError(
            f"explain: there is a label for each step; found {len(words)} labels, and "
            f"layers of {', '.join(map(str, sorted(steps)))} steps"
        )
    return Inside(traces, made_in(module), far, words, tuple(missing))
