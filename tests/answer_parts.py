"""Sentences and counts of answers, worked out from sizes by hand."""

from itertools import pairwise

Lines = list[str]


class Sizes:
    """Sizes by letter, and what layers make of them."""

    def __init__(self, **sizes: int):
        self.__dict__.update(sizes)

    def __getattr__(self, name: str) -> int:
        raise AttributeError(f"the question has no size {name}")


def lstm(i: int, h: int, biases: int = 2) -> tuple[str, int]:
    """Return an LSTM's count in words, and the number."""
    total = 4 * (h * i + h * h + biases * h)
    own = " + ".join([f"{h}"] * biases)
    return (
        (
            f"4 gates × ({h}×{i} input weights + {h}×{h} recurrent weights + {own} "
            f"biases)"
            f" = {total:,}"
        ),
        total,
    )


def dense(i: int, h: int) -> tuple[str, int]:
    """Return a linear layer's count in words, and the number."""
    return f"{h}×{i} weights + {h} biases = {h * i + h:,}", h * i + h


def counts(i: int, h: int) -> Lines:
    """Return the two lines on what a linear layer learns."""
    words, total = dense(i, h)
    return [f"parameters {total:,}", f"parameters {words}"]


def every(i: int, h: int) -> str:
    """Return what a unit of a linear layer sees."""
    return (
        f"each of its {h} units sees all {i} numbers of a row, with {i} weights and a "
        "bias of its own"
    )


def sees(i: int, h: int) -> str:
    """Return what a unit sees."""
    return (
        f"each unit sees {i} numbers of the input at this step, and h of one step "
        f"earlier, all {h} numbers of it"
    )


def same(t: int, h: int) -> str:
    """Return that the weights are the same at every step."""
    return (
        f"the same weights at each of {t} steps: units are not steps, and {h} units "
        "take any number of these"
    )


def units(h: int) -> str:
    """Return what the units are."""
    return f"{h} units: h has {h} and c has {h} numbers"


def states(b: int, h: int, layers: int = 1) -> Lines:
    """Return the shapes of the last states."""
    return [f"gives [layers {layers}, batch {b}, units {h}]"] * 2


def keras(i: int, h: int) -> str:
    """Return an LSTM of Keras' words, as it is built."""
    return f"Recurrent('lstm', input_size={i}, hidden_size={h}, batch_first=True)"


def linear(i: int, h: int) -> str:
    """Return a linear layer, as it is built."""
    return f"Linear(in_features={i}, out_features={h}, bias=True)"


def directions(s: Sizes) -> Lines:
    """Return what a bidirectional LSTM of two layers holds, index by index."""
    h = s.H
    rows = f"i 0:{h}, f {h}:{2 * h}, g {2 * h}:{3 * h}, o {3 * h}:{4 * h}"
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    found = [f"gives [batch {s.B}, time {s.T}, features {2 * h}]", *states(s.B, h, 4)]
    found += [f"rows {kind}: {rows}" for kind in kinds]
    found += [
        f"results output[:, t, :{h}] is h of layer 1 after step t, read forwards",
        (
            f"results output[:, t, {h}:] is h of layer 1 read backwards: it has seen "
            f"the "
            "last step down to step t"
        ),
    ]
    for state in "hc":
        for row in range(4):
            way = "read backwards, after step 0" if row % 2 else "after the last step"
            found.append(
                f"results {state}_n[{row}] is {state} of layer {row // 2} {way}"
            )
    batch = "batch_first turns input and output alone: states stay [layers, B, n]"
    return [*found, batch]


def filters(f: int, k: int) -> Lines:
    """Return what a convolution of one channel sees."""
    return [
        (
            f"{f} filters give {f} maps: each filter passes over all places, with the "
            f"same "
            f"{k * k} weights at each of them"
        ),
        (
            f"at one place a filter sees {k}×{k} values of the one channel: {k * k} "
            f"numbers,"
            f" so of {f} filters at most {min(f, k * k)} are independent before the "
            f"next "
            "nonlinearity"
        ),
    ]


def dropped(what: str) -> Lines:
    """Return what dropout of a half does."""
    return [f"in training {what} multiplied by 2", "in evaluation it does nothing"]


def through(*widths: int) -> Lines:
    """Return the shapes of linear layers on top of one another."""
    found: Lines = []
    for place, (i, h) in enumerate(pairwise(widths)):
        found.append(f"{place} {linear(i, h)}")
        found.append(f"takes [batch 1, features {i}]")
        found.append(f"gives [batch 1, features {h}]")
    return found


def budget(s: Sizes) -> Lines:
    """Return a count by layer, and how far it is over."""
    (first, one), (second, two) = lstm(s.I, s.H), dense(s.H, s.O)
    return [
        f"parameters {one + two:,}",
        f"0 LSTM({s.I}, {s.H})",
        f"parameters {first}",
        f"1 {linear(s.H, s.O)}",
        f"parameters {second}",
        (
            f"{one + two:,} parameters, {one + two - s.N:,} over {s.N:,}; most: "
            f"0 LSTM {one:,}, 1 Linear {two:,}"
        ),
    ]
