// Scales of the plot: whole decades for errors, a snug range for residuals, and what stands at their ticks.

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

/** The label of a tick, with as many digits as tell it from the next one. */
export function tick(value, splits) {
  const power = Math.log10(value);
  if (Math.abs(power - Math.round(power)) < 1e-9) return `1e${Math.round(power)}`;
  const apart = splits.length > 1 ? Math.abs(splits[1] - splits[0]) / value : 1;
  return value.toExponential(Math.min(6, Math.max(1, Math.ceil(-Math.log10(apart))))).replace("e+", "e");
}
