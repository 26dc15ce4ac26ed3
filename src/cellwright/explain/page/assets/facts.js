// What is true of the opened layer, line by line.

function facts(model) {
  const place = section("facts", "The layer in numbers");
  const show = () => {
    const layer = model.told.layers[model.at.layer];
    place.replaceChildren(place.firstChild, el("p", {}, el("code", {}, layer.words)), lines(layer.rows));
  };
  model.onChange((news) => news.has("layer") && show());
  show();
  return place;
}
