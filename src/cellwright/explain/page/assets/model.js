// What is looked at just now, and every value of it: from the numbers, by the equations.

/** Milliseconds of computing between two chances for the page to answer. */
const SLICE = 24;

/** Let the page answer. A timer of 0 waits 4 ms each time; a message does not. */
function breath() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => (port1.close(), resolve());
    port2.postMessage(null);
  });
}

class Model {
  constructor(told, arrays) {
    this.told = told;
    this.arrays = arrays;
    this.listeners = [];
    this.at = { layer: 0, call: 0, run: 0, row: 0, t: 0, name: "", unit: 0 };
    this.changes = new Map(); // entries of the opened step's input that the reader moved
    this.lastCall = new Map();
    for (const call of told.calls)
      for (const run of call.runs) {
        run.fixed = fixedValues(run, arrays);
        run.nameOf = namesOf(run);
        run.whole = new Map();
      }
  }

  get call() {
    return this.told.calls[this.at.call];
  }

  get run() {
    return this.call.runs[this.at.run];
  }

  get size() {
    return count(this.run.nodes[this.run.values[this.at.name]][3]);
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  /** Look at something else; listeners are told which parts of `at` are new. */
  go(where) {
    const before = { ...this.at };
    Object.assign(this.at, where);
    this.settle(before);
    const news = new Set(Object.keys(this.at).filter((key) => this.at[key] !== before[key]));
    if (!["layer", "call", "run", "row", "t"].every((key) => !news.has(key))) {
      if (this.changes.size) news.add("changes");
      this.changes.clear();
    }
    if (news.size) this.listeners.forEach((listener) => listener(news));
  }

  change(k, value) {
    if (value === null) this.changes.delete(k);
    else this.changes.set(k, value);
    this.listeners.forEach((listener) => listener(new Set(["changes"])));
  }

  settle(before) {
    const { at } = this;
    if (at.layer !== before.layer) {
      this.lastCall.set(before.layer, before.call);
      const { calls } = this.told.layers[at.layer];
      if (calls.length && !calls.includes(at.call)) at.call = this.lastCall.get(at.layer) ?? calls[0];
    }
    if (!this.call) return;
    const within = (value, end) => Math.trunc(Math.min(Math.max(value, 0), end - 1));
    at.run = within(at.run, this.call.runs.length);
    at.row = within(at.row, this.call.rows);
    at.t = within(at.t, this.call.steps);
    if (!(at.name in this.run.values)) [at.name] = Object.keys(this.run.values);
    at.unit = within(at.unit, this.size);
  }

  /** Entry of an array [T, B, ...] at a step and row. */
  slice(place, call, t, row) {
    const { data, shape } = this.arrays[place];
    const length = count(shape.slice(2));
    const from = (t * call.rows + row) * length;
    return data.subarray(from, from + length);
  }

  /** The cell's inputs and states at a step, as they were in the run. */
  given(call, run, t, row) {
    return { ...this.inputs(call, run, t, row), ...this.before(call, run, t, row) };
  }

  inputs(call, run, t, row) {
    const found = {};
    for (const [name, place] of Object.entries(run.inputs)) found[`input ${name}`] = this.slice(place, call, t, row);
    if (run.below.length) {
      const parts = run.below.map((which) => this.output(call, call.runs[which], t, row));
      found[`input ${run.input}`] = parts.length === 1 ? parts[0] : Float64Array.from(parts.flatMap((part) => [...part]));
    }
    return found;
  }

  /** The states before a step: kept, or computed from the last ones that were. */
  before(call, run, t, row) {
    const { every } = run;
    if (every === 1) return this.kept(call, run, t, row);
    const read = run.backwards ? call.steps - 1 - t : t;
    const segment = Math.floor(read / every);
    const key = `${segment} ${row}`;
    run.segments ??= new Map();
    if (!run.segments.has(key)) run.segments.set(key, this.segment(call, run, segment, row));
    return run.segments.get(key)[read % every];
  }

  kept(call, run, place, row) {
    const found = {};
    for (const [name, array] of Object.entries(run.before)) found[`state ${name}`] = this.slice(array, call, place, row);
    return found;
  }

  segment(call, run, segment, row) {
    const { every } = run;
    const found = [this.kept(call, run, this.placeOf(call, run, segment), row)];
    const end = Math.min(every, call.steps - segment * every);
    while (found.length < end) {
      const read = segment * every + found.length - 1;
      const t = run.backwards ? call.steps - 1 - read : read;
      const values = stepValues(run, run.fixed, { ...this.inputs(call, run, t, row), ...found.at(-1) });
      found.push(after(run, values));
    }
    return found;
  }

  /** Where the states before a segment lie; those that are read last come first. */
  placeOf(call, run, segment) {
    return run.backwards ? Math.ceil(call.steps / run.every) - 1 - segment : segment;
  }

  /** What a layer and direction puts out at a step. */
  output(call, run, t, row) {
    const state = Object.keys(run.states).find((name) => run.states[name] === run.output);
    const next = run.backwards ? t - 1 : t + 1;
    // The state before the next step is what this one put out.
    if (state && run.joined && next >= 0 && next < call.steps) return this.before(call, run, next, row)[`state ${state}`];
    const values = this.values(call, run, t, row);
    return filled(values[run.output], count(run.nodes[run.output][3]));
  }

  /** All values of a step of a run; the last ones are kept. */
  values(call, run, t, row) {
    const key = `${t} ${row}`;
    run.kept ??= new Map();
    if (!run.kept.has(key)) {
      if (run.kept.size > 4) run.kept.delete(run.kept.keys().next().value);
      run.kept.set(key, stepValues(run, run.fixed, this.given(call, run, t, row)));
    }
    return run.kept.get(key);
  }

  /** All values of the opened step, with what the reader changed. */
  opened() {
    const { call, run, at } = this;
    if (!this.changes.size) return this.values(call, run, at.t, at.row);
    const given = this.given(call, run, at.t, at.row);
    const moved = Float64Array.from(given[`input ${run.input}`]);
    for (const [k, value] of this.changes) moved[k] = value;
    return stepValues(run, run.fixed, { ...given, [`input ${run.input}`]: moved });
  }

  /** Whether the opened step is none of this row: it has ended, or is masked. */
  isIdle() {
    const { call, run, at } = this;
    const keep = run.inputs._keep;
    return keep !== undefined && this.slice(keep, call, at.t, at.row)[0] === 0;
  }

  /** The opened value of the opened unit, unfolded. */
  tree() {
    const { run, at } = this;
    return unfolded(run, this.opened(), run.values[at.name], at.unit);
  }

  /** The input of a step as it was in the run. */
  input(t) {
    return this.inputs(this.call, this.run, t, this.at.row)[`input ${this.run.input}`];
  }

  /**
   * Every named value at every step, [T, size] each, computed in slices of a few
   * milliseconds so that the page stays awake; `progress` is told the share.
   */
  async everything(progress) {
    const { call, run } = this;
    const { row } = this.at;
    if (run.whole.has(row)) return run.whole.get(row);
    const sizes = Object.entries(run.values).map(([name, place]) => [name, place, count(run.nodes[place][3])]);
    const found = Object.fromEntries(sizes.map(([name, , size]) => [name, new Float32Array(size * call.steps)]));
    let since = performance.now();
    let states = null;
    for (let read = 0; read < call.steps; read++) {
      const t = run.backwards ? call.steps - 1 - read : read;
      // In a segment the states follow from the step before, which was just computed.
      const begins = read % run.every === 0;
      if (begins) states = this.kept(call, run, this.placeOf(call, run, read / run.every), row);
      const values = stepValues(run, run.fixed, { ...this.inputs(call, run, t, row), ...states });
      if (run.every > 1) states = after(run, values);
      for (const [name, place, size] of sizes)
        for (let i = 0; i < size; i++) found[name][t * size + i] = entry(values[place], i);
      if (performance.now() - since > SLICE) {
        progress((read + 1) / call.steps);
        await breath();
        if (this.run !== run || this.at.row !== row) return null;
        since = performance.now();
      }
    }
    run.whole.set(row, found);
    return found;
  }
}

/**
 * What nodes are called: by the first value of the file that is that node, so that what
 * is kept for the next step goes by the name that it has in this one. Behind a mask, a
 * value is called what it is where the step happens.
 */
function namesOf(run) {
  const found = new Map();
  for (const [name, place] of Object.entries(run.values)) {
    const [op, args] = run.nodes[place];
    const masked = op === "where" && isMask(run, args[0]) ? args[1] : place;
    for (const each of [place, masked]) if (!found.has(each) && run.nodes[each][1].length) found.set(each, name);
  }
  return found;
}

const isMask = (run, place) => run.nodes[place][0] === "input" && run.nodes[place][2] === "_keep";

/** The states after a step, as those before the next one. */
function after(run, values) {
  const found = {};
  for (const [name, place] of Object.entries(run.states)) found[`state ${name}`] = filled(values[place], count(run.nodes[place][3]));
  return found;
}
