// The page's arrays, from one packed text.

async function unpacked(packed) {
  const letters = atob(packed.text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  return packed.rows.map((row) => ({ shape: row.shape, data: oneArray(buffer, row) }));
}

function oneArray(buffer, { kind, exponents, count, begin }) {
  // All in one type: code that meets two is slower.
  if (kind === "f64") return new Float64Array(buffer, begin, count);
  if (kind === "f32") return Float64Array.from(new Float32Array(buffer, begin, count));
  // 24 bits of each number: all first bytes, all second ones, all third ones.
  const planes = new Uint8Array(buffer, begin, 3 * count);
  const scales = exponents.map((exponent) => 2 ** exponent);
  const data = new Float64Array(count);
  for (let i = 0; i < count; )
    for (let column = 0; column < scales.length; column++, i++) {
      const top = (planes[i] << 24) >> 8; // its sign is the number's
      data[i] = scales[column] * (top | (planes[count + i] << 8) | planes[2 * count + i]);
    }
  return data;
}

/** A number as people read it, four digits of it. */
function said(value) {
  if (!Number.isFinite(value)) return String(value).replace("Infinity", "∞").replace("-", "−");
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(2).replaceAll("-", "−");
  return (size >= 1e3 ? value.toFixed(1) : value.toPrecision(4)).replace("-", "−");
}
