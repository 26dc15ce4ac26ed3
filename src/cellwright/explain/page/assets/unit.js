// One unit of one value: its rows of the weights, what feeds it, the sum with numbers.

const MOST_ROWS = 12;
const BETWEEN = { ...SIGNS, ...COMPARED };
const STRENGTH = { add: 1, sub: 1, mul: 2, div: 2, mod: 2, power: 3 };

function unit(model) {
  const choices = el("div.choices");
  const formula = el("p.working");
  const tables = el("div.tables");
  const mover = el("div.mover");
  const place = section("unit", "One unit, number by number", choices, formula, tables, mover);
  let all = false;
  let typed = false;

  const field = el("input", {
    type: "number",
    min: 0,
    id: "unit-number",
    // What is half typed stays, whatever else moves meanwhile: a slider that plays, say.
    oninput: () => (typed = true),
    onchange: () => ((typed = false), model.go({ unit: field.valueAsNumber || 0 }), settle()),
    onblur: () => ((typed = false), settle()),
  });
  const numbered = el("label", {}, "unit ", field);
  const settle = () => {
    const list = document.getElementById("value-name");
    if (list) list.selectedIndex = Object.keys(model.run.values).indexOf(model.at.name);
    field.max = model.size - 1;
    if (!typed) field.value = model.at.unit;
    how.textContent = ` of ${model.size}`;
  };
  const how = el("span");
  numbered.append(how);
  const build = () => {
    const names = Object.keys(model.run.values);
    replaced(
      choices,
      choice("value-name", "value ", names, names.indexOf(model.at.name), (i) => model.go({ name: names[i] })),
      numbered,
    );
    settle();
  };

  const show = () => {
    const { at } = model;
    const tree = model.tree();
    const left = model.size > 1 ? `${at.name}[${at.unit}]` : at.name;
    settle();
    if (model.isIdle()) {
      replaced(formula, "This step does not happen for this row: states stay as they are, everything else is 0.");
      tables.replaceChildren();
      return;
    }
    replaced(formula, el("b", {}, left), " = ", ...inWords(tree), ` = `, number(tree.value));
    replaced(tables, ...dotsOf(tree).map((dot, i) => table(dot, i)));
    if (!tables.childNodes.length) tables.append(el("p.soft", {}, "No weights here: this value is made of others, entry by entry."));
  };

  /** A formula with a number behind each name. */
  const inWords = (tree) => {
    switch (tree.kind) {
      case "number":
        return [said(tree.value)];
      case "leaf":
        return [leaf(tree)];
      case "dot":
        return [el("span.dot", {}, `Σ ${tree.matrix}·${before(tree)}`, number(tree.value))];
      case "group":
        return [`${tree.op} of ${tree.terms.length} of ${tree.of}`, number(tree.value)];
      default: {
        const sign = BETWEEN[tree.op];
        const between = sign ? ` ${sign} ` : ", ";
        const parts = tree.parts.flatMap((part, i) => [...(i ? [between] : []), ...(sign ? inBrackets(part, tree.op, i) : inWords(part))]);
        if (sign) return parts;
        return tree.op === "neg" ? ["−", ...inBrackets(tree.parts[0], "mul", 1)] : [`${tree.op}(`, ...parts, ")"];
      }
    }
  };
  /** A part of a formula, in brackets where it binds less than what stands round it. */
  const inBrackets = (part, op, i) => {
    const words = inWords(part);
    const own = strength(part);
    const around = STRENGTH[op] ?? 0;
    // a − (b − c), and a power's base and exponent, want them at equal strength too.
    const equal = own === around && (op === "power" || (i > 0 && op !== "add" && op !== "mul"));
    const negative = i > 0 && (part.op === "neg" || (part.kind === "number" && part.value < 0));
    return own < around || equal || negative ? ["(", ...words, ")"] : words;
  };
  /** How firmly a formula holds together: a name as firmly as can be. */
  const strength = (part) => {
    if (part.kind === "dot") return 1.5;
    if (part.kind === "number") return part.value < 0 ? 1 : 9;
    if (part.kind !== "call") return 9;
    return part.op in BETWEEN ? (STRENGTH[part.op] ?? 0) : part.op === "neg" ? 1 : 9;
  };
  const number = (value) => el("span.digits", { title: String(value) }, said(value));
  const leaf = ({ name, at, unit, value, named, of }) => {
    const text = `${name}${unit ? `[${at}]` : ""}`;
    const before = of === "state" ? el("span.soft", { title: "of the step that was read before" }, earlier()) : null;
    const what = named ? el("button.link", { onclick: () => model.go({ name, unit: at }) }, text) : text;
    return el("span", {}, what, before, number(value));
  };

  /** What a matrix multiplies; a state is that of one step earlier. */
  const before = ({ vector }) => (vector in model.run.states ? `${vector}${earlier()}` : vector);
  /** The mark of a state before the step; a backward direction has read the next one. */
  const earlier = () => (model.run.backwards ? "ₜ₊₁" : "ₜ₋₁");

  const table = (dot, i) => {
    const order = dot.weights.map((weight, k) => [k, weight, dot.operands[k]]);
    order.sort((a, b) => Math.abs(b[1] * b[2]) - Math.abs(a[1] * a[2]));
    const kept = all ? order : order.slice(0, MOST_ROWS);
    const rest = order.slice(kept.length);
    const most = Math.max(...order.slice(0, 1).map(([, w, v]) => Math.abs(w * v)), 1e-300);
    const body = kept.map(([k, weight, value]) => {
      const bar = el("span.bar", { style: `width:${(50 * Math.abs(weight * value)) / most}%` });
      bar.classList.toggle("low", weight * value < 0);
      const row = el(
        "tr",
        {},
        el("td", {}, `${k + dot.from}`),
        el("td", {}, number(weight)),
        el("td", {}, number(value)),
        el("td", {}, number(weight * value)),
        el("td.bars", {}, bar),
      );
      Object.assign(row.dataset, { weight, value });
      return row;
    });
    const left = rest.reduce((total, [, weight, value]) => total + weight * value, 0);
    const more = el("tr", {}, el("td.soft", { colSpan: 3 }, `${rest.length} more, together`), el("td", {}, number(left)), el("td"));
    const words = `row ${dot.row} of ${dot.matrix} · ${before(dot)}: ${dot.weights.length} products, sum `;
    const toggle = el("button.link", { id: `all-${i}`, onclick: () => ((all = !all), show()) }, all ? "the largest alone" : "all of them");
    return el(
      "table",
      {},
      el("caption", {}, words, number(dot.value), order.length > MOST_ROWS ? " " : "", order.length > MOST_ROWS ? toggle : ""),
      el("thead", {}, el("tr", {}, ...["k", dot.matrix, before(dot), "product", ""].map((text) => el("th", {}, text)))),
      el("tbody", {}, ...body, rest.length ? more : ""),
    );
  };

  let feature = 0;
  const move = () => {
    const now = model.input(model.at.t);
    feature = Math.min(feature, now.length - 1);
    // The input of a higher layer is computed for this: of a long sequence a part will do.
    const length = model.run.below.length ? Math.min(model.call.steps, 200) : model.call.steps;
    const values = Array.from({ length }, (_, t) => model.input(t)[feature]);
    const far = Math.max(1, 1.5 * largest([...values, now[feature]]));
    const slider = el("input", {
      type: "range",
      min: -far,
      max: far,
      step: "any",
      id: "moved",
      ariaLabel: `${model.run.input}[${feature}] at this step`,
      oninput: () => model.change(feature, slider.valueAsNumber),
    });
    slider.value = model.changes.get(feature) ?? now[feature];
    const said = el("output", { id: "moved-value" });
    const names = Array.from(now, (_, k) => `${model.run.input}[${k}]`);
    replaced(
      mover,
      el("h3", {}, "What if the input were another one?"),
      choice("moved-entry", "input ", names, feature, (k) => ((feature = k), move())),
      slider,
      said,
      el("button", { id: "as-it-was", onclick: () => model.change(feature, null) }, "as it was"),
      el("p.soft", {}, "The step is computed anew from the equations; the states before it stay."),
    );
    tell();
  };
  const tell = () => {
    const now = model.changes.get(feature) ?? model.input(model.at.t)[feature];
    const slider = mover.querySelector("#moved");
    const output = mover.querySelector("#moved-value");
    if (slider && Number(slider.value) !== now) slider.value = now;
    if (output) output.textContent = said(now);
  };

  const redraw = onceAFrame(() => model.call && (show(), tell()));
  model.onChange((news) => {
    if (!model.call) return;
    if (["layer", "call", "run"].some((key) => news.has(key))) build();
    if (["layer", "call", "run", "row"].some((key) => news.has(key))) move();
    redraw();
  });
  build();
  show();
  move();
  return place;
}
