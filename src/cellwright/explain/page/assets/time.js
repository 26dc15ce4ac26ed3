// Which step is looked at: a slider, the text that was read, and what is chosen.

function time(model) {
  const slider = el("input", {
    type: "range",
    min: 0,
    id: "step",
    ariaLabel: "time step",
    oninput: () => model.go({ t: slider.valueAsNumber }),
  });
  const said = el("output", { id: "said" });
  const choices = el("div.choices");
  const text = el("div.text", { role: "group", ariaLabel: "what was read" });
  const place = el("div.time", {}, choices, el("div.scrub", {}, slider, said), text);

  const build = () => {
    const { call, at } = model;
    slider.max = call.steps - 1;
    const layer = model.told.layers[at.layer];
    const controls = [];
    if (layer.calls.length > 1) {
      const names = layer.calls.map((which, i) => `call ${i}`);
      const chosen = layer.calls.indexOf(at.call);
      controls.push(choice("call", "call ", names, chosen, (i) => model.go({ call: layer.calls[i] })));
    }
    if (call.runs.length > 1) {
      const names = call.runs.map((run) => `${run.layer}${run.backwards ? ", backwards" : ""}`);
      controls.push(choice("run", "layer ", names, at.run, (run) => model.go({ run })));
    }
    if (call.rows > 1) {
      const names = Array.from({ length: call.rows }, (_, row) => `${row} of ${call.batch}`);
      controls.push(choice("row", "row ", names, at.row, (row) => model.go({ row })));
    }
    replaced(choices, ...controls);
    text.replaceChildren(
      ...call.labels.map((label, t) => el("span", { onclick: () => model.go({ t }) }, label)),
    );
    text.hidden = !call.labels.length || at.row > 0;
  };
  const move = () => {
    const { call, at } = model;
    slider.value = at.t;
    said.textContent = `step ${at.t + 1} of ${call.steps}, index ${at.t}`;
    slider.setAttribute("aria-valuetext", said.textContent);
    [...text.children].forEach((span, t) => span.classList.toggle("now", t === at.t));
  };
  model.onChange((news) => {
    if (!model.call) return;
    if (["layer", "call", "run", "row"].some((key) => news.has(key))) build();
    move();
  });
  build();
  move();
  return { place, colour: (values, span, size, unit) => colourText(text, values, span, size, unit) };
}

/** The text coloured by one unit's value at each step. */
function colourText(text, values, span, size, unit) {
  const colours = scale();
  [...text.children].forEach((letter, t) => {
    const value = values[t * size + unit];
    const rgb = mixed(value, span, colours);
    Object.assign(letter.style, { background: css(rgb), color: inkOn(rgb) });
    letter.title = said(value);
  });
}
