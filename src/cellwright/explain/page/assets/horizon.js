// How far back learning reaches: the gradient's norm, step by step back in time.

const DECADES = 6;

function horizon(model) {
  const strips = el("div.horizons");
  const place = section(
    "horizon",
    "How far back learning reaches",
    el("p", {}, "The norm of the gradient of the last output at each earlier state, the mean over the rows of the batch: from the largest (blue) down to a millionth of it; grey is exactly 0."),
    strips,
  );
  const show = () => {
    const { suffix } = model.run;
    const found = model.call.horizon.filter(({ state }) => state.endsWith(suffix));
    place.hidden = !found.length;
    strips.replaceChildren(...found.map(one));
  };
  const one = ({ state, norms, reach, finding }) => {
    const most = largest(norms);
    const words = `${state}: k = 0 at the left, k = ${norms.length - 1} at the right`;
    const canvas = el("canvas", { title: words, role: "img", ariaLabel: words });
    const depth = norms.map((norm) => (norm > 0 ? Math.max(0.08, 1 + Math.log10(norm / most) / DECADES) : 0));
    paint(canvas, depth, norms.length, 1, { zero: 0, size: 1 });
    const share = reach === null ? 0 : (100 * (reach + 1)) / norms.length;
    const mark = el("span.reach", { style: `width:${share}%` });
    return el(
      "figure",
      {},
      el("figcaption", {}, el("b", {}, state), ` reaches ${reach ?? "no"} steps back (1 % of the largest norm); ${finding}`),
      el("div.plot", {}, canvas, mark),
      el("div.ends.soft", {}, el("span", {}, "k = 0"), el("span", {}, `k = ${norms.length - 1}`)),
    );
  };
  model.onChange((news) => model.call && ["layer", "call", "run"].some((key) => news.has(key)) && show());
  dark.addEventListener("change", show);
  show();
  return place;
}
