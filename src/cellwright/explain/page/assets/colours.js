// Numbers as colours: orange below 0, the page's ground at 0, blue above.

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Red, green, blue at 0, at −1 and at 1, as the page is light or dark just now. */
function scale() {
  return dark.matches
    ? { none: [30, 34, 40], low: [240, 150, 60], high: [90, 185, 240] }
    : { none: [244, 246, 248], low: [200, 105, 0], high: [0, 95, 165] };
}

/** The largest size of some numbers, infinities left out; 1 if all are 0. */
function largest(values) {
  let found = 0;
  for (const value of values) {
    const size = Math.abs(value);
    if (size > found && size !== Infinity) found = size;
  }
  return found || 1;
}

/**
 * What the colours of some numbers span: from 0 to the largest size. Where all lie far
 * from 0, as a potential of −65 does, from the one that is nearest.
 */
function spanOf(values) {
  const finite = Array.from(values).filter(Number.isFinite);
  const least = finite.reduce((a, b) => Math.min(a, b), Infinity);
  const most = finite.reduce((a, b) => Math.max(a, b), -Infinity);
  const [near, far] = Math.abs(least) < Math.abs(most) ? [least, most] : [most, least];
  if (near / far > 0.5 && near !== far) return { zero: near, size: Math.abs(far - near), words: `${said(least)} to ${said(most)}` };
  const size = largest(finite);
  return { zero: 0, size, words: `±${said(size)}` };
}

function mixed(value, { zero, size }, { none, low, high }) {
  const share = Math.max(-1, Math.min(1, (value - zero) / size)) || 0;
  const end = share < 0 ? low : high;
  return none.map((from, i) => from + (end[i] - from) * Math.abs(share));
}

/** Ink that can be read on a colour. */
const inkOn = ([red, green, blue]) => (0.3 * red + 0.59 * green + 0.11 * blue > 140 ? "#1b1f24" : "#f6f8fa");

const css = (rgb) => `rgb(${rgb.map(Math.round).join(" ")})`;

/** Paint numbers [columns, rows] into a canvas, one pixel each. */
function paint(canvas, values, columns, rows, span) {
  canvas.width = columns;
  canvas.height = rows;
  const image = new ImageData(columns, rows);
  const colours = scale();
  for (let column = 0; column < columns; column++)
    for (let row = 0; row < rows; row++) {
      const rgb = mixed(values[column * rows + row], span, colours);
      image.data.set([...rgb, 255], 4 * (row * columns + column));
    }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
