// Scales of pictures: round numbers on an even axis, whole decades for errors, a snug range for residuals, and what stands at their ticks.

/** The range of errors: whole decades around the points and the goal, three at the least. */
export function decades(least, most, goal) {
  const low = Math.min(least ?? 1e-16, goal?.value ?? Infinity);
  const high = Math.max(most ?? 1, goal?.value ?? 0);
  const [from, to] = [Math.floor(Math.log10(low) - 0.3), Math.ceil(Math.log10(high) + 0.3)];
  return [10 ** from, 10 ** Math.max(to, from + 3)];
}

/** Ticks at decades, about six. */
export function decadeSplits(least, most) {
  const [from, to] = [Math.round(Math.log10(least)), Math.round(Math.log10(most))];
  const step = Math.max(1, Math.ceil((to - from) / 6));
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => 10 ** (to - index * step)).reverse();
}

/** The range of residuals, which may differ little: what they take, and some slack. */
export function snug(least, most) {
  if (least === null || most === null) return [0.1, 10];
  const slack = Math.max((most / least) ** 0.15, 1.01);
  return [least / slack, most * slack];
}

/** Three or four round ticks where a range has no two decades. */
export function fewSplits(least, most) {
  if (most / least >= 100) return decadeSplits(10 ** Math.ceil(Math.log10(least)), 10 ** Math.floor(Math.log10(most)));
  const rough = (most - least) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const found = [];
  for (let value = Math.ceil(least / step) * step; value <= most; value += step) found.push(value);
  return found;
}

/**
 * About so many round numbers between the ends of an even axis, 0 among them where it lies there.
 * @param {number[]} ends @param {number} count
 */
export function evenSplits([low, high], count) {
  const rough = ((high / 2 - low / 2) / count) * 2; // by halves: the ends may be farther apart than numbers reach
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999) ?? rough;
  const [first, last] = [Math.ceil(low / step), Math.floor(high / step)];
  if (!(step > 0) || !Number.isSafeInteger(first) || !Number.isSafeInteger(last) || last < first) return [low, high];
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step || 0);
}

/** What stands at a round number of an even axis: as many digits as tell it from the next one, an exponent where it is shorter so. */
export function evenTick(value, splits) {
  if (value === 0) return "0";
  const step = splits.length > 1 ? Math.abs(splits[1] / 2 - splits[0] / 2) * 2 : Math.abs(value);
  const most = Math.max(...splits.map(Math.abs));
  const digits = Math.max(0, Math.min(15, Math.ceil(Math.log10(most / step) - 1e-9)));
  if (most >= 1e6 || step < 1e-4) return value.toExponential(Math.min(digits, 12)).replace(/\.?0+e/, "e").replace("e+", "e");
  return value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
}

/** The label of a tick, with as many digits as tell it from the next one. */
export function tick(value, splits) {
  const power = Math.log10(value);
  if (Math.abs(power - Math.round(power)) < 1e-9) return `1e${Math.round(power)}`;
  const apart = splits.length > 1 ? Math.abs(splits[1] - splits[0]) / value : 1;
  return value.toExponential(Math.min(6, Math.max(1, Math.ceil(-Math.log10(apart))))).replace("e+", "e");
}
