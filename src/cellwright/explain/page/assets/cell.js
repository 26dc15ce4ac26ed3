// The cell at the opened step: its wiring, coloured, and every value of it.

function cell(model) {
  const wiring = el("div");
  const list = el("div.values");
  const how = el("p.soft");
  const place = section("cell", "The cell at this step", how, wiring, list);
  let shapes = new Map();
  let rows = [];

  const build = () => {
    const { call, run } = model;
    wiring.replaceChildren(drawing(call.wiring));
    shapes = new Map();
    for (const group of wiring.querySelectorAll("[data-name]")) {
      const { name } = group.dataset;
      const own = name in run.values ? [name] : Object.keys(run.values).filter((each) => each.replace(/_\d+$/, "") === name);
      if (!own.length) continue;
      for (const each of own) shapes.set(each, [...(shapes.get(each) ?? []), { group, own }]);
      group.classList.add("open");
      group.addEventListener("click", () => model.go({ name: own[0] }));
    }
    const words = new Map();
    const { recurrence } = model.told.layers[model.at.layer];
    for (const each of recurrence?.values ?? []) for (const key of [each.name, `${each.name}'`]) words.set(key, each);
    rows = Object.keys(run.values).map((name) => valueRow(name, words.get(name)));
    list.replaceChildren(...rows.map((row) => row.line));
  };

  const valueRow = (name, told) => {
    const words = `${name}: all units at this step; choose one`;
    const canvas = el("canvas", { title: words, role: "img", ariaLabel: words });
    const value = el("output");
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      model.go({ name, unit: Math.floor(((event.clientX - box.left) / box.width) * canvas.width) });
    });
    const button = el("button.name", { onclick: () => model.go({ name }) }, el("b", {}, name), value);
    const line = el("div.value", {}, button, canvas, el("span.words", {}, told?.equation ?? "", el("span.soft", {}, told?.words ? ` ${told.words}` : "")));
    return { name, line, canvas, value };
  };

  const show = () => {
    const { run, at } = model;
    const values = model.opened();
    const source = model.changes.size ? "computed anew from the changed input" : model.call.how;
    how.textContent = `Unit ${at.unit} at index ${at.t}: the colours and numbers are its own. ${sentence(source)}`;
    for (const { name, line, canvas, value } of rows) {
      const node = run.values[name];
      const numbers = filled(values[node], count(run.nodes[node][3]));
      paint(canvas, numbers, numbers.length, 1, spanOf(numbers));
      const one = numbers[Math.min(at.unit, numbers.length - 1)];
      value.textContent = said(one);
      line.classList.toggle("now", name === at.name);
      for (const { group, own } of shapes.get(name) ?? []) {
        // A box of the block stands for all micro-steps, and shows the opened one.
        if (name !== (own.includes(at.name) ? at.name : own[0])) continue;
        const size = 1.6 * Math.max(1, largest(numbers));
        group.querySelector(".shape").style.fill = css(mixed(one, { zero: 0, size }, scale()));
        group.classList.toggle("now", name === at.name);
      }
    }
  };

  const redraw = onceAFrame(() => model.call && show());
  model.onChange((news) => {
    if (!model.call) return;
    if (["layer", "call", "run"].some((key) => news.has(key))) build();
    redraw();
  });
  dark.addEventListener("change", redraw);
  build();
  show();
  return place;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
