"""What the answers to questions say, at any sizes."""

from collections.abc import Callable

from answer_parts import (
    Lines,
    Sizes,
    budget,
    counts,
    dense,
    directions,
    dropped,
    every,
    filters,
    keras,
    linear,
    lstm,
    same,
    sees,
    states,
    through,
    units,
)
from measured_answers import (
    begins,
    by_steps,
    ranges,
    rates,
    reaches,
    skip,
    slope,
    spreads,
    through_two,
    twins,
    unit,
)


def tenth(value: float) -> str:
    """Return a number with one digit behind the point, a whole one without."""
    return f"{value:,.0f}" if f"{value:.1f}"[-1] == "0" else f"{value:,.1f}"


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
    "8": lambda s: [
        [
            f"gives [time {s.T}, batch {s.B}, features {s.H}]",
            by_steps("a loop of nn.LSTMCell with the same weights", s.T),
        ],
        [f"gives [batch {s.B}, features {s.H}]", f"gives [batch {s.B}, units {s.H}]"],
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
    "12": lambda s: [
        [
            (
                f"layer 1 takes all {s.H} outputs of layer 0 at the same step; its own "
                "states begin by themselves, not with those of the layer below"
            ),
            begins((2, s.B, s.H), (2, s.B, s.H)),
        ],
        skip(s),
    ],
    "13": lambda s: [
        [
            (
                f"i {s.H} i = sigmoid(W_i @ x + U_i @ h + b_i) # input gate: how much "
                f"of the "
                "candidate to write"
            ),
            f"h {s.H} h' = o * tanh(c') # hidden state",
            f"c {s.H} c' = f * c + i * g # cell state",
            sees(s.I, s.H),
        ]
    ],
    "14": lambda s: [
        [
            f"0 {keras(s.I, s.H)}",
            *states(1, s.H),
            "results output[:, t] is h after step t",
            "results state[0][0] is h of layer 0 after the last step",
            "results state[1][0] is c of layer 0 after the last step",
            begins((1, 1, s.H), (1, 1, s.H)),
        ]
    ],
    "15": lambda s: [directions(s)],
    "16": lambda s: [
        [
            "Wrote gates.html: open it in a browser",
            "layer cell run T B values",
            f"0 lstm replay {s.T} {s.B} i_l0 f_l0 g_l0 o_l0 c'_l0 h'_l0",
        ]
    ],
    "17": lambda s: [reaches(s, 1)],
    "18": lambda s: [reaches(s, s.K), reaches(s, None)],
    "19": lambda s: [
        [
            same(s.T, s.H),
            by_steps(
                "called with one step at a time and the states of the call before", s.T
            ),
        ]
    ],
    "20": lambda s: [
        [
            f"h {s.H} h = sigmoid(W @ x + U @ y + b) # hidden units",
            (
                f"y {s.O} y' = sigmoid(V @ h + d) # output units, seen again at the "
                "next step"
            ),
            (
                f"each unit sees {s.I} numbers of the input at this step, and y of one "
                f"step earlier, all {s.O} numbers of it"
            ),
        ]
    ],
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
    "25": lambda s: [unit(s)],
    "26": lambda s: [
        [
            *counts(s.I, s.H),
            every(s.I, s.H),
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
    "29": lambda s: [through(s.I, s.H, s.O), through(s.I, s.H, s.I)],
    "30": lambda s: [
        [
            f"rule between inputs and outputs: {min(s.I, s.O)} to {max(s.I, s.O)}",
            (
                f"rule two thirds of the inputs, and the outputs: 2/3 × {s.I} + {s.O} "
                f"= {tenth(s.O + 2 * s.I / 3)}"
            ),
            f"rule less than twice the inputs: below 2 × {s.I} = {s.I + s.I}",
            (
                f"rule examples by 2 to 10 times inputs and outputs: {s.N:,} / (10 × "
                f"({s.I} + {s.O})) = {tenth(s.N / (10 * s.I + 10 * s.O))} to "
                f"{s.N:,} / (2 × ({s.I} + {s.O})) = "
                f"{tenth(s.N / (2 * s.I + 2 * s.O))}"
            ),
            f"has {s.H} units in layer 0, lstm",
        ]
    ],
    "31": twins,
    "32": lambda s: [
        [
            every(s.I, s.H),
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
            *counts(s.I, s.H),
            (
                f"[rows, {s.I}] times [{s.I}, {s.H}] is [rows, {s.H}]: no unit is left "
                f"out, "
                "and none looks at another of its own layer"
            ),
        ]
    ],
    "35": lambda s: [
        [
            *counts(s.I, s.H),
            every(s.I, s.H),
        ]
    ],
    "36": lambda s: [filters(s.F, s.K)],
    "37": lambda s: [
        spreads(s, name) for name in ("truncated_normal", "he_normal", "zeros")
    ],
    "38": through_two,
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
    "states": lambda s: [ranges(s)],
    "slope": lambda s: [slope(s)],
    "rate": lambda s: [rates(s)],
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
