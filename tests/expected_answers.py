"""What the questions' answers say, worked out from sizes by hand."""

from collections.abc import Callable

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


EXPECTED: dict[str, Callable[[Sizes], list[Lines]]] = {
    "1": lambda s: [
        [
            units(s.H),
            f"values at every step beside these: i {s.H}, f {s.H}, g {s.H}, o {s.H}",
            same(s.T, s.H),
        ]
    ],
    "2": lambda s: [
        [
            f"0 Embedding({s.N}, {s.E})",
            f"takes [batch {s.B}, time {s.T}]",
            f"gives [batch {s.B}, time {s.T}, features {s.E}]",
            (
                f"a token is a whole number from 0 to {s.N - 1}, and becomes row by "
                f"row the "
                f"{s.E} numbers that stand there; nothing is multiplied"
            ),
            f"1 {keras(s.E, s.H)}",
            f"takes [batch {s.B}, time {s.T}, features {s.E}]",
            f"gives [batch {s.B}, time {s.T}, features {s.H}]",
            *states(s.B, s.H),
            sees(s.E, s.H),
        ]
    ],
    "3": lambda s: [
        [
            f"parameters {lstm(s.I, s.H)[1]:,}",
            f"parameters {lstm(s.I, s.H)[0]}",
            units(s.H),
            sees(s.I, s.H),
        ]
    ],
    "4": lambda s: [
        [
            f"0 {keras(s.I, s.H)}",
            f"takes [batch 1, time {s.T}, features {s.I}]",
            f"gives [batch 1, time {s.T}, features {s.H}]",
            *states(1, s.H),
            "1 LastStep()",
            f"takes [batch 1, time {s.T}, features {s.H}]",
            f"gives [batch 1, features {s.H}]",
            f"2 {linear(s.H, s.O)}",
            f"takes [batch 1, features {s.H}]",
            f"gives [batch 1, features {s.O}]",
        ],
        ["Wrote network.svg"],
    ],
    "5": lambda s: [[units(s.H), sees(s.I, s.H)]],
    "6": lambda s: [[sees(s.I, s.H), same(s.T, s.H)], ["Wrote layer.svg"]],
    "7": lambda s: [
        [
            f"parameters {lstm(s.I, s.G, 1)[1] + lstm(s.G, s.H, 1)[1]:,}",
            f"0 {keras(s.I, s.G)}",
            f"takes [batch 1, time {s.T}, features {s.I}]",
            f"gives [batch 1, time {s.T}, features {s.G}]",
            f"parameters {lstm(s.I, s.G, 1)[0]}",
            sees(s.I, s.G),
            f"1 {keras(s.G, s.H)}",
            f"takes [batch 1, time {s.T}, features {s.G}]",
            f"gives [batch 1, time {s.T}, features {s.H}]",
            f"parameters {lstm(s.G, s.H, 1)[0]}",
            sees(s.G, s.H),
        ]
    ],
    "9": lambda s: [
        [
            f"parameters {lstm(s.I, s.H, 1)[1] + dense(s.H, s.O)[1]:,}",
            f"0 {keras(s.I, s.H)}",
            f"parameters {lstm(s.I, s.H, 1)[0]}",
            same(s.T, s.H),
            "1 LastStep()",
            "parameters 0",
            (
                f"of {s.T} steps the last one's {s.H} numbers are handed on, output[:, "
                f"-1], "
                "which has seen all the others"
            ),
            f"2 {linear(s.H, s.O)}",
            f"parameters {dense(s.H, s.O)[0]}",
        ],
        [
            f"parameters {lstm(s.I, s.H)[1]:,}",
            f"parameters {lstm(s.I, s.H)[0]}",
            f"with one bias, as Keras and lstm.cell have: {lstm(s.I, s.H, 1)[0]}",
        ],
    ],
    "10": lambda _: [["Wrote network.svg"]],
    "11": lambda s: [
        [
            f"gives [time {s.T}, batch {s.B}, features {s.H}]",
            *states(s.B, s.H),
            f"h {s.H} h' = o * tanh(c') # hidden state",
            f"c {s.H} c' = f * c + i * g # cell state",
            "results output[t] is h after step t",
            "results h_n[0] is h of layer 0 after the last step",
            "results c_n[0] is c of layer 0 after the last step",
        ],
        [
            "results output[t] is h after step t",
            "results h_n[0] is h of layer 0 after the last step",
        ],
    ],
    "15": lambda s: [directions(s)],
    "24": lambda s: [
        [
            (
                "one map nothing bends between layers 0, 1, 2: together they are one "
                "affine "
                f"map from {s.I} to {s.O} numbers, of rank {min(s.I, s.G, s.H, s.O)} "
                f"at most"
            )
        ]
    ],
    "27": lambda s: [
        [
            (
                f"layer 1, Dense({s.G}, input_dim={s.I}): takes rows of {s.I} numbers; "
                f"found "
                f"rows of {s.G} from what stands before it"
            ),
            f"fix: leave the {s.I} out, or let the layer before it give {s.I}",
        ]
    ],
    "28": lambda s: [
        [
            f"parameters {dense(s.I, s.G)[1] + dense(s.G, s.H)[1] + s.H + 1:,}",
            f"0 {linear(s.I, s.G)}",
            f"gives [batch 1, features {s.G}]",
            f"parameters {dense(s.I, s.G)[0]}",
            "1 ReLU()",
            f"gives [batch 1, features {s.G}]",
            "parameters 0",
            f"2 {linear(s.G, s.H)}",
            f"gives [batch 1, features {s.H}]",
            f"parameters {dense(s.G, s.H)[0]}",
            "3 ReLU()",
            f"gives [batch 1, features {s.H}]",
            "parameters 0",
            f"4 {linear(s.H, 1)}",
            "gives [batch 1, features 1]",
            f"parameters {dense(s.H, 1)[0]}",
        ]
    ],
    "32": lambda s: [
        [
            (
                f"each of its {s.H} units sees all {s.I} numbers of a row, with {s.I} "
                "weights and a bias of its own"
            )
        ]
    ],
    "33": lambda s: [
        [
            f"parameters {s.F * (s.K**2 + 1):,}",
            (
                f"gives [batch {s.B}, channels {s.F}, height {s.S - s.K + 1}, "
                f"width {s.S - s.K + 1}]"
            ),
            (
                f"parameters {s.F} filters × (1×{s.K}×{s.K} weights + 1 bias) = "
                f"{s.F * (s.K**2 + 1):,}"
            ),
            *filters(s.F, s.K),
        ]
    ],
    "34": lambda s: [
        [
            f"parameters {dense(s.I, s.H)[1]:,}",
            f"parameters {dense(s.I, s.H)[0]}",
            (
                f"[rows, {s.I}] times [{s.I}, {s.H}] is [rows, {s.H}]: no unit is left "
                f"out, "
                "and none looks at another of its own layer"
            ),
        ]
    ],
    "35": lambda s: [
        [
            f"parameters {dense(s.I, s.H)[1]:,}",
            f"parameters {dense(s.I, s.H)[0]}",
            (
                f"each of its {s.H} units sees all {s.I} numbers of a row, with {s.I} "
                "weights and a bias of its own"
            ),
        ]
    ],
    "36": lambda s: [filters(s.F, s.K)],
    "39": lambda s: [
        dropped(
            f"each of the {s.C * s.S**2} values is 0 with probability 0.5 by itself, "
            "whatever its neighbours are, and the others are"
        ),
        dropped(
            f"each of the {s.C} channels is 0 as a whole, with all its {s.S**2} "
            f"values, "
            "with probability 0.5, and the others are"
        ),
    ],
    "40": lambda s: [budget(s)],
    "length": lambda s: [
        [
            f"takes [time {s.T}, batch {s.B}, features {s.I}]",
            f"gives [time {s.T}, batch {s.B}, features {s.H}]",
            *states(s.B, s.H),
            units(s.H),
            sees(s.I, s.H),
        ]
    ],
    "stacked": lambda s: [
        [
            (
                f"layer 1 takes all {s.H} outputs of layer 0 at the same step; its own "
                "states begin by themselves, not with those of the layer below"
            )
        ]
    ],
    "batch": lambda s: [
        [
            f"parameters {s.F * (s.C * s.K**2 + 1):,}",
            f"takes [batch {s.B}, channels {s.C}, height {s.S}, width {s.S}]",
            (
                f"gives [batch {s.B}, channels {s.F}, height {s.S - s.K + 1}, "
                f"width {s.S - s.K + 1}]"
            ),
            (
                f"parameters {s.F} filters × ({s.C}×{s.K}×{s.K} weights + 1 bias) = "
                f"{s.F * (s.C * s.K**2 + 1):,}"
            ),
        ]
    ],
}


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
