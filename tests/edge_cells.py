"""Small cells at the edges of the passes, of which random ones are rarely."""

_HEAD = "input x [input_size]\nstate h [hidden_size]\n"
_SAME = f"size input_size = hidden_size\n{_HEAD}"
_U = "weight U [hidden_size, hidden_size]\n"
_W = "weight W [hidden_size, input_size]\n"
_B = "bias b [hidden_size]\n"

EDGES = {
    "matrix is turned": f"{_HEAD}{_W}{_U}output h'\n"
    "h' = tanh(W @ x + transpose(U) @ h)\n",
    "next state is a weight": f"{_SAME}state s [hidden_size]\n{_B}output h'\n"
    "h' = tanh(x + h * s)\ns' = b\n",
    "next state is a function of a weight": f"{_SAME}state s\nweight w\noutput h'\n"
    "h' = tanh(x + h * s)\ns' = tanh(w)\n",
    "next state is an input": f"{_SAME}state s [hidden_size]\noutput h'\n"
    "h' = tanh(s * h)\ns' = x\n",
    "next state is another state": f"{_SAME}state s [hidden_size]\noutput h'\n"
    "h' = tanh(s + x * h)\ns' = h\n",
    "next state fills": f"{_SAME}state s [hidden_size]\noutput h'\n"
    "h' = tanh(x + s * h)\ns' = mean(h')\n",
    "old value is read by nothing": f"{_SAME}state s [hidden_size]\noutput y\n"
    "h' = tanh(x + h)\ns' = x * h'\ny = s' * h' + 0 * s\n",
    "output is the state before": f"{_SAME}output y\ny = h\nh' = tanh(x + h)\n",
    "scalar output": f"{_SAME}output y\nh' = tanh(x + h)\ny = mean(h' * x)\n",
    "scalar state": f"{_SAME}state s\noutput h'\n"
    "s' = tanh(s + mean(x))\nh' = h * s' + x\n",
    "proxy is a weight": f"{_SAME}weight w [hidden_size]\noutput h'\n"
    "h' = tanh(x + h) * surrogate(h > 0, w)\n",
    "proxy holds a weight": f"{_SAME}weight w [hidden_size]\noutput h'\n"
    "h' = tanh(x + h) * surrogate(h > 0, w * x)\n",
    "proxy holds a product": f"{_SAME}{_U}output h'\n"
    "h' = tanh(x + h) + surrogate(h > 0, U @ h)\n",
    "value of weights": f"{_SAME}weight w [hidden_size]\noutput h'\n"
    "k = tanh(w)\nh' = tanh(k * x + h)\n",
    "value behind a root": f"{_SAME}weight w [hidden_size]\noutput h'\n"
    "k = tanh(w)\nm = 2 * k\nh' = tanh(m * x + h)\n",
    "value is a weight": f"{_SAME}weight w [hidden_size]\noutput h'\n"
    "k = w\nh' = tanh(k * x + h)\n",
    "mean of a joined vector": f"{_HEAD}output h'\nh' = h * mean(concat(x, h, x))\n",
    "filled scalars": f"{_HEAD}state s [hidden_size]\n"
    "weight V [hidden_size, 2 * hidden_size]\noutput h'\n"
    "s' = mean(x)\nh' = tanh(V @ concat(s', h) + s' * h + V @ concat(h, s') + s)\n",
    "product of a filled scalar": f"{_HEAD}state s [hidden_size]\n{_U}output h'\n"
    "s' = mean(x) + 0 * s\nh' = tanh(U @ s' + s' * h)\n",
    "numbers in a vector": f"{_HEAD}state s [hidden_size]\n"
    "weight V [hidden_size, 2 * hidden_size]\noutput h'\n"
    "s' = 1\nh' = tanh((V @ concat(s', h)) * s + mean(x))\n",
    "a number that the next step and a late product read": f"{_HEAD}"
    f"state s [hidden_size]\nweight V [hidden_size, 2 * hidden_size]\n{_U}output y\n"
    "s' = 1\nh' = tanh(h * s + mean(x))\ny = V @ concat(s', U @ h')\n",
    "a gradient of nothing beside a late product": f"{_HEAD}state s [hidden_size]\n"
    f"weight V [2 * hidden_size, input_size]\n{_U}output h'\n"
    "a, b = split(V @ x)\ns' = U @ tanh(a) + 0.5 * s + floor(h) * floor(b)\n"
    "h' = 2 * s'\n",
    "product of a number": f"{_HEAD}state s [hidden_size]\n{_U}output h'\n"
    "s' = 1\nh' = tanh(U @ s + mean(x) * h)\n",
    "parts of which some are unused": f"{_HEAD}weight V [3 * hidden_size, input_size]\n"
    "output h'\na, b, c = split(V @ x)\nh' = tanh(b * h + 0 * a + 0 * c)\n",
    "parts of parts": f"{_HEAD}weight V [4 * hidden_size, input_size]\noutput h'\n"
    "a, b = split(V @ x, 2 * hidden_size, 2 * hidden_size)\nc, d = split(a)\n"
    "e, f = split(b)\nh' = tanh(c * h + f * d + mean(a) + e)\n",
    "a vector cut twice": f"{_HEAD}weight V [6 * hidden_size, input_size]\n"
    "output h'\nv = tanh(V @ x)\na, b = split(v)\nc, d, e = split(v)\n"
    "h' = tanh(h * mean(a) + mean(b) * mean(c) + h * mean(d) + mean(e))\n",
    "a sum used twice": f"{_HEAD}{_W}{_U}{_B}output h'\n"
    "a = W @ x + b + U @ h\nh' = tanh(a) * a\n",
    "a product used twice": f"{_HEAD}{_W}{_U}{_B}output h'\n"
    "a = W @ x\nh' = tanh(a + U @ h + b) * sigmoid(a + b)\n",
    "one product twice in a sum": f"{_HEAD}{_W}{_U}output h'\n"
    "h' = tanh(W @ x + W @ x + U @ h + U @ h)\n",
    "a chain of products": f"{_HEAD}{_W}{_U}weight V [hidden_size, hidden_size]\n"
    "output h'\nh' = tanh(U @ (V @ (W @ x + U @ h)))\n",
    "matrix of weights": f"{_HEAD}{_W}{_U}output h'\n"
    "h' = tanh((U * sigmoid(U)) @ h + (0.5 * W) @ x)\n",
    "blocks": f"size heads = 2\nsize part = hidden_size / heads\n{_HEAD}{_W}"
    "weight R [heads, part, part]\noutput h'\nh' = tanh(R @ h + W @ x)\n",
    "ties": f"{_SAME}output h'\nh' = maximum(tanh(x), tanh(x)) * minimum(h, h) + x\n",
    "a rest by a weight": f"{_SAME}weight w [hidden_size] = 0.1\noutput h'\n"
    "h' = tanh(x + h) % w + 1 % w\n",
    "a linear step": f"{_SAME}output h'\nh' = h + x\n",
    "no weight at all": f"{_SAME}output h'\nh' = tanh(h) * x\n",
    "two scalar inputs": "input x [input_size]\ninput time\ninput speed\n"
    "state h [hidden_size]\n"
    f"{_W}output h'\nh' = tanh(W @ x + h * time + speed)\n",
    "an input that only gates": f"{_SAME}input gate\noutput h'\n"
    "h' = where(gate > 0, tanh(x + h), h)\n",
}
