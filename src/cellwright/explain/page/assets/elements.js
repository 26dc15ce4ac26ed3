// Small helpers round the page's elements.

/** An element: el("p.note", { title: "…" }, "text", other, …). */
function el(what, properties = {}, ...inside) {
  const [tag, ...classes] = what.split(".");
  const found = document.createElement(tag);
  if (classes.length) found.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) found.addEventListener(name.slice(2), value);
    else if (name in found) found[name] = value;
    else found.setAttribute(name, value);
  }
  found.append(...inside.filter((each) => each !== null && each !== undefined));
  return found;
}

/** A part of the page with a heading. */
function section(id, title, ...inside) {
  return el("section", { id, ariaLabel: title }, el("h2", {}, title), ...inside);
}

/** A drop-down list that calls back with the place of what was chosen. */
function choice(id, label, options, chosen, onchange) {
  const list = el("select", { id, onchange: () => onchange(list.selectedIndex) });
  list.append(...options.map((text) => el("option", {}, text)));
  list.selectedIndex = chosen;
  return el("label", {}, label, list);
}

/** Put other elements into a place; who had the focus there has it in the new one. */
function replaced(place, ...inside) {
  const { activeElement } = document;
  const focused = place.contains(activeElement) ? activeElement.id : null;
  place.replaceChildren(...inside);
  if (focused === null) return;
  const next = focused && document.getElementById(focused);
  if (next) return next.focus();
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
}

/** Rows of labels and texts. */
function lines(rows) {
  const found = el("dl.lines");
  for (const [label, text] of rows) found.append(el("dt", {}, label), el("dd", {}, text));
  return found;
}

/** Inline SVG of ours; its notes show when the pointer rests on them. */
function drawing(text) {
  const found = el("div.drawing", { tabIndex: 0 });
  found.innerHTML = text;
  return found;
}

/** Call at most once a frame, with what was asked for last. */
function onceAFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}
