"""One step of each recurrent cell in NumPy float64, written from the papers.

Every function takes ``w`` (a mapping of parameter names to arrays), then the
inputs, then the states, all batched (vectors are ``[B, n]``, scalars ``[B]`` or
a float), then constants and sizes by keyword.  It returns ``(output, states)``
with ``states`` a tuple in the order in which the states came in.

Matrices act on column vectors: ``W @ x`` for one sample, hence ``x @ W.T`` for
a batch.  Letters: i, f, o are the input, forget and output gates, g or n the
candidate, z the update gate, r the reset gate, p a peephole; W comes from the
input, U from the hidden state.

These are forward steps only.  Where a paper prescribes a gradient of its own
(LSTM of 1997, spiking neurons) the docstring says which.
"""

import numpy as np

# ----------------------------------------------------------------- small helpers


def _times(matrix, vectors):
    """Apply ``matrix`` to each row of ``vectors``."""
    return np.asarray(vectors, float) @ np.asarray(matrix, float).T


def _sigmoid(a):
    """Return the logistic function, without overflow."""
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0 / (1.0 + e), e / (1.0 + e))


def _log_sigmoid(a):
    """Return the logarithm of the logistic function, without overflow."""
    return np.minimum(a, 0.0) - np.log1p(np.exp(-np.abs(a)))


def _relu(a):
    """Return the positive part."""
    return np.maximum(a, 0.0)


def _identity(a):
    """Return the argument."""
    return a


def _column(a):
    """Turn a scalar per sample (``[B]`` or a float) into something ``[B, 1]``."""
    a = np.asarray(a, float)
    return a[:, None] if a.ndim == 1 else a


def _normalise(a, eps):
    """Take mean and (biased) standard deviation out of each row."""
    mean = a.mean(axis=-1, keepdims=True)
    variance = ((a - mean) ** 2).mean(axis=-1, keepdims=True)
    return (a - mean) / np.sqrt(variance + eps)


def _net(w, gate, x, h):
    """Return the usual pre-activation of a gate, ``W x + U h + b``."""
    return _times(w["W_" + gate], x) + _times(w["U_" + gate], h) + w["b_" + gate]


def _split(a, order):
    """Cut stacked gate rows apart: a dictionary from gate letter to part."""
    return dict(zip(order, np.split(a, len(order), axis=-1), strict=True))


# ------------------------------------------------------------ simple recurrent nets


def antisymmetric(w, x, h, *, eps=1.0, gamma=0.0, eye=None):
    """Step the AntisymmetricRNN of Chang et al., 2019, arXiv:1902.09689.

    Forward Euler with the diffusion term (section 3.2, the equation before the
    gated variant; eq. 9 to 12 depending on the version):
    ``h' = h + eps tanh((U - U^T - gamma I) h + W x + b)``.
    The paper calls U ``W_h`` and W ``V_h``.  The diffusion stands inside the
    tanh, the step size outside.  The paper gives no default (both are chosen
    by grid search); the defaults here are torchrecurrent's.  ``eye`` is the
    identity matrix and is only accepted so that it may be passed.
    """
    identity = np.eye(h.shape[-1]) if eye is None else np.asarray(eye, float)
    a = w["U"] - w["U"].T - gamma * identity
    new = h + eps * np.tanh(_times(a, h) + _times(w["W"], x) + w["b"])
    return new, (new,)


