// One step of a cell, computed from its graph: a node after the other, in float64.

const ELEMENTWISE = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  mod: (a, b) => {
    // The sign is the divisor's, as in Python.
    const rest = a % b;
    return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
  },
  power: (a, b) => a ** b,
  neg: (a) => -a,
  lt: (a, b) => Number(a < b),
  le: (a, b) => Number(a <= b),
  gt: (a, b) => Number(a > b),
  ge: (a, b) => Number(a >= b),
  eq: (a, b) => Number(a === b),
  ne: (a, b) => Number(a !== b),
  sigmoid: (a) => (a >= 0 ? 1 / (1 + Math.exp(-a)) : Math.exp(a) / (1 + Math.exp(a))),
  tanh: Math.tanh,
  relu: (a) => Math.max(a, 0),
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  abs: Math.abs,
  floor: Math.floor,
  sin: Math.sin,
  cos: Math.cos,
  softplus: (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))),
  log_sigmoid: (a) => -(Math.max(-a, 0) + Math.log1p(Math.exp(-Math.abs(a)))),
  maximum: (a, b) => Math.max(a, b),
  minimum: (a, b) => Math.min(a, b),
  where: (m, a, b) => (m !== 0 ? a : b),
  // The other argument gives the slope, and here there is none.
  surrogate: (a) => a,
};

/** Entry i of a value; a scalar is the same everywhere. */
const entry = (value, i) => (value.length === 1 ? value[0] : value[i]);

const count = (shape) => shape.reduce((product, size) => product * size, 1);

/** The sizes of a matrix of blocks: a plain one is a single block. */
function blocksOf(shape) {
  return shape.length === 3 ? shape : [1, ...shape];
}

const VECTORS = {
  matmul([matrix, vector], _, shape, [form]) {
    const [blocks, rows, columns] = blocksOf(form);
    const operand = filled(vector, blocks * columns);
    const result = new Float64Array(blocks * rows);
    for (let row = 0; row < result.length; row++)
      result[row] = product(matrix, row * columns, operand, Math.floor(row / rows) * columns, columns);
    return result;
  },
  row_sum: ([value], groups, _, [form]) => grouped(value, groups, form, 0, (a, b) => a + b),
  row_max: ([value], groups, _, [form]) => grouped(value, groups, form, -Infinity, Math.max),
  concat(values, _, shape, forms) {
    const result = new Float64Array(count(shape));
    let at = 0;
    values.forEach((value, which) => {
      for (let i = 0; i < count(forms[which]); i++) result[at++] = entry(value, i);
    });
    return result;
  },
  slice: ([value], [start], shape) =>
    Float64Array.from({ length: count(shape) }, (_, i) => entry(value, start + i)),
  repeat: ([value], times, shape) =>
    Float64Array.from({ length: count(shape) }, (_, i) => entry(value, Math.floor(i / times))),
  fill: ([value], _, shape) => new Float64Array(count(shape)).fill(value[0]),
  transpose([value], _, shape) {
    const [blocks, rows, columns] = blocksOf(shape);
    const result = new Float64Array(value.length);
    for (let b = 0; b < blocks; b++)
      for (let r = 0; r < rows; r++)
        for (let c = 0; c < columns; c++)
          result[(b * rows + r) * columns + c] = value[(b * columns + c) * rows + r];
    return result;
  },
};

/** The sum of products; four at a time, which do not wait for one another. */
function product(a, from, b, at, length) {
  let one = 0, two = 0, three = 0, four = 0;
  let k = 0;
  for (; k + 4 <= length; k += 4) {
    one += a[from + k] * b[at + k];
    two += a[from + k + 1] * b[at + k + 1];
    three += a[from + k + 2] * b[at + k + 2];
    four += a[from + k + 3] * b[at + k + 3];
  }
  for (; k < length; k++) one += a[from + k] * b[at + k];
  return one + two + (three + four);
}

/** A value with all its entries, also where it is one number for all of them. */
function filled(value, length) {
  return value.length === length ? value : new Float64Array(length).fill(value[0]);
}

function grouped(value, groups, form, first, join) {
  const length = count(form);
  const result = new Float64Array(groups ?? 1).fill(first);
  const each = length / result.length;
  for (let i = 0; i < length; i++) {
    const group = Math.floor(i / each);
    result[group] = join(result[group], entry(value, i));
  }
  return result;
}

/** Compute one node from the values of its arguments. */
function compute(nodes, [op, args, attr, shape], values) {
  const given = args.map((arg) => values[arg]);
  if (VECTORS[op]) return VECTORS[op](given, attr, shape, args.map((arg) => nodes[arg][3]));
  const apply = ELEMENTWISE[op];
  if (!apply) throw new Error(`this page has no op ${op}`);
  const [a, b, c] = given;
  const length = Math.max(...given.map((value) => value.length));
  const result = new Float64Array(length);
  for (let i = 0; i < length; i++)
    result[i] = apply(entry(a, i), b && entry(b, i), c && entry(c, i));
  return result;
}

/** What hangs on weights alone is computed once for all steps. */
function fixedValues(run, arrays) {
  const values = new Array(run.nodes.length);
  run.nodes.forEach((node, place) => {
    const [op, args, attr] = node;
    if (op === "parameter" || op === "constant") values[place] = arrays[run.weights[attr]].data;
    else if (op === "const" || op === "size") values[place] = Float64Array.of(attr);
    else if (args.length && args.every((arg) => values[arg])) values[place] = compute(run.nodes, node, values);
  });
  return values;
}

/** All values of a step, given inputs and states by name. */
function stepValues(run, fixed, given) {
  const values = fixed.slice();
  run.nodes.forEach((node, place) => {
    if (values[place]) return;
    const [op, , attr] = node;
    const leaf = op === "input" || op === "state";
    values[place] = leaf ? given[`${op} ${attr}`] : compute(run.nodes, node, values);
  });
  return values;
}
