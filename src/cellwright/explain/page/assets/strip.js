// The network as a strip: a layer behind the other, with the shapes between them.

function strip(model) {
  const bar = el("nav.strip", { ariaLabel: "layers of the network" });
  const buttons = model.told.layers.map((layer, i) => {
    const button = el(
      "button.layer",
      { onclick: () => model.go({ layer: i }), title: layer.words },
      el("b", {}, layer.kind),
      layer.name === layer.kind ? null : el("span.soft", {}, layer.name),
      layer.states ? el("span", {}, `states ${layer.states}`) : null,
      el("span", {}, `${layer.count} parameters`),
      el("span.share", { style: `width:${(100 * layer.share).toFixed(1)}%` }),
    );
    bar.append(arrow(i ? null : layer.takes), button, arrow(layer.gives));
    return button;
  });
  const show = () => buttons.forEach((button, i) => button.setAttribute("aria-current", i === model.at.layer));
  model.onChange((news) => news.has("layer") && show());
  show();
  return bar;
}

/** An arrow with a shape on it; between two layers there is one. */
function arrow(shape) {
  return shape === null ? "" : el("span.arrow", {}, el("span", {}, shape || "·"));
}
