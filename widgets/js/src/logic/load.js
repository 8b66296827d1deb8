// Curves of the load lab: what to draw of them, what they say at a load, and what a promise of speed costs.

/** @typedef {import("../contract").ServedCurve} Curve */
/** @typedef {import("../contract").Served} Served */
/** @typedef {"throughput" | "speed" | "budget" | "waste" | "acceptance" | "tau" | "step_ms" | "requests" | "speed_p95"} Quantity */

/** How contenders look wherever they are drawn; those not here take what is left, in order. @type {Record<string, { look: string, mark: string, dash: string }>} */
const KNOWN = {
  none: { look: "muted", mark: "cross", dash: "2 3" },
  "mtp-1": { look: "target", mark: "square", dash: "7 4" },
  "dspark early-break": { look: "draft", mark: "circle", dash: "" },
  "dspark lagged": { look: "bonus", mark: "star", dash: "9 3 2 3" },
  "dspark fixed": { look: "ok", mark: "triangle", dash: "5 2" },
  "dspark threshold": { look: "no", mark: "diamond", dash: "1 4" },
};
const LEFT = [
  { look: "text", mark: "diamond", dash: "12 4" },
  { look: "no", mark: "square", dash: "" },
  { look: "ok", mark: "circle", dash: "9 3 2 3" },
  { look: "bonus", mark: "triangle", dash: "2 3" },
  { look: "draft", mark: "star", dash: "7 4" },
  { look: "target", mark: "diamond", dash: "" },
];

/** @param {string[]} names @returns {Record<string, { look: string, mark: string, dash: string }>} */
export function looksOf(names) {
  const others = names.filter((name) => !(name in KNOWN));
  return Object.fromEntries(names.map((name) => [name, KNOWN[name] ?? LEFT[others.indexOf(name) % LEFT.length]]));
}

/** A quantity of a curve at a load, in a straight line between the points; null beyond them. @param {Curve} curve @param {Quantity} quantity @param {number} load @returns {number | null} */
export function valueAt(curve, quantity, load) {
  const { points } = curve;
  const above = points.findIndex((p) => p.load >= load);
  if (above < 0 || !points.length || load < points[0].load) return null;
  const [a, b] = [points[Math.max(0, above - 1)], points[above]];
  if (b.load === load || a === b) return b[quantity];
  const [low, high] = [a[quantity], b[quantity]];
  return low === null || high === null ? null : low + ((high - low) * (load - a.load)) / (b.load - a.load);
}

/** The most throughput with so much speed for each user, or more; null where no load simulated has it. @param {Curve} curve @param {number} speed @returns {Served | null} */
export function kept(curve, speed) {
  const fast = curve.points.filter((p) => p.speed >= speed);
  return fast.length ? fast.reduce((a, b) => (b.throughput > a.throughput ? b : a)) : null;
}

/** Round speeds that are worth promising: from what all contenders can keep to what one at least can. @param {Curve[]} curves @param {number} count @returns {number[]} */
export function promises(curves, count) {
  const speeds = curves.filter((c) => c.points.length).map((c) => c.points.map((p) => p.speed));
  if (!speeds.length) return [];
  const low = Math.max(...speeds.map((s) => Math.min(...s)));
  const high = Math.max(...speeds.map((s) => Math.max(...s)));
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(high)) - 1);
  return [...new Set(Array.from({ length: count }, (_, i) => Math.round((low + ((high - low) * i) / count) / unit) * unit))].filter((s) => s > 0);
}

/** The contender of a page's policy, of those simulated. @param {Curve[]} curves @param {string} policy @param {boolean} drafts @returns {Curve | undefined} */
export const curveOf = (curves, policy, drafts) => (drafts ? curves.find((c) => c.name !== "mtp-1" && c.name !== "none" && (c.policy === policy || (policy === "threshold" && c.policy === "threshold:0.5"))) : curves.find((c) => c.name === "none"));
