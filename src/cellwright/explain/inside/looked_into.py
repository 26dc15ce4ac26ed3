"""From a recorded call to all of its values, each held against what really ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cellwright.nn.call import Read, suffixes
from cellwright.nn.layers import LayersResult, engine
from cellwright.tolerances import TOLERANCES, replay_bound

from .checked import Checked, Run
from .differences import AT_FAULT, Against, likely_fix, refusal, rounding
from .normal import Normal, check_dtypes, normal
from .parting import parting, step_errors
from .recording import Call
from .recurrent_kinds import form_of, runs_by
from .torch_proof import by_torch
from .traces import LayerTrace

Values = Mapping[str, Tensor]


@dataclass(frozen=True)
class Evidence:
    """How far what is shown may be from what ran, and why so far.

    Args:
        bound: how far.
        own: how far it is from itself in float64; 0 where that is not asked.
        proof: how far it is from torch.nn's code in float64, None where none ran.
    """

    bound: float
    own: float = 0.0
    proof: float | None = None


def look_into(call: Call, number: int) -> LayerTrace:
    """Return all values of a call.

    Args:
        call: as it was recorded.
        number: of the call of its layer, from 0.

    Raises:
        TraceError: where it was computed in a dtype that cannot be proved.
        ReplayError: where the values do not lead to what the call really gave.
    """
    check_dtypes(call)
    here, runner = normal(call), runs_by(call.layer, call.request)
    dtype = here.output.dtype
    replayed = runner == "torch"
    if replayed:
        shown, run = _run(call, here.read, "reference", torch.float64)
        evidence = _proved(call, shown, dtype)
    else:
        shown, run = _run(call, here.read, runner, dtype)
        evidence = Evidence(TOLERANCES[runner, _word(dtype)].bound)
    real = _outcome(here, here.output, here.last)
    mine = _outcome(here, shown.output, shown.states)
    for name, value in real.items():
        if parted := parting(mine[name], value, evidence.bound):
            fix = likely_fix(call.layer, evidence.own)
            against = Against("the layer", evidence.bound)
            raise refusal(call.words, name, parted, against, fix)
    distance = _distance(mine, real)
    firsts = dict(zip(_states(here.read), zip(*run.firsts, strict=True), strict=True))
    return LayerTrace(
        layer=call.key,
        kind=type(call.layer).__name__,
        cell=here.read.graph.name,
        call=number,
        backend="replay" if replayed else runner,
        named={n: here.unfolded(value) for n, value in shown.traces.items()},
        input=here.unfolded(here.read.x),
        output=real["output"],
        first={n: _first(here, torch.stack(v)) for n, v in firsts.items()},
        last={n: _last(here, real[f"last {n}"]) for n in firsts},
        lengths=here.lengths,
        real=here.read.extras.keep,
        distance=distance,
        proof=evidence.proof,
        runs=[_unfolded(here, each) for each in run.runs],
    )


def _run(
    call: Call, read: Read, backend: str, exact: torch.dtype
) -> tuple[LayersResult, Checked]:
    """Return all values, each of them checked against its own step in a dtype."""
    bound = TOLERANCES["replay", _word(read.x.dtype)].bound
    against = Against("the step computed by itself", bound)

    def differ(name: str, value: Tensor, again: Tensor) -> None:
        if parted := parting(value, again, bound):
            raise refusal(call.words, name, parted, against, AT_FAULT)

    form = form_of(call.layer)
    names = [s for n in range(len(form.sizes)) for s in suffixes(n, form.bidirectional)]
    checked = Checked(engine(backend, "store"), names, differ, exact)
    return read.run(checked), checked


def _proved(call: Call, shown: LayersResult, dtype: torch.dtype) -> Evidence:
    """Hold the equations against torch.nn's own code, both in float64."""
    exact = normal(call, torch.float64)
    again = exact.read.run("reference") if dtype != torch.float64 else shown
    mine = _outcome(exact, again.output, again.states)
    torchs = _outcome(exact, *by_torch(call, exact))
    bound = TOLERANCES["replay", "float64"].bound
    for name, value in torchs.items():
        if parted := parting(mine[name], value, bound):
            against = Against("torch.nn's code, both in float64", bound)
            rounded = normal(call, torch.float32).read.run("reference")
            own = _distance(_outcome(exact, rounded.output, rounded.states), mine)
            fix = rounding(own, "shorten the sequence") or AT_FAULT
            raise refusal(call.words, name, parted, against, fix)
    own = _distance(_outcome(exact, shown.output, shown.states), mine)
    return Evidence(replay_bound(_word(dtype), own), own, _distance(mine, torchs))


def _outcome(call: Normal, output: Tensor, last: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return the output and the last states by name; of a cell those of all steps."""
    states = zip(_states(call.read), last, strict=True)
    found = {"output": output, **{f"last {name}": value for name, value in states}}
    return {name: call.unfolded(value) for name, value in found.items()}


def _states(read: Read) -> list[str]:
    return [state.name for state in read.graph.states]


def _unfolded(call: Normal, run: Run) -> Run:
    """Return a run with its steps apart; those of a cell were rows of one."""
    inputs, before = (
        {name: call.unfolded(value) for name, value in each.items()}
        for each in (run.inputs, run.before)
    )
    return replace(run, inputs=inputs, before=before)


def _first(call: Normal, value: Tensor) -> Tensor:
    return value if call.steps is None else call.unfolded(value)[:1]


def _last(call: Normal, value: Tensor) -> Tensor:
    return value if call.steps is None else value[-1:]


def _distance(one: Values, other: Values) -> float:
    errors = [step_errors(value, other[name]) for name, value in one.items()]
    return float(torch.cat(errors).max())


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
