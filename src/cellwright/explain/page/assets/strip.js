// The network as a strip: a layer behind the other, with the shapes between them.

function strip(model) {
  const bar = el("nav.strip", { ariaLabel: "layers of the network" });
  const buttons = model.told.layers.map((layer, i) => {
    const button = el(
      "button.card",
      { onclick: () => model.go({ layer: i }), title: layer.words },
      el("b", {}, layer.kind),
      layer.name === layer.kind ? null : el("span.soft", {}, layer.name),
      layer.states ? el("span", {}, `states ${layer.states}`) : null,
      el("span", {}, `${layer.count} parameters`),
      el("span.share", { style: `width:${(100 * layer.share).toFixed(1)}%` }),
    );
    const before = model.told.layers[i - 1];
    const handed = before && before.path === layer.follows;
    if (i && !handed) bar.append(el("span.gap", { title: "what stands between is no layer, or this one was given something else" }));
    bar.append(handed ? "" : arrow(layer.takes), button, arrow(layer.gives));
    return button;
  });
  const show = () => buttons.forEach((button, i) => button.setAttribute("aria-current", i === model.at.layer));
  model.onChange((news) => news.has("layer") && show());
  show();
  return bar;
}

/** An arrow with a shape on it; what never ran has none. */
function arrow(shape) {
  return shape ? el("span.arrow", {}, el("span", {}, shape)) : "";
}
