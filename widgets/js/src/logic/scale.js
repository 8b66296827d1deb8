// Scales of charts: from values to pixels, round ticks, and the points nearest to a place.
import { whole } from "./format.js";

/** @typedef {{ (value: number): number, invert: (pixel: number) => number, domain: [number, number], log: number }} Scale */

/**
 * Straight, or logarithmic to the base ``log`` where that is not 0.
 * @param {[number, number]} domain @param {[number, number]} range @param {number} [log] @returns {Scale}
 */
export function makeScale(domain, range, log = 0) {
  const f = log ? Math.log : (/** @type {number} */ v) => v;
  const back = log ? Math.exp : (/** @type {number} */ v) => v;
  const [a, b] = domain.map(f);
  const slope = b === a ? 0 : (range[1] - range[0]) / (b - a);
  const scale = (/** @type {number} */ value) => range[0] + (f(value) - a) * slope;
  return Object.assign(scale, { domain, log, invert: (/** @type {number} */ pixel) => (slope ? back(a + (pixel - range[0]) / slope) : domain[0]) });
}

/** The round step (1, 2 or 5 times a power of ten) that divides a span into about so many. @param {number} span @param {number} count */
export function niceStep(span, count) {
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  return ([1, 2, 5, 10].find((m) => m * power >= raw * 0.999) ?? 10) * power;
}

/** Round values from low to high, about so many. @param {number} low @param {number} high @param {number} count @returns {number[]} */
export function linearTicks(low, high, count) {
  if (!(high > low)) return [low];
  const step = niceStep(high - low, count);
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first) + 1 }, (_, i) => Number(((first + i) * step).toFixed(digits)));
}

/** Powers of the base from low to high, between those of ten 2 and 5 too where there is room; thinned to about so many. @param {number} low @param {number} high @param {number} count @param {number} base @returns {number[]} */
export function logTicks(low, high, count, base) {
  const inside = (/** @type {number} */ v) => v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9);
  const [from, to] = [Math.floor(Math.log(low) / Math.log(base) + 1e-9), Math.ceil(Math.log(high) / Math.log(base) - 1e-9)];
  const powers = Array.from({ length: to - from + 1 }, (_, i) => Number((base ** (from + i)).toPrecision(12)));
  if (base === 10) {
    const fine = powers.flatMap((p) => [1, 2, 5].map((m) => Number((m * p).toPrecision(12)))).filter(inside);
    if (fine.length <= count * 1.5) return fine;
  }
  const found = powers.filter(inside);
  const every = Math.ceil(found.length / Math.max(1, count));
  return found.filter((_, i) => i % every === 0);
}

/**
 * An axis over these values: its domain, widened to round numbers where no end is given, and its ticks.
 * @param {number[]} values @param {{ min?: number, max?: number, log?: number, ticks?: number[] }} axis @param {number} count @returns {{ domain: [number, number], ticks: number[] }}
 */
export function makeAxis(values, axis, count) {
  const log = axis.log ?? 0;
  const there = values.filter((v) => Number.isFinite(v) && (!log || v > 0));
  let low = axis.min ?? (there.length ? Math.min(...there) : log ? 1 : 0);
  let high = axis.max ?? (there.length ? Math.max(...there) : log ? 10 : 1);
  if (log) {
    if (high <= low) [low, high] = [low / log, low * log];
    return { domain: [low, high], ticks: (axis.ticks ?? logTicks(low, high, count, log)).filter((t) => t >= low * (1 - 1e-9) && t <= high * (1 + 1e-9)) };
  }
  if (high <= low) [low, high] = [axis.min ?? low - 0.5, axis.max ?? low + 0.5];
  const step = niceStep(high - low, count);
  if (axis.min === undefined) low = Math.floor(low / step + 1e-9) * step;
  if (axis.max === undefined) high = Math.ceil(high / step - 1e-9) * step;
  return { domain: [low, high], ticks: (axis.ticks ?? linearTicks(low, high, count)).filter((t) => t >= low - 1e-9 && t <= high + 1e-9) };
}

/** A number of an axis or a table: 12,000, 350, 4.25, .05. @param {number} value */
export function plain(value) {
  const size = Math.abs(value);
  if (size >= 100) return whole(value);
  if (size >= 10) return String(Number(value.toFixed(1)));
  return String(Number(value.toPrecision(3)));
}

/**
 * @typedef {{ x: number, y: number | null, low?: number, high?: number, note?: string, id?: any }} Point
 * @typedef {{ s: number, i: number }} Spot number of a series, and of a point in it
 */

/** All points that can be read out, as spots. @param {{ points: Point[], still?: boolean }[]} series @returns {Spot[]} */
export const spots = (series) => series.flatMap(({ points, still }, s) => (still ? [] : points.flatMap(({ y }, i) => (y === null ? [] : [{ s, i }]))));

/** The spot nearest to a pixel; null where there is none. @param {{ points: Point[], still?: boolean }[]} series @param {(p: Point) => [number, number]} place @param {number} px @param {number} py @returns {Spot | null} */
export function nearest(series, place, px, py) {
  let best = null;
  let least = Infinity;
  for (const spot of spots(series)) {
    const [x, y] = place(series[spot.s].points[spot.i]);
    const far = (x - px) ** 2 + (y - py) ** 2;
    if (far < least) [best, least] = [spot, far];
  }
  return best;
}

/**
 * Where an arrow key leads from a spot: left and right along the series, up and down to the next series with the point nearest in x.
 * @param {{ points: Point[], still?: boolean }[]} series @param {Spot | null} from @param {string} key @returns {Spot | null} null where the key means nothing here
 */
export function move(series, from, key) {
  const all = spots(series);
  if (!all.length) return null;
  if (!from || !all.some((a) => a.s === from.s && a.i === from.i)) return ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(key) ? all[0] : null;
  const own = all.filter((a) => a.s === from.s).sort((a, b) => series[a.s].points[a.i].x - series[b.s].points[b.i].x);
  const at = own.findIndex((a) => a.i === from.i);
  if (key === "Home") return own[0];
  if (key === "End") return own[own.length - 1];
  if (key === "ArrowLeft") return own[Math.max(0, at - 1)];
  if (key === "ArrowRight") return own[Math.min(own.length - 1, at + 1)];
  if (key !== "ArrowUp" && key !== "ArrowDown") return null;
  const there = [...new Set(all.map((a) => a.s))];
  const next = there[(there.indexOf(from.s) + (key === "ArrowDown" ? 1 : there.length - 1)) % there.length];
  const x = series[from.s].points[from.i].x;
  const far = (/** @type {Spot} */ a) => Math.abs(series[a.s].points[a.i].x - x);
  return all.filter((a) => a.s === next).reduce((a, b) => (far(b) < far(a) ? b : a));
}

/** A chart as a table: a row for each x that its series have, a column for each series; where each has an x of its own, a row a point. @param {{ name: string, points: Point[] }[]} series */
export function tabled(series) {
  const xs = [...new Set(series.flatMap((s) => s.points.map((p) => p.x)))].sort((a, b) => a - b);
  const points = series.reduce((sum, s) => sum + s.points.length, 0);
  if (series.length > 1 && xs.length > points * 0.75) return { pivot: false, rows: series.flatMap((s) => s.points.filter((p) => p.y !== null).map((p) => ({ name: s.name, x: p.x, ys: [p.y] }))) };
  const found = series.map((s) => new Map(s.points.map((p) => [p.x, p.y])));
  return { pivot: true, rows: xs.map((x) => ({ name: "", x, ys: found.map((ys) => ys.get(x) ?? null) })) };
}
