// Reading a plan: the queue around the stop, curves drawn by hand, and what thresholds do to a text's own rounds.

/** @typedef {import("../contract").Plan} Plan */
/** @typedef {import("../contract").Round} Round */
/** @typedef {{ n: number, own: boolean, request: number, k: number, survival: number, theta: number, admitted: boolean }} Place */

const PREFIX = ["early-break", "lagged", "global", "fixed"];

/** How many places of the queue are admitted; null where a policy picks them out of order. @param {Plan} plan */
export const stopOf = (plan) => (PREFIX.includes(plan.policy) ? plan.schedule.tokens - plan.load - 1 : null);

/** @param {Plan} plan @returns {Place[]} */
export function placesOf(plan) {
  const stop = stopOf(plan);
  const { n, request, k, survival, theta } = plan.path;
  return n.map((place, i) => {
    const own = request[i] === 0;
    return { n: place, own, request: request[i], k: k[i], survival: survival[i], theta: theta[i], admitted: own ? k[i] <= plan.schedule.length : stop !== null && place <= stop };
  });
}

/** The places next to the stop and those of the reader's own tokens. @param {Plan} plan @param {number} near */
export function queueOf(plan, near) {
  const stop = stopOf(plan);
  return placesOf(plan).filter((p) => p.own || (stop !== null && p.n > stop - near && p.n <= stop + near));
}

const CURVE = "curve:";

/** A step rate drawn by hand, by its name. @param {[number, number][]} points */
export const curveName = (points) => CURVE + points.map(([tokens, rate]) => `${tokens}=${Number(rate.toPrecision(5))}`).join(",");

/** Its points; null where the name is that of no such curve. @param {string} name @returns {[number, number][] | null} */
export function curvePoints(name) {
  if (!name.startsWith(CURVE)) return null;
  return name.slice(CURVE.length).split(",").map((part) => /** @type {[number, number]} */ (part.split("=").map(Number)));
}

/** The same curve with the rate at one point put to another. @param {[number, number][]} points @param {number} index @param {number} rate */
export const redrawn = (points, index, rate) => points.map((point, i) => /** @type {[number, number]} */ (i === index ? [point[0], Math.max(rate, 1e-3)] : point));

/** Between the points the time of a step grows in a straight line. @param {[number, number][]} points @param {number} tokens */
export function rateAt(points, tokens) {
  const i = points.findIndex(([b]) => b >= tokens);
  if (i < 0) return points[points.length - 1][1];
  if (i === 0) return points[0][1];
  const [[a, low], [b, high]] = [points[i - 1], points[i]];
  return 1 / (1 / low + ((tokens - a) / (b - a)) * (1 / high - 1 / low));
}

/** Leading positions whose raw c_k is at least the threshold. @param {Round} round @param {number} threshold */
export function sureOf(round, threshold) {
  const first = round.positions.findIndex((p) => (p.confidence ?? 0) < threshold);
  return first < 0 ? round.positions.length : first;
}

/**
 * Draft tokens verified and accepted a round, had each threshold cut the rounds of a text. What lies behind a cut of their own they do not tell.
 * @param {Round[]} rounds @param {number[]} thresholds
 */
export function sweepOf(rounds, thresholds) {
  const drafted = rounds.filter((r) => r.positions.length && r.positions[0].confidence !== null);
  const points = thresholds.map((threshold) => {
    const cuts = drafted.map((r) => Math.min(sureOf(r, threshold), r.verify_length));
    const sum = (/** @type {number[]} */ values) => values.reduce((a, b) => a + b, 0) / Math.max(1, drafted.length);
    return { threshold, verified: sum(cuts), accepted: sum(cuts.map((cut, i) => Math.min(cut, drafted[i].accepted))) };
  });
  return { rounds: drafted.length, cut: drafted.filter((r) => r.verify_length < r.gamma).length, points };
}
