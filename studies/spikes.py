"""Run the spiking networks of docs/spikes.md, draw its pictures, count its figures.

``PYTHONPATH=tests python studies/spikes.py`` writes ``spikes.md`` beside it and
``neurons.png``, ``cortex.png``, ``rhythm.png`` and ``plasticity.png`` of
``docs/pictures/``, in some seconds.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from matplotlib.transforms import Transform
from torch import Tensor

import cellwright as cw
import izhikevich_program
from cellwright.bench.machine import machine
from cellwright.networks import IZHIKEVICH_TYPES
from cellwright.train.plots import COLOURS, DOTS_PER_INCH, STYLE
from scan_page import paragraphs

HERE = Path(__file__).parent
PICTURES = HERE.parent / "docs" / "pictures"
RUNS = 32
"""Rows of noise that the rhythm is a mean over."""
VOLLEYS = 60
COMMAND = "PYTHONPATH=tests python studies/spikes.py"
INPUTS = 20


def main() -> None:
    """Draw all pictures and write the page."""
    neurons()
    rows = ["# Spiking networks", "", f"Made by `{COMMAND}`.", ""]
    rows += [*counts(), "", *cortex(), *plasticity()]
    page = "\n".join(rows).rstrip() + "\n"
    (HERE / "spikes.md").write_text(page, encoding="utf-8")
    print(page)


def neurons() -> None:
    """Draw what each type does with the same current."""
    kinds = list(IZHIKEVICH_TYPES)[::-1]
    layers = [cw.networks.izhikevich(kind) for kind in kinds]
    current = torch.full((300, 1, 1), 10.0)
    spikes = torch.cat([layer(current)[0] for layer in layers], -1)
    names = dict.fromkeys(kinds, 1)
    title = "300 ms at a current of 10"
    save(cw.networks.raster(spikes, names, title=title), "neurons")


def counts() -> list[str]:
    """Count the spikes of a second, of neurons that begin 1e-9 mV apart."""
    lines = ["## Spikes of 1,000 ms at a current of 10", ""]
    lines += paragraphs(
        """*One* begins at -65 mV, by the reference in float64. *Mean*, *least* and
        *most* are those of 1,000 neurons on kernels, float64, whose first potentials
        differ by 1e-9 mV."""
    )
    lines += ["| type | one | mean | least | most |", "|---|---:|---:|---:|---:|"]
    drawn = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 1, 1000, generator=drawn, dtype=torch.float64)
    for kind, constants in IZHIKEVICH_TYPES.items():
        many = cw.networks.izhikevich(kind, 1000, backend="c", dtype=torch.float64)
        current = torch.full((1000, 1, 1000), 10.0, dtype=torch.float64)
        v = -65 + 1e-9 * noise
        each = many(current, (v, constants["b"] * v))[0].sum(0)
        lines.append(
            f"| {kind} | {one(kind)} | {each.mean():.1f} | {int(each.min())} | "
            f"{int(each.max())} |"
        )
    return lines


def one(kind: str) -> int:
    """Count the spikes of one neuron, by the reference."""
    layer = cw.networks.izhikevich(kind, backend="reference", dtype=torch.float64)
    spikes, _ = layer(torch.full((1000, 1, 1), 10.0, dtype=torch.float64))
    return int(spikes.sum())


def cortex() -> list[str]:
    """Draw the thousand neurons and their rhythm, and count and time their spikes."""
    generator = torch.Generator().manual_seed(0)
    network = cw.networks.cortex(generator=generator)
    currents = cw.networks.thalamus(1000, generator=generator)
    groups = {"excitatory": 800, "inhibitory": 200}
    with torch.no_grad():
        spikes, _ = network(currents)
        ours, numpys = [], []
        for _ in range(9):  # in turns: what else the machine does hits both
            ours.append(time.perf_counter())
            network(currents)
            ours[-1] -= time.perf_counter()
            numpys.append(time.perf_counter())
            izhikevich_program.network(network, currents[:, 0].numpy())
            numpys[-1] -= time.perf_counter()
        title = "1,000 neurons of the cortex, 1,000 ms"
        save(cw.networks.raster(spikes, groups, title=title), "cortex")
        noise = cw.networks.thalamus(2000, batch=RUNS, generator=generator)
        every, _ = network(noise)
    rhythm(every[1000:])
    each = cw.networks.rates(every[1000:])
    found = machine()
    return [
        "## The network of 2003",
        "",
        *paragraphs(
            f"""Seed 0, float32, {RUNS} rows of noise, their second second: excitatory
            neurons spike {each[:, :800].mean():.2f} times a second in the mean,
            inhibitory ones {each[:, 800:].mean():.2f} times. A second of one row takes
            {-statistics.median(ours):.2f} s without gradients, and
            {-statistics.median(numpys):.2f} s by the paper's program in NumPy, which
            adds up the weights of those neurons alone that spiked (medians of
            {len(ours)}, in turns, {found["processor"]}, {found["threads"]} threads,
            torch {found["torch"]})."""
        ),
    ]


def rhythm(spikes: Tensor) -> None:
    """Draw the power of the population's rate, a mean over rows of noise."""
    found = [cw.networks.spectrum(spikes[:, row]) for row in range(spikes.shape[1])]
    hertz, power = found[0][0], torch.stack([power for _, power in found]).mean(0)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 2.8), dpi=DOTS_PER_INCH, layout="constrained")
        axes = figure.subplots()
        for name, low, high in (("alpha", 8, 13), ("gamma", 30, 80)):
            axes.axvspan(low, high, color="#f4f1ec", linewidth=0)
            axes.text((low + high) / 2, 1.02, name, ha="center", transform=over(axes))
        shown = hertz <= 100
        axes.plot(hertz[shown], power[shown], color=COLOURS[3])
        axes.set_xlabel("frequency (Hz)")
        axes.set_ylabel("power ((spikes/s)²)")
        axes.set_xlim(0, 100)
        axes.set_ylim(bottom=0)
    save(figure, "rhythm")


