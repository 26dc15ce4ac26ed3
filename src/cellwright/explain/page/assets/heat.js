// Every value at every step as heat maps under the input: units down, time across.

function heat(model, clock) {
  const share = el("progress", { max: 1, ariaLabel: "computing the values" });
  const maps = el("div.maps");
  const cursor = el("div.cursor");
  const stack = el("div.stack", { tabIndex: 0, role: "group", ariaLabel: "heat maps; arrow keys move the step and the unit" }, maps, cursor);
  const place = section("through-time", "Every value at every step", clock.place, share, stack);
  let shown = null;
  let rows = [];

  const row = (name, size, values) => {
    const words = `${name}: ${size} down, ${model.call.steps} steps across`;
    const canvas = el("canvas", { title: words, role: "img", ariaLabel: words });
    canvas.style.height = `${Math.min(130, Math.max(14, 7 * size))}px`;
    const span = spanOf(values);
    const [columns, shown] = thinned(values, model.call.steps, size);
    paint(canvas, shown, columns, size, span);
    const mark = el("div.mark");
    const frame = el("div.plot", {}, canvas, mark);
    const pick = (event) => {
      const box = canvas.getBoundingClientRect();
      const part = (at, from, whole, count) => Math.max(0, Math.min(count - 1, Math.floor(((at - from) / whole) * count)));
      const t = part(event.clientX, box.left, box.width, model.call.steps);
      const unit = part(event.clientY, box.top, box.height, size);
      model.go(name in model.run.values ? { t, name, unit } : { t });
    };
    frame.addEventListener("pointerdown", (event) => {
      frame.setPointerCapture(event.pointerId);
      pick(event);
    });
    frame.addEventListener("pointermove", (event) => event.buttons && pick(event));
    return { name, size, values, span, frame, mark };
  };

  const build = async () => {
    const { run, call, at } = model;
    share.hidden = false;
    stack.classList.add("waiting");
    const found = await model.everything((part) => (share.value = part));
    if (!found) return;
    share.hidden = true;
    stack.classList.remove("waiting");
    const size = model.input(0).length;
    const input = new Float32Array(size * call.steps);
    for (let t = 0; t < call.steps; t++) input.set(model.input(t), t * size);
    rows = [row(run.input, size, input)];
    for (const [name, values] of Object.entries(found)) rows.push(row(name, values.length / call.steps, values));
    maps.replaceChildren(...rows.flatMap((each) => [label(each), each.frame]));
    shown = `${at.call} ${at.run} ${at.row}`;
    move();
    tint();
    document.body.dataset.ready = shown;
  };
  const label = ({ name, size, span }) =>
    el(
      name in model.run.values ? "button.label" : "span.label",
      { onclick: () => name in model.run.values && model.go({ name }), title: `${size} numbers, colours ${span.words}` },
      el("b", {}, name),
      el("span.soft", {}, span.words),
    );
  const move = () => {
    const share = (model.at.t + 0.5) / model.call.steps;
    cursor.style.setProperty("--share", share);
    for (const { name, size, mark } of rows) {
      mark.hidden = name !== model.at.name;
      mark.style.setProperty("--unit", (model.at.unit + 0.5) / size);
    }
  };
  const tint = () => {
    const found = rows.find(({ name }) => name === model.at.name);
    if (found && model.call.labels.length) clock.colour(found.values, found.span, found.size, model.at.unit);
  };
  model.onChange((news) => {
    if (!model.call) return;
    if (["layer", "call", "run", "row"].some((key) => news.has(key))) build();
    move();
    if (news.has("name") || news.has("unit")) tint();
  });
  dark.addEventListener("change", build);
  build();
  return place;
}

const MOST_COLUMNS = 8000;

/** Values of so many steps as a canvas can have columns: of more, every so many-th. */
function thinned(values, steps, size) {
  const every = Math.ceil(steps / MOST_COLUMNS);
  if (every === 1) return [steps, values];
  const columns = Math.ceil(steps / every);
  const kept = new Float32Array(columns * size);
  for (let column = 0; column < columns; column++)
    kept.set(values.subarray(column * every * size, (column * every + 1) * size), column * size);
  return [columns, kept];
}