def clockwork(w, x, h, t, *, groups=4, period=None, sees=None):
    """Step the clockwork RNN of Koutnik et al., 2014, arXiv:1402.3511, eq. 1.

    ``y(t) = tanh(W_H y(t-1) + W_I x(t))`` for the units whose period divides
    t; the others keep their value.  A unit sees the units whose period is the
    same or longer ("the connections from module j to module i exist only if
    the period T_i is smaller than T_j", modules are fully connected inside).

    Choices: ``t`` is the index of the step being made and comes back as
    ``t + 1``; with a zero initial state the first step has t = 0, so there
    every unit is updated.  (Figures of the paper count from t = 1: pass an
    initial t of 1 for that.)  Periods 1, 2, 4, ... in ``groups`` groups of
    equal size, fastest first, unless ``period`` (one number per unit) and
    ``sees`` (``sees[i, j]`` is 1 if unit i sees unit j) are given.
    The biases are not in eq. 1 but are in the experiments.
    """
    size = h.shape[-1]
    if period is None:
        period = 2.0 ** (np.arange(size) * groups // size)
    period = np.asarray(period, float)
    if sees is None:
        sees = period[None, :] >= period[:, None]
    u = w["U"] * np.asarray(sees, float)
    fresh = np.tanh(_times(w["W"], x) + _times(u, h) + w["b"])
    due = np.mod(_column(t), period) == 0
    new = np.where(due, fresh, h)
    return new, (new, np.asarray(t, float) + 1.0)


def indrnn(w, x, h, *, act=_relu):
    """Step the IndRNN of Li et al., 2018, arXiv:1803.04831, eq. 2.

    ``h' = relu(W x + u * h + b)``.  The paper uses ReLU; haste and
    torchrecurrent use tanh by default.
    """
    new = act(_times(w["W"], x) + w["u"] * h + w["b"])
    return new, (new,)


def jordan(w, x, y, *, hidden=np.tanh, out=_identity):
    """Step a Jordan network (Jordan, 1986, "Serial order", ICS report 8604).

    ``h = hidden(W x + U y + b)``, ``y' = out(V h + d)``: the hidden layer sees
    the output of the step before.

    Choices: Jordan's state units also have a fixed self-connection
    (``s' = mu s + y``); with y as the only state it must be mu = 0, the form
    of most textbooks.  The squashing functions differ from text to text:
    Jordan's units are logistic, the modern form has tanh and a linear output,
    which is the default here.  Pass ``hidden`` and ``out`` for the others.
    """
    inner = hidden(_times(w["W"], x) + _times(w["U"], y) + w["b"])
    new = out(_times(w["V"], inner) + w["d"])
    return new, (new,)


def ugrnn(w, x, h, *, act=np.tanh):
    """Step the update gate RNN of Collins et al., 2017, arXiv:1611.09913.

    Section 2 (and TensorFlow's UGRNNCell): ``n = act(W_n x + U_n h + b_n)``,
    ``g = sigmoid(W_g x + U_g h + b_g)``, ``h' = g h + (1 - g) n``: here the
    gate keeps the old state.  The paper tries tanh and ReLU for ``act``.
    TensorFlow adds a constant 1 to the gate's bias; the equations do not.
    """
    n = act(_net(w, "n", x, h))
    g = _sigmoid(_net(w, "g", x, h))
    new = g * h + (1.0 - g) * n
    return new, (new,)


# --------------------------------------------------------------------- GRU family


def gru_reset_before(w, x, h):
    """Step the gated recurrent unit of Cho et al., 2014, arXiv:1406.1078v3.

    Eq. 5 to 8: ``r, z = sigmoid(W x + U h + b)``,
    ``n = tanh(W_n x + U_n (r * h) + b_n)``, ``h' = z h + (1 - z) n``.
    The reset gate acts before the product with U_n.  z keeps the old state,
    as in torch.nn.GRU.  The paper has no biases.
    """
    r = _sigmoid(_net(w, "r", x, h))
    z = _sigmoid(_net(w, "z", x, h))
    n = np.tanh(_net(w, "n", x, r * h))
    new = (1.0 - z) * n + z * h
    return new, (new,)


def mgu(w, x, h):
    """Step the minimal gated unit of Zhou et al., 2016, arXiv:1603.09420.

    Table 1(c) / eq. 7 to 9: ``f = sigmoid(W_f [h, x] + b_f)``,
    ``n = tanh(W_n [f * h, x] + b_n)``, ``h' = (1 - f) h + f n``.
    In the paper's convention the forget gate f lets the new value in.
    """
    f = _sigmoid(_net(w, "f", x, h))
    n = np.tanh(_net(w, "n", x, f * h))
    new = (1.0 - f) * h + f * n
    return new, (new,)


def min_gru(w, x, h):
    """Step the minGRU of Feng et al., 2024, arXiv:2410.01201, section 3.1.

    ``z = sigmoid(W_z x + b_z)``, ``n = W_n x + b_n`` (no squashing),
    ``h' = (1 - z) h + z n``.  The paper's convention, opposite to that of
    torch.nn.GRU: z lets the new value in.  The log-space form of the
    appendix (and of lucidrains' code) puts g(a) = a + 0.5 for a >= 0,
    sigmoid(a) otherwise, around the candidate; that is another cell.
    """
    z = _sigmoid(_times(w["W_z"], x) + w["b_z"])
    n = _times(w["W_n"], x) + w["b_n"]
    new = (1.0 - z) * h + z * n
    return new, (new,)


def min_lstm(w, x, h):
    """Step the minLSTM of Feng et al., 2024, arXiv:2410.01201, section 3.2.

    ``f, i = sigmoid(W x + b)``, normalised to ``f' = f / (f + i)`` and
    ``i' = i / (f + i)``; ``n = W_n x + b_n`` (no squashing);
    ``h' = f' h + i' n``.
    """
    f = _sigmoid(_times(w["W_f"], x) + w["b_f"])
    i = _sigmoid(_times(w["W_i"], x) + w["b_i"])
    n = _times(w["W_n"], x) + w["b_n"]
    new = f / (f + i) * h + i / (f + i) * n
    return new, (new,)


# -------------------------------------------------------------------- LSTM family


def janet(w, x, c, *, beta=1.0):
    """Step JANET, van der Westhuizen & Lasenby, 2018, arXiv:1804.04849.

    Eq. 7 (the version with beta): ``s = W_f x + U_f c + b_f``,
    ``g = tanh(W_g x + U_g c + b_g)``,
    ``c' = sigmoid(s) c + (1 - sigmoid(s - beta)) g`` and h = c.
    The paper sets beta to 1.
    """
    s = _net(w, "f", x, c)
    g = np.tanh(_net(w, "g", x, c))
    new = _sigmoid(s) * c + (1.0 - _sigmoid(s - beta)) * g
    return new, (new,)


def _wide_g(a):
    """Return g of the 1997 paper, a logistic function with range (-2, 2)."""
    return 4.0 * _sigmoid(a) - 2.0


def _wide_h(a):
    """Return h of the 1997 paper, a logistic function with range (-1, 1)."""
    return 2.0 * _sigmoid(a) - 1.0


def lstm_1997(w, x, h, c):
    """Step the LSTM of Hochreiter & Schmidhuber, 1997.

    doi:10.1162/neco.1997.9.8.1735, section 4 and appendix A.1, eq. 3 to 9:
    ``i, o = sigmoid(.)``, ``c' = c + i g(.)``, ``h' = o h(c')`` with
    ``g(a) = 4 sigmoid(a) - 2`` and ``h(a) = 2 sigmoid(a) - 1``; no forget gate.
    (2 sigmoid(a) - 1 is tanh(a / 2).)

    The gradient is truncated: errors that reach the net inputs of the gates
    and of the cell (``net_in``, ``net_out``, ``net_c``) change the weights but
    do not go back to h(t-1); so every product U h treats h(t-1) as a constant,
    and the only path through time is ``c' = c + ...``.
    The paper's hidden layer also feeds the gates' own activations and
    conventional hidden units back; the signature has only the cells' outputs.
    """
    i = _sigmoid(_net(w, "i", x, h))
    o = _sigmoid(_net(w, "o", x, h))
    new_c = c + i * _wide_g(_net(w, "g", x, h))
    new_h = o * _wide_h(new_c)
    return new_h, (new_h, new_c)


def lstm_1997_blocks(w, x, h, c, *, block_size=2):
    """Step the LSTM of 1997 with memory blocks, cells sharing their gates.

    doi:10.1162/neco.1997.9.8.1735, section 4 ("memory cell blocks").  One
    input and one output gate per block.  Choice: the cells of a block lie
    next to each other, cell v of block j is unit ``j * block_size + v``.
    Everything else, the truncation too, is as in lstm_1997.
    """
    i = np.repeat(_sigmoid(_net(w, "i", x, h)), block_size, axis=-1)
    o = np.repeat(_sigmoid(_net(w, "o", x, h)), block_size, axis=-1)
    new_c = c + i * _wide_g(_net(w, "g", x, h))
    new_h = o * _wide_h(new_c)
    return new_h, (new_h, new_c)


def peephole_lstm(w, x, h, c):
    """Step the LSTM with peepholes, the "vanilla" LSTM of the Odyssey.

    Gers & Schmidhuber, 2000; Greff et al., 2017, arXiv:1503.04069, section 2:
    input and forget gate see the old cell state, the output gate the new one.
    (The paper's z is the block input, here g; its R is U and its y is h.)
    """
    i = _sigmoid(_net(w, "i", x, h) + w["p_i"] * c)
    f = _sigmoid(_net(w, "f", x, h) + w["p_f"] * c)
    g = np.tanh(_net(w, "g", x, h))
    new_c = g * i + c * f
    o = _sigmoid(_net(w, "o", x, h) + w["p_o"] * new_c)
    new_h = np.tanh(new_c) * o
    return new_h, (new_h, new_c)


def odyssey_nig(w, x, h, c):
    """Step the Odyssey's LSTM without an input gate (NIG), i = 1.

    Greff et al., 2017, arXiv:1503.04069, section 3.
    """
    f = _sigmoid(_net(w, "f", x, h) + w["p_f"] * c)
    g = np.tanh(_net(w, "g", x, h))
    new_c = g + c * f
    o = _sigmoid(_net(w, "o", x, h) + w["p_o"] * new_c)
    new_h = np.tanh(new_c) * o
    return new_h, (new_h, new_c)


def odyssey_nfg(w, x, h, c):
    """Step the Odyssey's LSTM without a forget gate (NFG), f = 1.

    Greff et al., 2017, arXiv:1503.04069, section 3.
    """
    i = _sigmoid(_net(w, "i", x, h) + w["p_i"] * c)
    g = np.tanh(_net(w, "g", x, h))
    new_c = g * i + c
    o = _sigmoid(_net(w, "o", x, h) + w["p_o"] * new_c)
    new_h = np.tanh(new_c) * o
    return new_h, (new_h, new_c)


def odyssey_nog(w, x, h, c):
    """Step the Odyssey's LSTM without an output gate (NOG), o = 1.

    Greff et al., 2017, arXiv:1503.04069, section 3.
    """
    i = _sigmoid(_net(w, "i", x, h) + w["p_i"] * c)
    f = _sigmoid(_net(w, "f", x, h) + w["p_f"] * c)
    g = np.tanh(_net(w, "g", x, h))
    new_c = g * i + c * f
    new_h = np.tanh(new_c)
    return new_h, (new_h, new_c)


def odyssey_niaf(w, x, h, c):
    """Step the Odyssey's LSTM without input activation function (NIAF).

    Greff et al., 2017, arXiv:1503.04069, section 3: g(a) = a, the block input
    is not squashed.
    """
    i = _sigmoid(_net(w, "i", x, h) + w["p_i"] * c)
    f = _sigmoid(_net(w, "f", x, h) + w["p_f"] * c)
    g = _net(w, "g", x, h)
    new_c = g * i + c * f
    o = _sigmoid(_net(w, "o", x, h) + w["p_o"] * new_c)
    new_h = np.tanh(new_c) * o
    return new_h, (new_h, new_c)


def odyssey_noaf(w, x, h, c):
    """Step the Odyssey's LSTM without output activation function (NOAF).

    Greff et al., 2017, arXiv:1503.04069, section 3: h(a) = a, the cell state
    is not squashed on its way out.
    """
    i = _sigmoid(_net(w, "i", x, h) + w["p_i"] * c)
    f = _sigmoid(_net(w, "f", x, h) + w["p_f"] * c)
    g = np.tanh(_net(w, "g", x, h))
    new_c = g * i + c * f
    o = _sigmoid(_net(w, "o", x, h) + w["p_o"] * new_c)
    new_h = new_c * o
    return new_h, (new_h, new_c)


def odyssey_np(w, x, h, c):
    """Step the Odyssey's LSTM without peepholes (NP), today's common LSTM.

    Greff et al., 2017, arXiv:1503.04069, section 3.
    """
    i = _sigmoid(_net(w, "i", x, h))
    f = _sigmoid(_net(w, "f", x, h))
    g = np.tanh(_net(w, "g", x, h))
    new_c = g * i + c * f
    o = _sigmoid(_net(w, "o", x, h))
    new_h = np.tanh(new_c) * o
    return new_h, (new_h, new_c)


def cifg(w, x, h, c):
    """Step the LSTM with coupled input and forget gate (CIFG), f = 1 - i.

    Greff et al., 2017, arXiv:1503.04069, section 3.
    """
    i = _sigmoid(_net(w, "i", x, h) + w["p_i"] * c)
    g = np.tanh(_net(w, "g", x, h))
    new_c = g * i + c * (1.0 - i)
    o = _sigmoid(_net(w, "o", x, h) + w["p_o"] * new_c)
    new_h = np.tanh(new_c) * o
    return new_h, (new_h, new_c)


def odyssey_fgr(w, x, h, c, i_last, f_last, o_last):
    """Step the LSTM with full gate recurrence (FGR).

    Greff et al., 2017, arXiv:1503.04069, section 3: the pre-activation of each
    of the three gates gets three more terms, from the activations of the gates
    (after their sigmoid) one step before; ``R_ab`` leads from gate a to gate b.
    For instance i's gets ``R_ii i_last + R_fi f_last + R_oi o_last``.
    The block input gets none.  Peepholes as in the vanilla LSTM.
    """

    def from_gates(to):
        return (
            _times(w["R_i" + to], i_last)
            + _times(w["R_f" + to], f_last)
            + _times(w["R_o" + to], o_last)
        )

    i = _sigmoid(_net(w, "i", x, h) + w["p_i"] * c + from_gates("i"))
    f = _sigmoid(_net(w, "f", x, h) + w["p_f"] * c + from_gates("f"))
    g = np.tanh(_net(w, "g", x, h))
    new_c = g * i + c * f
    o = _sigmoid(_net(w, "o", x, h) + w["p_o"] * new_c + from_gates("o"))
    new_h = np.tanh(new_c) * o
    return new_h, (new_h, new_c, i, f, o)


def dnc_lstm(w, x, below, h, c):
    """Step one layer of the controller of Graves et al., 2016.

    doi:10.1038/nature20101, Methods, "Controller network":
    ``i = sigmoid(W_i [chi; h(t-1, l); h(t, l-1)] + b_i)`` and likewise f, o and
    the tanh candidate; ``s = f s + i g``, ``h = o tanh(s)``.
    chi (input and vectors read at the step before) is ``x``; ``below`` is the
    new output of the layer below (zero for the first layer), its matrix is V.
    """

    def net(gate):
        return _net(w, gate, x, h) + _times(w["V_" + gate], below)

    new_c = _sigmoid(net("f")) * c + _sigmoid(net("i")) * np.tanh(net("g"))
    new_h = _sigmoid(net("o")) * np.tanh(new_c)
    return new_h, (new_h, new_c)


def multiplicative_lstm(w, x, h, c, *, first_version=False):
    """Step the multiplicative LSTM of Krause et al., 2016, arXiv:1609.07959.

    Section 3: ``m = (W_m x) * (U_m h)``; the gates and the candidate see x
    through W and m (not h) through U; the rest is an LSTM:
    ``c' = f c + i tanh(g)``, ``h' = o tanh(c')``.  m has no bias.
    ``first_version``: the authors' first code (MATLAB) does not squash the
    candidate and puts the output gate inside: ``h' = tanh(c' * o)``.
    """
    m = _times(w["W_m"], x) * _times(w["U_m"], h)
    i = _sigmoid(_net(w, "i", x, m))
    f = _sigmoid(_net(w, "f", x, m))
    o = _sigmoid(_net(w, "o", x, m))
    if first_version:
        new_c = f * c + i * _net(w, "g", x, m)
        new_h = np.tanh(new_c * o)
    else:
        new_c = f * c + i * np.tanh(_net(w, "g", x, m))
        new_h = o * np.tanh(new_c)
    return new_h, (new_h, new_c)


def nested_lstm(w, x, h, c, c_in, *, outer_act=np.tanh):
    """Step the nested LSTM of Moniz & Krueger, 2017, arXiv:1801.10308.

    Section 3 (eq. 6 to 16).  The outer gates see x and h.  The inner LSTM gets
    the input ``i * g`` and the hidden state ``f * c`` and has the cell state
    ``c_in``; its output is the new outer c, and ``h' = o tanh(c')``.

    Choices: V acts on the inner input and Y on the inner hidden state (as W
    and U do outside), d is the inner bias.  The equations leave the squashing
    function of the outer candidate open (sigma_c); tanh is the default, but
    the code of hannw and of titu1994 says that the paper's experiments use
    the identity there: ``outer_act``.  The inner functions are tanh.
    """
    i = _sigmoid(_net(w, "i", x, h))
    f = _sigmoid(_net(w, "f", x, h))
    o = _sigmoid(_net(w, "o", x, h))
    inner_x = i * outer_act(_net(w, "g", x, h))
    inner_h = f * c

    def inner_net(gate):
        return (
            _times(w["V_" + gate], inner_x)
            + _times(w["Y_" + gate], inner_h)
            + w["d_" + gate]
        )

    kept = _sigmoid(inner_net("f")) * c_in
    new_c_in = kept + _sigmoid(inner_net("i")) * np.tanh(inner_net("g"))
    new_c = _sigmoid(inner_net("o")) * np.tanh(new_c_in)
    new_h = o * np.tanh(new_c)
    return new_h, (new_h, new_c, new_c_in)


def phased_lstm(w, x, time, h, c, *, leak=0.001):
    """Step the Phased LSTM of Neil, Pfeiffer & Liu, 2016, arXiv:1610.09513.

    Eq. 6: ``phi = ((t - s) mod tau) / tau``, mod with a result that is not
    negative; ``k = 2 phi / r_on`` for phi < r_on / 2, ``2 - 2 phi / r_on`` for
    phi < r_on, ``leak * phi`` otherwise.  Eq. 7 to 10: the proposed cell
    ``c~ = f c + i g`` and output ``h~ = o tanh(c~)`` are mixed with the old
    ones, ``c' = k c~ + (1 - k) c`` and the same for h.

    Choices: the peephole of the output gate looks at the proposal c~, before
    the time gate (the authors' Theano code and TensorFlow do; eq. 4 says
    c_t).  At the two borders of the phase the first two branches agree with
    each other, and at phi = r_on the leak is taken.  Default leak: 0.001, as
    in the paper's training.
    """
    i = _sigmoid(_net(w, "i", x, h) + w["p_i"] * c)
    f = _sigmoid(_net(w, "f", x, h) + w["p_f"] * c)
    g = np.tanh(_net(w, "g", x, h))
    proposed_c = f * c + i * g
    o = _sigmoid(_net(w, "o", x, h) + w["p_o"] * proposed_c)
    proposed_h = o * np.tanh(proposed_c)

    tau, r_on = w["tau"], w["r_on"]
    phi = np.mod(_column(time) - w["shift"], tau) / tau  # np.mod: never negative
    rising = 2.0 * phi / r_on
    k = np.where(phi < r_on, 2.0 - rising, leak * phi)
    k = np.where(phi < 0.5 * r_on, rising, k)

    new_c = k * proposed_c + (1.0 - k) * c
    new_h = k * proposed_h + (1.0 - k) * h
    return new_h, (new_h, new_c)


# ------------------------------------------------------------------ layer-norm LSTM


def lstm_norm_joint(w, x, h, c, *, order="ifgo", eps=1e-5):
    """Step the layer-norm LSTM of Ba, Kiros & Hinton, 2016, arXiv:1607.06450.

    Supplement, eq. 20 to 22:
    ``(f, i, o, g) = LN(U h) gain_h + LN(W x) gain_x + b``, each norm over all
    4 n rows at once; ``c' = sigmoid(f) c + sigmoid(i) tanh(g)`` is stored as
    it is, and ``h' = sigmoid(o) tanh(LN(c') gain_c + b_c)``.

    Choices: biased variance; eps inside the root (the paper has none, haste
    and Kiros's code 1e-5); rows stacked i, f, g, o as in PyTorch (``order``:
    the paper has "fiog", haste "igfo").
    """
    rows = _normalise(_times(w["W"], x), eps) * w["gain_x"]
    rows = rows + _normalise(_times(w["U"], h), eps) * w["gain_h"] + w["b"]
    part = _split(rows, order)
    new_c = _sigmoid(part["f"]) * c + _sigmoid(part["i"]) * np.tanh(part["g"])
    shown = _normalise(new_c, eps) * w["gain_c"] + w["b_c"]
    new_h = _sigmoid(part["o"]) * np.tanh(shown)
    return new_h, (new_h, new_c)


def lstm_norm_per_gate(w, x, h, c, *, forget_offset=1.0, eps=1e-12):
    """Step TensorFlow's LayerNormBasicLSTMCell (tf.contrib.rnn).

    Each gate is normalised apart, on its sum: ``LN(W x + U h) gain + b``;
    the offset is added to f after the norm; ``c' = LN(c f + i g) gain_c + b_c``
    is what is kept; ``h' = o tanh(c')``.

    Choices: the bias b is the norm's shift (there is no bias inside the norm);
    biased variance; eps is that of tf.contrib.layers.layer_norm, 1e-12, which
    is not the 1e-5 of the other two conventions.
    """

    def net(gate):
        total = _times(w["W_" + gate], x) + _times(w["U_" + gate], h)
        return _normalise(total, eps) * w["gain_" + gate] + w["b_" + gate]

    f = _sigmoid(net("f") + forget_offset)
    raw = c * f + _sigmoid(net("i")) * np.tanh(net("g"))
    new_c = _normalise(raw, eps) * w["gain_c"] + w["b_c"]
    new_h = np.tanh(new_c) * _sigmoid(net("o"))
    return new_h, (new_h, new_c)


def lstm_norm_stored(w, x, h, c, *, order="ifgo", eps=1e-5):
    """Step the LayerNormLSTMCell of PyTorch's benchmarks/fastrnns.

    ``LN(W x) gain_x + b_x + LN(U h) gain_h + b_h``, each norm over all 4 n
    rows, stacked i, f, g, o; the normalised ``c' = LN(f c + i g) gain_c + b_c``
    is what is kept; ``h' = o tanh(c')``.  Biased variance, eps 1e-5 as in
    torch.nn.LayerNorm (the file's decomposed variant has no eps).
    """
    rows = _normalise(_times(w["W"], x), eps) * w["gain_x"] + w["b_x"]
    rows = rows + _normalise(_times(w["U"], h), eps) * w["gain_h"] + w["b_h"]
    part = _split(rows, order)
    raw = _sigmoid(part["f"]) * c + _sigmoid(part["i"]) * np.tanh(part["g"])
    new_c = _normalise(raw, eps) * w["gain_c"] + w["b_c"]
    new_h = _sigmoid(part["o"]) * np.tanh(new_c)
    return new_h, (new_h, new_c)


# ---------------------------------------------- elementwise recurrence, highway, sLSTM


def qrnn_pool(w, x, c, *, squashed=False):
    """Step QRNN's fo-pooling, Bradbury et al., 2017, arXiv:1611.01576, eq. 4.

    ``c' = f c + (1 - f) z``, ``h = o c'``; x holds z, f and o in this order
    (that of eq. 1 to 3 of the paper).

    Choice: x is what the convolution gives, before tanh (z) and sigmoid (f,
    o).  ``squashed``: x is already squashed.  There are no parameters; ``w``
    is not looked at.
    """
    z, f, o = np.split(np.asarray(x, float), 3, axis=-1)
    if not squashed:
        z, f, o = np.tanh(z), _sigmoid(f), _sigmoid(o)
    new_c = f * c + (1.0 - f) * z
    return o * new_c, (new_c,)


def sru(w, x, c, *, alpha=3.0**0.5):
    """Step the simple recurrent unit of Lei et al., 2018, arXiv:1709.02755.

    Section 3, eq. 1 to 4 of the final version:
    ``f = sigmoid(W_f x + v_f c + b_f)``, ``c' = f c + (1 - f) (W x)``,
    ``r = sigmoid(W_r x + v_r c + b_r)``, ``h = r c' + (1 - r) alpha x``.
    Both gates look at the old c.  The paper's scaling of the highway is
    ``alpha = sqrt(1 + 2 exp(b_r))`` with b_r the initial highway bias: sqrt(3)
    for a bias of 0, the default here.
    """
    f = _sigmoid(_times(w["W_f"], x) + w["v_f"] * c + w["b_f"])
    r = _sigmoid(_times(w["W_r"], x) + w["v_r"] * c + w["b_r"])
    new_c = f * c + (1.0 - f) * _times(w["W"], x)
    new_h = r * new_c + (1.0 - r) * alpha * x
    return new_h, (new_c,)


def sru_first(w, x, c, *, alpha=1.0, act=_identity):
    """Step the SRU of the first version of arXiv:1709.02755 (2017), eq. 3 to 7.

    ``f, r = sigmoid(W x + b)``, ``c' = f c + (1 - f) (W x)``,
    ``h = r act(c') + (1 - r) alpha x``.

    Choices: that version has a free activation (``act``: tanh, ReLU or the
    identity) on c' in the output; the identity is the default.  It has no
    alpha: 1.
    """
    f = _sigmoid(_times(w["W_f"], x) + w["b_f"])
    r = _sigmoid(_times(w["W_r"], x) + w["b_r"])
    new_c = f * c + (1.0 - f) * _times(w["W"], x)
    new_h = r * act(new_c) + (1.0 - r) * alpha * x
    return new_h, (new_c,)


def rhn(w, x, h, *, depth=3):
    """Step the recurrent highway network of Zilly et al., 2017, arXiv:1607.03474.

    Eq. 6 to 9: for l = 1 .. depth, ``s = n t + s k`` with ``n`` (tanh),
    ``t`` and ``k`` (sigmoid) computed from ``R_l s + b_l``, plus ``W x`` in the
    first micro-step only.  n is the paper's H, t its T and k its C (carry).
    """
    s = h
    for level in range(1, depth + 1):

        def net(gate, s=s, level=level):
            total = _times(w[f"R_{gate}_{level}"], s) + w[f"b_{gate}_{level}"]
            return total + _times(w["W_" + gate], x) if level == 1 else total

        s = np.tanh(net("n")) * _sigmoid(net("t")) + s * _sigmoid(net("k"))
    return s, (s,)


def rhn_coupled(w, x, h, *, depth=3):
    """Step the recurrent highway network with coupled carry gate, k = 1 - t.

    Zilly et al., 2017, arXiv:1607.03474, section 5 and the authors' code:
    ``s = n t + s (1 - t)``, otherwise as in rhn.
    """
    s = h
    for level in range(1, depth + 1):

        def net(gate, s=s, level=level):
            total = _times(w[f"R_{gate}_{level}"], s) + w[f"b_{gate}_{level}"]
            return total + _times(w["W_" + gate], x) if level == 1 else total

        t = _sigmoid(net("t"))
        s = np.tanh(net("n")) * t + s * (1.0 - t)
    return s, (s,)


def slstm(w, x, h, c, n, m, *, heads=None, forget="sigmoid", first_step=False):
    """Step the sLSTM of Beck et al., 2024, "xLSTM", arXiv:2405.04517.

    Eq. 8 to 17: ``i~, f~, z~, o~ = W x + R h + b``; ``z = tanh(z~)``,
    ``o = sigmoid(o~)``; ``m' = max(log f + m, i~)``, ``i = exp(i~ - m')``,
    ``f = exp(log f + m - m')``; ``c' = f c + i z``, ``n' = f n + i``,
    ``h' = o c' / n'``.  R is block-diagonal: head k's block acts (on column
    vectors) on the k-th stretch of h, and there is one stretch per head.

    Choices: the forget gate is a sigmoid, log f = log sigmoid(f~) ("exp or
    sigma" in eq. 13; ``forget="exp"`` gives log f = f~).  eq. 15 holds at
    every step; the authors' code sets m' = i~ while all n are 0
    (``first_step``), which gives the same h but other c, n and m if
    log f + m > i~.
    """
    heads = w["R_i"].shape[0] if heads is None else heads
    batch, size = h.shape
    by_head = np.asarray(h, float).reshape(batch, heads, size // heads)

    def net(gate):
        back = np.einsum("kij,bkj->bki", w["R_" + gate], by_head)
        return _times(w["W_" + gate], x) + back.reshape(batch, size) + w["b_" + gate]

    log_i = net("i")
    log_f = _log_sigmoid(net("f")) if forget == "sigmoid" else net("f")
    new_m = np.maximum(log_f + m, log_i)
    if first_step and np.all(n == 0.0):
        new_m = log_i
    i = np.exp(log_i - new_m)
    f = np.exp(log_f + m - new_m)
    new_c = f * c + i * np.tanh(net("z"))
    new_n = f * n + i
    new_h = _sigmoid(net("o")) * new_c / new_n
    return new_h, (new_h, new_c, new_n, new_m)


# ------------------------------------------------------------------ spiking neurons


def lif(w, x, v, z, *, decay=0.9, threshold=1.0, slope=None):
    """Step leaky integrate-and-fire neurons, Neftci, Mostafa & Zenke, 2019.

    arXiv:1901.09948, eq. 4 to 6: ``U[n+1] = beta U[n] + I[n] - S[n]``,
    ``S[n] = step(U[n] - threshold)``.  Here: ``v' = decay v + W x + U z -
    threshold z`` and ``z' = 1 if v' > threshold else 0``: the reset is a
    subtraction and is caused by the spike of the step before.

    Choices: no synaptic current with a decay of its own (the signature has no
    state for it), so the present input acts at once; no factor (1 - decay) on
    the input; a threshold other than 1 scales the reset.  On exactly the
    threshold there is no spike (the authors' code; irrelevant for random
    numbers).  ``slope`` only concerns the surrogate gradient (in the authors'
    code ``1 / (slope |v' - threshold| + 1)^2``).
    """
    new_v = decay * v + _times(w["W"], x) + _times(w["U"], z) - threshold * z
    new_z = (new_v > threshold).astype(float)
    return new_z, (new_v, new_z)


def izhikevich(w, x, v, u, *, a=0.02, b=0.2, c=-65.0, d=8.0, slope=None):
    """Step Izhikevich neurons by one millisecond in the author's scheme.

    Izhikevich, 2003, doi:10.1109/TNN.2003.820440, eq. 1 to 3 and the MATLAB
    program in the paper, in its order:
    neurons with v >= 30 at the start of the step have fired; for them v = c
    and u = u + d; the current is W x plus U times these spikes; then two half
    steps of 0.5 ms for v, both with the same u; then one step of 1 ms for u
    with the new v.

    The output is the vector of the spikes found at the start of the step, as
    in the program's list of firings (so a v that passes 30 in this step shows
    as a spike in the next).  Defaults: regular spiking.  ``slope`` only
    concerns a surrogate gradient.
    """
    fired = v >= 30.0
    v = np.where(fired, c, v)
    u = np.where(fired, u + d, u)
    z = fired.astype(float)
    current = _times(w["W"], x) + _times(w["U"], z)
    for _ in range(2):
        v = v + 0.5 * (0.04 * v * v + 5.0 * v + 140.0 - u + current)
    u = u + a * (b * v - u)
    return z, (v, u)