def plasticity() -> list[str]:
    """Let STDP choose among inputs that spike one after another, and draw it."""
    volley = torch.zeros(100, 1, INPUTS)
    volley[20 + torch.arange(INPUTS), 0, torch.arange(INPUTS)] = 1
    gain = 8.0
    neuron = cw.nn.Recurrent("izhikevich", INPUTS, 1, init={"W": gain / 2, "U": 0})
    rule = cw.networks.STDP(a_plus=0.02, a_minus=0.021)
    weight, traces, state = torch.full((1, INPUTS), 0.5), None, None
    first, weights = [], [weight]
    for _ in range(VOLLEYS):
        with torch.no_grad():
            spikes, state = neuron(volley, state)
            weight, traces = rule(weight, volley[:, 0], spikes[:, 0], traces)
            neuron.get_parameter("W_l0").copy_(gain * weight)
        weights.append(weight)
        first.append(float(cw.networks.first_spikes(spikes).item()) - 20)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 2.8), dpi=DOTS_PER_INCH, layout="constrained")
        left, right = figure.subplots(1, 2)
        for after, colour in zip((0, 5, 20, VOLLEYS), COLOURS[1:], strict=True):
            values = weights[after][0]
            left.plot(values, "o-", markersize=3, color=colour, label=f"{after}")
        left.set_xlabel("when the input spikes (ms)")
        left.set_ylabel("weight")
        left.legend(title="after so many volleys", loc="upper right")
        left.set_ylim(-0.05, 1.3)
        right.plot(range(1, VOLLEYS + 1), first, color=COLOURS[0])
        right.set_xlabel("volley")
        right.set_ylabel("first spike (ms)")
        right.set_ylim(0, INPUTS)
        right.yaxis.set_major_locator(MultipleLocator(5))
    save(figure, "plasticity")
    return [
        "## STDP",
        "",
        *paragraphs(
            f"""A neuron that hears {INPUTS} inputs, 1 ms apart, {VOLLEYS} times: its
            first spike comes {first[0]:.0f} ms after the first input, at last
            {first[-1]:.0f} ms."""
        ),
    ]


def over(axes: Axes) -> Transform:
    """Return coordinates that are data along and shares of the height upwards."""
    return axes.get_xaxis_transform()


def save(figure: Figure, name: str) -> None:
    """Write a picture of the pages."""
    figure.savefig(PICTURES / f"{name}.png", metadata={"Software": None})


if __name__ == "__main__":
    main()
