"""Small cells at the edges of kernels: groups, heads, moves, and what lies where."""

_X = "input x [input_size]\n"
_H = "state h [hidden_size]\n"
_W = "weight W [hidden_size, input_size]\n"
_U = "weight U [hidden_size, hidden_size]\n"

KERNEL_EDGES = {
    "heads of five": f"size heads\nsize five = 5\n{_X}state h [heads * five]\n"
    "weight W [heads * five, input_size]\nweight R [heads, five, five]\noutput h'\n"
    "h' = tanh(W @ x + R @ h)\n",
    "heads of more than a vector": f"size three = 3\nsize wide = 22\n{_X}"
    "state h [three * wide]\nweight W [three * wide, input_size]\n"
    "weight R [three, wide, wide]\noutput h'\nh' = tanh(W @ x + R @ h)\n",
    "heads of one row": f"size heads\nsize part = 7\n{_X}state h [heads * part]\n"
    "weight W [heads * part, input_size]\nweight R [heads, 1, part]\noutput h'\n"
    "h' = tanh(W @ x + repeat(R @ h, part))\n",
    "heads beside a plain matrix": f"size heads\nsize part = 3\n{_X}"
    "state h [heads * part]\nweight W [heads * part, input_size]\n"
    "weight V [heads * part, heads * part]\nweight R [heads, part, part]\noutput h'\n"
    "h' = tanh(W @ x + V @ h + R @ h)\n",
    "one head": f"size one = 1\n{_X}state h [one * hidden_size]\n"
    "weight W [one * hidden_size, input_size]\n"
    "weight R [one, hidden_size, hidden_size]\noutput h'\nh' = tanh(W @ x + R @ h)\n",
    "six accumulators": f"{_X}{_H}{_W}{_U}output h'\na = W @ x\nb = U @ h\n"
    "c = (2 * U) @ h\nd = (U * U) @ h\ne = (3 * W) @ x\nf = tanh(U) @ h\n"
    "h' = tanh(a * b + c * d + sigmoid(e) * f)\n",
    "groups of rows": f"size m\n{_X}state h [2 * m]\nweight W [2 * m, input_size]\n"
    "output h'\nh' = tanh(W @ x + layer_norm(h, 2) + softmax(h, 2) "
    "+ repeat(max(h, 2), m))\n",
    "groups of one": f"{_X}{_H}{_W}output h'\n"
    "h' = tanh(W @ x + sum(h, hidden_size) + max(h, hidden_size))\n",
    "an exponential gate from -inf": f"{_X}state top [hidden_size] = -inf\n"
    f"state n [hidden_size]\n{_W}output y\na = W @ x\n"
    "top' = maximum(top - 0.5, a)\ni = exp(a - top')\nf = exp(top - 0.5 - top')\n"
    "n' = f * n + i\ny = tanh(n')\n",
    "many pieces joined": f"{_X}{_H}{_W}weight V [hidden_size, 5 * hidden_size]\n"
    "state s\noutput h'\na = W @ x\n"
    "h' = tanh(V @ concat(a, repeat(h, 1), h * a, h, W @ x) + s)\n"
    "s' = mean(h)\n",
    "states swap": f"{_X}{_H}state s [hidden_size]\n{_W}output y\n"
    "h' = s\ns' = h\ny = tanh(h + 2 * s + W @ x)\n",
    "states go round": f"{_X}{_H}state s [hidden_size]\nstate u [hidden_size]\n{_W}"
    "output y\nh' = s\ns' = u\nu' = tanh(h + W @ x)\ny = h' + u'\n",
    "output is a slice of the state before": f"{_X}state h [2 * hidden_size]\n{_W}"
    "output a\na, b = split(h)\nh' = concat(b, tanh(W @ x + a))\n",
    "next states are slices": f"{_X}{_H}state s [hidden_size]\n"
    "weight W [2 * hidden_size, input_size]\noutput y\n"
    "h', s' = split(W @ x)\ny = tanh(h + s) * h'\n",
    "a counter decides": f"{_X}{_H}state t\n{_W}output h'\nt' = t + 1\n"
    "h' = where(t % 2 == 0, tanh(W @ x), h)\n",
    "rest and floor": f"{_X}{_H}{_W}output h'\na = W @ x\n"
    "h' = (3 * a + h) % 0.7 - 0.2 * floor(a * 3) + a % (0.5 + sigmoid(h))\n",
    "one matrix from both sides": f"{_X}{_H}{_W}weight V [input_size, input_size]\n"
    "output h'\nh' = tanh(W @ x + W @ tanh(V @ x) + h)\n",
    "a vector of weights through a matrix": f"{_X}{_H}{_W}{_U}bias b [hidden_size]\n"
    "output h'\nh' = tanh(W @ x + (U @ b) * h + U @ (b * h))\n",
}
