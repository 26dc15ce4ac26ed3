// One entry of one value, unfolded down to the products that it is the sum of.

const SIGNS = { add: "+", sub: "−", mul: "×", div: "÷", mod: "%", power: "^" };
const COMPARED = { lt: "<", le: "≤", gt: ">", ge: "≥", eq: "=", ne: "≠" };

/**
 * A tree for entry i of a node: {kind, value, ...}.
 *
 * dot: terms, each a weight with the number that it is multiplied with
 * call: an op of parts · leaf: a number with a name · group: a row's sum or largest
 *
 * Named values below the one that is opened are leaves: each can be opened itself.
 */
function unfolded(run, values, place, i, top = true) {
  const [op, args, attr, shape] = run.nodes[place];
  const at = shape.length ? i : 0;
  const value = entry(values[place], at);
  const name = run.nameOf.get(place);
  if (name && !top) return { kind: "leaf", name, at, unit: shape.length > 0, value, named: true };
  const below = (arg, entryOf) => unfolded(run, values, arg, entryOf, false);
  // Where the step happens a mask changes nothing.
  if (op === "where" && isMask(run, args[0])) return unfolded(run, values, args[values[args[0]][0] ? 1 : 2], at, top);
  switch (op) {
    case "const":
    case "size":
      return { kind: "number", value };
    case "input":
    case "state":
    case "parameter":
    case "constant":
      return { kind: "leaf", name: attr, of: op, at, unit: shape.length > 0, value };
    case "matmul":
      return dot(run, values, place, at, value);
    case "slice":
      return below(args[0], attr[0] + at);
    case "repeat":
      return below(args[0], Math.floor(at / attr));
    case "fill":
      return below(args[0], 0);
    case "concat": {
      let from = 0;
      const part = args.find((arg) => {
        const length = count(run.nodes[arg][3]);
        if (at < from + length) return true;
        from += length;
        return false;
      });
      return below(part, at - from);
    }
    case "row_sum":
    case "row_max": {
      const length = count(run.nodes[args[0]][3]) / (attr ?? 1);
      const terms = Array.from({ length }, (_, k) => entry(values[args[0]], at * length + k));
      return { kind: "group", op: op === "row_sum" ? "sum" : "max", of: asWords(run, args[0]), terms, value };
    }
    case "transpose":
      return { kind: "leaf", name: asWords(run, place), of: "parameter", at, unit: true, value };
    case "surrogate":
      return below(args[0], at);
    default: {
      const parts = args.map((arg) => below(arg, at));
      return { kind: "call", op, parts, value };
    }
  }
}

function dot(run, values, place, row, value) {
  const [, [matrix, vector]] = run.nodes[place];
  const [, rows, columns] = blocksOf(run.nodes[matrix][3]);
  const seen = Math.floor(row / rows) * columns;
  const weights = [];
  const operands = [];
  for (let k = 0; k < columns; k++) {
    weights.push(values[matrix][row * columns + k]);
    operands.push(entry(values[vector], seen + k));
  }
  return {
    kind: "dot",
    matrix: asWords(run, matrix),
    vector: asWords(run, vector),
    row,
    from: seen,
    weights,
    operands,
    value,
  };
}

/** A node in words: its name, or the formula that it is of names. */
function asWords(run, place) {
  const [op, args, attr] = run.nodes[place];
  const name = run.nameOf.get(place);
  if (name) return name;
  if (!args.length) return String(attr);
  if (op === "where" && isMask(run, args[0])) return asWords(run, args[1]);
  const parts = args.map((arg) => asWords(run, arg));
  const sign = SIGNS[op] ?? COMPARED[op];
  if (sign) return `(${parts.join(` ${sign} `)})`;
  if (op === "matmul") return `${parts[0]} @ ${parts[1]}`;
  if (op === "slice" || op === "fill") return parts[0];
  return `${op}(${parts.join(", ")})`;
}

/** All products of a tree, in the order in which a reader meets them. */
function dotsOf(tree) {
  if (tree.kind === "dot") return [tree];
  return (tree.parts ?? []).flatMap(dotsOf);
}
