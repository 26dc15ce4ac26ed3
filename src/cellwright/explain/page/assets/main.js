// Put the page together, and listen to the keyboard.

const told = JSON.parse(document.getElementById("told").textContent);
const model = new Model(told, await unpacked(told.arrays));

const first = told.layers.findIndex((layer) => layer.calls.length);
model.go({ layer: Math.max(first, 0) });

function unrolled(model) {
  const place = section("unrolled", "Folded, and step by step");
  const show = () => {
    const { call, at } = model;
    const { recurrence } = told.layers[at.layer];
    if (!recurrence) return;
    const { units, sees } = recurrence;
    place.replaceChildren(
      place.firstChild,
      el("p", {}, `Units are not time steps: the ${units} units are there at each of the ${call.steps} steps, and the weights are the same at every step. ${REACHES[sees]}`),
      drawing(call.network),
    );
  };
  model.onChange((news) => model.call && (news.has("layer") || news.has("call")) && show());
  show();
  return place;
}

const REACHES = {
  all: "What a unit puts out at a step reaches all units of its layer at the next one.",
  head: "What a unit puts out at a step reaches the units of its own head at the next one.",
  own: "What a unit puts out at a step reaches itself alone at the next one.",
};

const totals = told.totals.map(([label, text]) => el("span", {}, el("b", {}, text), ` ${label}`));
const page = document.getElementById("page");
page.append(
  el("header", {}, el("h1", {}, told.title), el("p.totals", {}, ...totals)),
  strip(model),
  ...told.missing.map((text) => el("p.missing", {}, text)),
);
const opened = el("main");
if (told.calls.length) {
  const clock = time(model);
  const inside = [heat(model, clock), cell(model), unit(model), unrolled(model), horizon(model)];
  opened.append(...inside);
  const show = () => inside.forEach((part) => part.classList.toggle("elsewhere", !told.layers[model.at.layer].calls.length));
  model.onChange(show);
  show();
}
opened.append(facts(model));
page.append(
  opened,
  el("footer", {}, el("kbd", {}, "←"), el("kbd", {}, "→"), " time step, ", el("kbd", {}, "↑"), el("kbd", {}, "↓"), " unit, ", el("kbd", {}, "["), el("kbd", {}, "]"), " value, ", el("kbd", {}, "Home"), el("kbd", {}, "End"), " first and last step. Values and products are computed by this page, from the equations; it asks no one for anything."),
);

const KEYS = {
  ArrowLeft: () => ({ t: model.at.t - 1 }),
  ArrowRight: () => ({ t: model.at.t + 1 }),
  ArrowUp: () => ({ unit: model.at.unit - 1 }),
  ArrowDown: () => ({ unit: model.at.unit + 1 }),
  Home: () => ({ t: 0 }),
  End: () => ({ t: Infinity }),
  "[": () => ({ name: neighbour(-1) }),
  "]": () => ({ name: neighbour(1) }),
};

function neighbour(by) {
  const names = Object.keys(model.run.values);
  return names[(names.indexOf(model.at.name) + by + names.length) % names.length];
}

// Keys that scroll a page are ours beside the heat maps and the cell alone.
const SCROLLING = ["ArrowUp", "ArrowDown", "Home", "End"];

addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (!model.call || !told.layers[model.at.layer].calls.length || !(key in KEYS)) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (target.closest?.("input, select, .drawing")) return;
  if (SCROLLING.includes(key) && !target.closest?.("#through-time, #cell")) return;
  event.preventDefault();
  model.go(KEYS[event.key]());
});
globalThis.cellwright = model; // for the console
document.body.dataset.open = "true";
