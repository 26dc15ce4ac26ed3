"""What `page.py` says of the limits of the kernels, and of what was tried."""

LIMITS = (
    """A core of this processor, AMD's fifth EPYC generation, does 133 billion
    multiply-adds in a second where it does nothing else, in registers, and 128 in the
    kernels' inner loop alone, from the second cache (by hand). torch's sgemm did 112 on
    both cores together in this run, so that a share of sgemm above 100 % says little.
    Of what the cores can do, an LSTM of 256 or 512 units and 64 rows does 82 % forward,
    and 76 to 80 % forward and backward: what is kept for the way back is then 65 and
    130 megabytes, of which the third cache has 32.""",
    """Below, the peer's time over ours (of medians, where the tables above have the
    median of ratios), and over the time that the products alone take at that rate, with
    gates, states, sums and the call itself for nothing. Geometric means over the grid:
    first with this limit for the two thirds of the rows that have B=16 or 64, while
    those of a single row stay as measured, then for all, and the row in which the peer
    is nearest to it. No gate is free: a function such as sigmoid or tanh takes 1.7
    nanoseconds for 16 numbers on a core, and 40 to 70 microseconds of a training step
    are torch's own, in a function of as many tensors that does nothing (both by hand).
    The column behind adds the forward functions of the cell, and 50 microseconds where
    there are gradients.""",
    """Beside torch.compile the row of 16 rows and 64 units is at 5.7, and the one of
    64 rows and 256 units at 2.6: four is out of reach there, because a step that did
    nothing but multiply and add, at the full rate of both cores, would be at 3.4. The
    mean of both, 3.8, could be four at 0.92 of our time.""",
    """Where the time goes: with one row and 32 units a call takes 18 microseconds
    forward, of which ten are none of its kernel's: the call of torch's own module, the
    three tensors that are made, and whether each weight is the one that it was. Weights
    that every step reads are copied in the order of the tiles at every call, 3 % of it
    at 32 and 64 units, and at 512 they take the room twice in a cache that others
    share. ONNX Runtime copies them once, and for that does not see a weight that
    changes; that row, and those of 16 rows and 128 or 256 units, are the ones in which
    it is nearest to us, at 1.10. From 64 units on two threads share a step of a single
    row, and wait for one another. A layer norm goes four to six times through a row for
    its sums, forward and again backward, where another cell goes through it once;
    antisymmetric and clockwork wait for torch, which computes their weights at every
    call. Forward and backward at one row and 32 units, some 30 of 100 to 140
    microseconds are kernels. So a cell with fewer products than our LSTM can not be as
    fast per multiply-add there: an Elman layer of 32 units, 32 inputs and one row has a
    quarter of them, and takes 18 microseconds beside 27 forward, 69 beside 140 forward
    and backward. By cell, the time for a multiply-add over our LSTM's is above 1.25 for
    antisymmetric and clockwork (1.5 to 1.6), which were measured in nine rows, for
    lstm_norm_joint and lstm_norm_stored (1.26 to 1.29), and for elman_relu forward
    (1.28, backward 1.17). Those of antisymmetric and clockwork were measured anew an
    hour later, with the first row of "What was tried": before it they were at 1.6 to
    1.8.""",
)
HALVES_WORDS = (
    """Some hours earlier, with kernels but for the first seven rows of "What was
    tried", on a processor of AMD's fourth EPYC generation, which takes vectors of 64
    bytes in two halves: a core does 117 billion floating-point operations in a second
    where it
    does nothing but multiply and add in registers, and 116 in the kernels' inner loop
    alone. On both, sgemm did 199 there, and our LSTM of 512 units and 64 rows 212. So a
    peer whose time is in large products is passed by a few per cent only: ONNX
    Runtime's LSTM is at 1.05 with 16 rows and at 1.12 with 64 from 128 units on, the
    loops of 512 units and 64 rows at 1.8 to 2.5. If our products of more than one row
    ran at the rate of sgemm, and functions took the 4 nanoseconds that 16 numbers take
    there, we would be at 1.31 beside ONNX Runtime, 11.3 and 3.1 beside the peephole
    LSTM's loop and torch.compile, 12.6 and 11.7 beside the loops of layer norm and
    sLSTM, and 5.5 beside an Elman layer forward.""",
    """Others shared that machine: for seconds or minutes everything took up to 1.6
    times as long, and what two threads do together up to twice; such rows stand as
    they are.
    Streams alone were measured again, by the same build: of 13 times within seven
    minutes the table has the last, and six missed what is asked of one. Over all, the C
    function of an LSTM of 16, 32 and 64 units took 80 to 112, 249 to 329 and 1,211 to
    1,378 nanoseconds, and the step in Python 3.1 to 5.9, 3.4 to 6.2 and 4.3 to 6.7
    microseconds.""",
)
SMALLER_WORDS = (
    """With what was taken of "What was tried" but for its first 16 rows, which are
    newer, on a processor of AMD's first EPYC generation,
    which takes vectors of 32 bytes in two halves, so that streams and first use take
    two to three times what they do above. ONNX Runtime's LSTM takes 1.15, 1.01 and 1.05
    of our time with 1, 16 and 64 rows; the mean of an hour before, without the new
    tanh, was 1.02. Below 0.97 are the single rows of 32 units (0.83
    and 0.86), where the call in Python is half of the time, and one of 64 (0.96). First
    use was measured after the others, when Python had its bytecode at hand; other cells
    were not measured there.""",
)
TRIED = (
    """Two builds were compared by two processes that take turns, because the speed of a
    shared machine changes by half within a minute; a number is the old time over the
    new one where nothing else is said. float32, 100 steps, I=H, 2 cores of an AMD EPYC,
    2026-11-29 to 12-01; the first seven, by the fastest turns, on the processor of the
    tables, the next nine on the one that does AVX-512 in two halves, the next two on
    one without (x86-64-v3), the next 14 on one with it, the next seven on one
    without, those from there to the layer norms as one pass on one with it, the others
    on one without.""",
)
ATTEMPTS = (
    (
        (
            "a call whose weights torch computes is done again as others are; what is "
            "computed is told to lie in the same form"
        ),
        "B=1, H=32: antisymmetric and clockwork, forward; forward and backward",
        "1.43 and 1.45; 1.35 and 1.50",
        "taken",
    ),
    (
        (
            "outer products read their sides as they lie, where left ones have no more "
            "than 256 entries a row and right ones are one tile; left sides that take "
            "as long are whole pieces of work"
        ),
        (
            "forward and backward, B of 16 and 64, I=2 and I=H: peephole_lstm, H of "
            "32, 64, 128 and 256; gru and slstm, H=64; lstm_norm_joint, H of 64 and 128"
        ),
        (
            "1.03 to 1.09, 1.00 to 1.10, 1.01, and 0.97 to 1.03; 1.05 to 1.10, and "
            "1.03 to 1.07; 1.06 to 1.09, and 0.99 to 1.02; with 512 entries a row 0.95 "
            "for lstm_norm_joint, H=128"
        ),
        "taken",
    ),
    (
        (
            "a single row takes two tiles of weights at a time up to 32 KiB, not 16, "
            "and these too from the last to the first every other step"
        ),
        (
            "B=1, H=64: lstm with 2 and with 64 inputs, gru and slstm, forward; "
            "peephole_lstm, forward and backward"
        ),
        (
            "1.07 and 1.07, 1.35 and 1.04; 1.03; up to 64 KiB 0.98 to 0.99 of that at "
            "H=128, up to 128 KiB 0.95, and 0.76 at H=256"
        ),
        "taken",
    ),
    (
        "what is done row by row is done for two rows in turn, from sum to sum",
        "lstm_norm_joint, forward and backward, B of 16 and 64; B=1",
        "1.05 at H=32, 0.99 to 1.02 from 64 units on; 0.97 and 0.98",
        "not taken",
    ),
    (
        "sums of gradients over eight or four rows stay in registers",
        "peephole_lstm, forward and backward, 8 and 32 rows, H from 64 to 256",
        "0.96 to 1.07: more where all of it is near, less where it comes from memory",
        "not taken",
    ),
    (
        (
            "what the next step back reads is fetched ahead into the second cache; "
            "what the next step writes"
        ),
        (
            "peephole_lstm and lstm_norm_joint, forward and backward, 8 to 64 rows, H "
            "from 32 to 256; peephole_lstm, 8 and 32 rows"
        ),
        "0.97 to 1.13, as much as two processes of one build differ; 0.95 to 1.01",
        "not taken",
    ),
    (
        "the four products of a state's gradient have sums of their own",
        "peephole_lstm, forward and backward, B=1, H from 32 to 256; B of 16 and 64",
        "0.95 to 1.00; 1.02 to 1.03",
        "not taken",
    ),
    (
        (
            "two inputs' products in the step itself, onto the state's sums, where "
            "nothing is laid and nothing done ahead (by hand, in two kernels' text)"
        ),
        "forward, I=2, B of 1, 16 and 64, H from 32 to 256: lstm; elman",
        (
            "1.0 to 1.18, 1.02 to 1.04, and 0.94 to 1.08; 1.07 to 1.14, 1.00 to 1.02, "
            "and 1.02 to 1.07"
        ),
        "not built yet",
    ),
    (
        (
            "threads that share every step pack the weights that they read, and lay a "
            "block's inputs in one phase; where all is one block, weights of the input "
            "are packed tile by tile as they are multiplied"
        ),
        (
            "lstm, B=1, forward: H=128 with 2 and with 128 inputs, I=H=512; forward "
            "and backward, H of 128 and 256"
        ),
        "1.15 and 1.07, 1.08; 1.04 to 1.10, and 1.00 to 1.02",
        "taken",
    ),
    (
        (
            "a forward call that comes within a millisecond of the last one takes a "
            "second thread for every step from 1.5 million multiply-adds on, not from 4"
        ),
        (
            "B=1: lstm, I=2, H of 50, 64, 80 and 96, and I=H; gru, I=2 and I=H=64; "
            "lstm, peephole_lstm and slstm, forward and backward, H=64"
        ),
        (
            "1.01, 1.16, 1.20 and 1.40, and 1.21, 1.32, 1.18 and 1.16; 0.99 and 1.24; "
            "1.03 to 1.08, but 0.8 for some minutes in which the machine was busy"
        ),
        "taken",
    ),
    (
        "the same backward",
        "lstm, peephole_lstm and slstm, backward, B=1, H=64",
        "0.93 to 0.95",
        "not taken",
    ),
    (
        (
            "a thread that was woken onto the core of the one who woke it goes to "
            "another one"
        ),
        (
            "forward, 20 milliseconds after the last call, when that had happened: "
            "lstm, B=16, H=32 (medians), and B=1, H=128 (worst of 40)"
        ),
        "3.9 to 7.8 milliseconds before, 0.8 now; 16 before, 1.1 now",
        "taken",
    ),
    (
        "256 rows between the sums of outer products, not 96",
        (
            "the products alone, two threads: 1,600 rows, 512×128 and 2048×512; 6,400 "
            "rows, 512×128 and 1024×256"
        ),
        "1.06 to 1.10; 512 rows 0.5 to 1.0 of that",
        "taken",
    ),
    (
        "right sides of outer products 256 entries at a time, not 512",
        "the same",
        "0.75 to 0.95",
        "not taken",
    ),
    (
        "left sides of outer products moved eight entries at a time, not six",
        "the same",
        "0.99 to 1.01",
        "not taken",
    ),
    (
        (
            "sigmoid and tanh without a division: an approximate reciprocal, mended "
            "once, which AVX-512 has"
        ),
        "the gates of an LSTM, 16 entries at a time, H of 32, 64 and 128",
        "0.75 to 0.92: they wait for multiply-adds, not for the division",
        "not taken",
    ),
    (
        (
            "tanh is a quotient of polynomials, not made of exp; exp and the "
            "logarithms are best approximations, not their series"
        ),
        (
            "forward: lstm, B=1, H of 32 and 64; B of 16 and 64, H from 32 to 128; gru "
            "and elman, B=16; slstm, B of 1 and 16, H=64; forward and backward: lstm, "
            "peephole_lstm, slstm and lstm_norm_joint, B of 1 and 16, H of 32 and 64"
        ),
        (
            "1.08 and 1.05; 1.04 to 1.13; 1.02 to 1.05; 1.06 and 1.11; 0.99 to 1.06. A "
            "vector of sigmoid takes 0.86 of its time, of tanh 0.75, of exp 0.87, of "
            "log_sigmoid 0.63"
        ),
        "taken",
    ),
    (
        "GCC may order the operations of a kernel before it hands out registers",
        "forward: lstm, gru, elman, slstm, B of 1, 16 and 64, H from 32 to 128",
        "0.84 to 1.00: sums of products leave their registers",
        "not taken",
    ),
    (
        (
            "what a repeated call asks of its tensors, and the pass itself, is C that "
            "Python calls three times; the way back, too, is done again as a whole"
        ),
        (
            "B=1, H=32: lstm with 2 and with 32 inputs and elman, forward; lstm, gru, "
            "peephole_lstm, lstm_norm_joint and elman, forward and backward"
        ),
        "1.28, 1.19 and 1.54; 1.29, 1.29, 1.24, 1.14 and 1.42, with the row below",
        "taken",
    ),
    (
        (
            "outer products with one left side pack it once; right sides of six "
            "entries or fewer are multiplied by vectors of left ones; a thread has one "
            "piece of a result, not two"
        ),
        (
            "the products alone, two threads, 1,600 and 2,048 rows, as in an LSTM of "
            "32 to 512 units: I=H, and I=2; lstm, forward and backward, B of 16 and "
            "64: I=H, and I=2"
        ),
        (
            "1.05 to 1.15, and 1.08 to 1.31; with the row above 1.04 to 1.27, and 1.08 "
            "to 1.14"
        ),
        "taken",
    ),
    (
        (
            "packed weights last from call to call, beside a copy that tells whether a "
            "weight has changed"
        ),
        "forward: lstm, B of 1, 16 and 64, H from 32 to 512; gru and elman, B=1, H=64",
        (
            "0.98 to 1.02: to compare takes as long as to pack; 1.5 at B=1, H=512 for "
            "some minutes in which the machine was busy"
        ),
        "not taken",
    ),
    (
        (
            "threads share the units of every step, not the rows, also where weights "
            "fit into the second cache"
        ),
        "lstm, B=16, H from 64 to 256, forward; forward and backward",
        "0.80 to 1.00; 0.84 and 0.90",
        "not taken",
    ),
    (
        "lines that the next rows write are fetched ahead",
        "lstm and peephole_lstm, forward and backward, B of 16 and 64, H of 32 to 128",
        "0.94 to 1.01",
        "not taken",
    ),
    (
        "512 and 1,024 rows between the sums of outer products, not 2,048",
        "lstm, forward and backward, B of 16 and 64, H from 32 to 256",
        "0.95 to 1.08; 0.98 to 1.01",
        "not taken",
    ),
    (
        (
            "what the backward step can make again elementwise is not kept, however "
            "many operations that takes, of which two are functions at most; one was "
            "the most before"
        ),
        (
            "forward and backward, B of 16 and 64, H from 32 to 128: slstm, which "
            "keeps 8 arrays of 10; lstm_norm_per_gate, 12 of 16; lstm_norm_joint, 12 "
            "of 13; lstm_1997, 5 of 7; lif, 2 of 3; rhn, 10 of 12"
        ),
        (
            "1.01 to 1.05; 1.00 to 1.11; 0.98 to 1.03; 1.05; 1.17; 1.05 at B=16 and "
            "0.98 at B=64, where products read what is made again"
        ),
        "taken",
    ),
    (
        "a call that repeats asks all weights at once where they lie",
        (
            "B=1, H=32: LSTM, lstm and elman, forward; the same and slstm, forward and "
            "backward"
        ),
        "1.04, 1.06 and 1.04; 1.02, 1.04, 1.02 and 1.04",
        "taken",
    ),
    (
        (
            "100 steps of a row in three equal blocks, or in one, in place of 48, 48 "
            "and 4: fewer times through the weights of the input"
        ),
        "lstm, forward, B from 1 to 64, I=H from 64 to 512",
        "0.97 to 1.02 either way",
        "not taken",
    ),
    (
        "arrays that are kept lie five lines of the cache apart, not in one set of it",
        "lstm, peephole_lstm, slstm, rhn and lstm_norm_joint, forward and backward",
        "0.98 to 1.02",
        "not taken",
    ),
    (
        (
            "a single row's sums are set to 0 first, and loops that -O2 leaves alone "
            "are unrolled in the text"
        ),
        (
            "B=1: elman, forward, H of 64 and 128; backward kernels of elman and "
            "peephole_lstm, H=128; the forward kernel of lstm, H=32"
        ),
        (
            "1.5 and 1.7; 2.1 and 1.6; 1.06. So much the one copy of the body, four "
            "rows below, had cost without being seen, and -O2 the last of them"
        ),
        "taken",
    ),
    (
        "a head's block of a matrix is packed as a plain matrix is",
        "slstm in one head, forward and backward",
        (
            "1.04 to 1.10 at B=1, H from 64 to 512, 1.00 at B=16; the packing alone "
            "2.5 to 5 times as fast at H from 64 to 256"
        ),
        "taken",
    ),
    (
        "gates of two rows side by side, so that neither waits for its own",
        "lstm, forward, B of 16 and 64, H from 32 to 128",
        "0.98 to 1.04: they take what their operations do, and not longer",
        "not taken",
    ),
    (
        (
            "weights packed some entries of all gates at a time, or fetched ahead "
            "while they are packed"
        ),
        "lstm and slstm, B=1, T=1, H from 32 to 512",
        "0.8 to 1.0 of the packing alone",
        "not taken",
    ),
    (
        (
            "no tile of more rows than there are registers for is compiled, and one "
            "copy of a body serves the lanes that a single row leaves over"
        ),
        "lstm, gru, elman and slstm, forward and backward, GCC 12, x86-64-v3",
        (
            "building takes 0.9 of the time; running within the noise, but for single "
            "rows of cells with one product, see above"
        ),
        "taken",
    ),
    (
        (
            "two vectors of units by six rows at a time, which reads weights half as "
            "often, in place of four by three"
        ),
        "lstm, gru, elman and peephole_lstm, B of 16 and 64, H from 50 to 512",
        (
            "0.77 to 1.00 forward, 0.95 to 1.11 forward and backward; the inner loop "
            "alone 0.8 to 1.2, so weights do come fast enough"
        ),
        "not taken",
    ),
    (
        "kernels are built with -O2, not with -O3",
        "lstm, gru, lstm_norm_joint and slstm, B from 1 to 64, H from 32 to 128",
        (
            "1.02 forward, 1.03 forward and backward (0.91 to 1.27, as the machine "
            "was); building takes 0.9 of the time; GCC 12; with -O1 0.74 and 0.64"
        ),
        "taken",
    ),
    (
        (
            "what is done row by row is one function: its numbers stay in registers, "
            "sums go along with the loop that makes their terms, one division a norm"
        ),
        "lstm_norm_joint, forward and backward",
        (
            "1.4 to 1.5 at B of 16 and 64, H of 32 and 64; 1.2 at B=1, H=64; 1.06 at "
            "B=64, H=128"
        ),
        "taken",
    ),
    (
        (
            "a training step that repeats asks each weight one question, and makes no "
            "gradients of first states for nobody"
        ),
        "forward and backward, B=1, H=32: lstm, elman",
        "1.09 and 1.08",
        "taken",
    ),
    (
        "a cell whose weights are computed is one pass as any other",
        "clockwork, B=1, H=32",
        "2.0 forward, 1.6 forward and backward",
        "taken",
    ),
    (
        "what the next step back reads is fetched ahead into the second cache",
        (
            "lstm, peephole_lstm and lstm_norm_joint, forward and backward, B of 16 "
            "and 64, H from 32 to 128"
        ),
        "0.88 to 1.03",
        "not taken",
    ),
    (
        "a call that repeats asks each weight one question",
        "forward, B=1, H=32: lstm, gru, elman",
        "1.28, 1.29 and 1.32: 46 microseconds before, 36 now, of an LSTM",
        "taken",
    ),
    (
        (
            "a single row's sums stay in registers, and every other step begins with "
            "the tiles that the last one ended with"
        ),
        "lstm, B=1: forward, and a stream's step in C",
        "1.19 forward at H=64; 1.22, 1.07 and 1.11 in C at 16, 32 and 64 units",
        "taken",
    ),
    (
        "a second thread from 2 million multiply-adds on, not from 8",
        "forward: lstm and gru, B=16, I=2, H=32; lstm, B=1, H=128",
        "1.8, 1.8 and 1.22; 1.0 to 1.7 where the thread sleeps before each call",
        "taken",
    ),
    (
        "the same from one million on",
        "forward: lstm, B=1, H=64; lstm, B=4, H=32; gru, B=2, H=64",
        "0.71 to 1.32, by what ran before",
        "not taken",
    ),
    (
        "products and sums that are taken in one step are said in the text",
        "forward: lstm, gru, elman, slstm, B from 1 to 64",
        "0.97 to 1.03, and the same bits with gradients and without",
        "taken",
    ),
    (
        "weights fetched ahead into the first cache",
        "lstm, B=1, H from 64 to 512, and a stream's step in C",
        "0.84 to 1.00",
        "not taken",
    ),
    (
        "a single row's tiles one at a time also where two fit into the first cache",
        "the same on x86-64-v3",
        "0.85 to 0.96 for gru, 0.93 to 1.03 for elman, 0.97 to 1.06 for lstm",
        "not taken",
    ),
    (
        (
            "what passes keep and work in is one piece; outer products are written "
            "where nothing lies yet, in one call"
        ),
        "lstm, forward and backward",
        "1.11, 1.23 and 1.34 at B=1 and H=32, 128, 256; 1.09 at B=16, H=32",
        "taken",
    ),
    (
        "memory from a megabyte on is used again, in pages of 2 MiB",
        "forward and backward in a process that does nothing else, B=64",
        (
            "1.38 for lstm at H=64, 1.17 for gru at H=256, 1.13 for lstm_norm_joint "
            "at H=512: 2,600 to 34,000 pages less at every step"
        ),
        "taken",
    ),
    (
        "all that is done with whole rows, row by row; layer norms as one pass",
        "lstm_norm_joint, forward and backward",
        "2.04 at B=1, H=128; 1.33 at B=16, H=32; 1.12 at B=64, H=256",
        "taken",
    ),
    (
        "no gradient of an input that asks for none, and outer products in panels",
        "lstm, forward and backward, B=16, 2 threads",
        "1.31 at H=64, 1.42 at H=128",
        "taken",
    ),
    (
        "outer products alone, beside torch's product of the same matrices",
        "6,400 rows, 1024×256 and 2048×512, 1 thread",
        "80 % of its rate before, 95 to 100 % now",
        "taken",
    ),
    (
        "kernels from the cache loaded one after the other, not by three threads",
        "first use in a process, LSTM",
        "50 to 64 ms before, 22 to 40 ms now",
        "taken",
    ),
    (
        "all products of 24 rows first, then all their gates in one loop",
        "lstm, forward, B from 1 to 64, H from 32 to 256",
        "0.98 to 1.08, 1.00 in the middle",
        "not taken",
    ),
    (
        "loads and stores that leave pointers alone, so that they are not read again",
        "lstm, peephole_lstm, slstm, gru, H of 32 and 64",
        "0.96 to 1.03",
        "not taken",
    ),
    (
        "products in blocks of 64 to 256 entries of the operand",
        "the inner loop alone, depths from 64 to 1,024",
        "94 GFLOP/s on one core with and without, where sgemm reaches 91",
        "not taken",
    ),
    (
        "1,024 to 8,192 rows between the sums of outer products, not 2,048",
        "gru and lstm, forward and backward, B=64, H=256",
        "within the noise",
        "not taken",
    ),
)
"""What was tried, on what, what came of it, and whether it is in the kernels now."""
