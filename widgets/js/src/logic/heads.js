// Two heads of distributions side by side, what lies beyond them, and how far they are apart.
import { compare } from "../draw/bars.js";

/** @typedef {import("../contract").Choice} Choice */
/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../contract").Position} Position */
/** @typedef {{ value: number, exact: boolean }} Amount */

/** What is left of 1 beside the exact values. @param {(Amount | null)[]} amounts @returns {Amount} */
export const rest = (amounts) => ({ value: Math.max(0, 1 - amounts.reduce((sum, a) => sum + (a?.exact ? a.value : 0), 0)), exact: true });

/** The share of a position's residual that a token has; null where the trace does not tell. @param {Position} p @param {number} id @param {Amount} t @param {Amount} d @returns {Amount | null} */
export function residualOf(p, id, t, d) {
  const hit = p.residual.find((c) => c.token.id === id);
  if (hit) return { value: hit.value, exact: true };
  const mass = 1 - (p.overlap ?? 1);
  if (mass < 1e-9) return null;
  if (t.exact && d.exact) return { value: Math.max(0, t.value - d.value) / mass, exact: true };
  return t.exact || p.residual.length < 8 ? { value: 0, exact: true } : null;
}

/**
 * How much of the probability the sequential head moves at a position (at least; total variation), and the token that gains most.
 * @param {Position} p */
export function headShift(p) {
  const rows = compare(p.draft, p.base, { token: p.token, t: p.p_d, d: p.p_base ?? 0 }, 99);
  const gains = rows.map(({ token, t, d }) => ({ token, t, d, gain: (t.exact ? t.value : 0) - d.value }));
  const most = gains.reduce((a, b) => (b.gain > a.gain ? b : a));
  return { shift: gains.reduce((sum, { gain }) => sum + Math.max(0, gain), 0), most };
}

/** The positions where the head changes the most, most first. @param {Round[]} rounds @param {number} n */
export function headPeaks(rounds, n) {
  const all = rounds.flatMap((round) => round.positions.filter((p) => p.bias !== null).map((p) => ({ round, p, ...headShift(p) })));
  return all.filter((x) => x.shift > 0.05).sort((a, b) => b.shift - a.shift).slice(0, n);
}
