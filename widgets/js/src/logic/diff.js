// What a fork changed: the rounds of a branch, the texts side by side, the cells, and the smallest cause.
import { translated } from "../language.js";

/** @typedef {import("../contract").Trace} Trace */
/** @typedef {import("../contract").Branch} Branch */
/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../contract").Token} Token */
/** @typedef {import("../contract").Position} Position */
/** @typedef {{ id: number, name: string, parent: number | null, round: number, overrides: Overrides, rounds: Round[], growing: boolean }} Shown ``growing`` while its rounds are being run */
/** @typedef {{ tokens: Record<string, number>, uniforms: Record<string, number>, verify_length: number | null, settings: Record<string, number | string>, confidence: Record<string, number> }} Overrides */

/** Overrides with every field there. @param {Record<string, any> | null | undefined} value @returns {Overrides} */
export function overridesOf(value) {
  return {
    tokens: value?.tokens ?? {},
    uniforms: value?.uniforms ?? {},
    verify_length: value?.verify_length ?? null,
    settings: value?.settings ?? {},
    confidence: value?.confidence ?? {},
  };
}

/** What a round already has changed by hand, with new changes on top. @param {Overrides} old @param {Overrides} next @returns {Overrides} */
export function merged(old, next) {
  return {
    tokens: { ...old.tokens, ...next.tokens },
    uniforms: { ...old.uniforms, ...next.uniforms },
    verify_length: next.verify_length ?? old.verify_length,
    settings: { ...old.settings, ...next.settings },
    confidence: { ...old.confidence, ...next.confidence },
  };
}

/** @param {Overrides} o */
export const changes = (o) =>
  [o.tokens, o.uniforms, o.settings, o.confidence].reduce((sum, part) => sum + Object.keys(part).length, o.verify_length === null ? 0 : 1);

/**
 * The original and its forks with all their rounds: a fork has its parent's up to where it left. ``growing`` is a fork that is being run.
 * @param {Round[]} rounds @param {Branch[]} branches @param {string} original @param {Branch | null} [growing] @returns {Shown[]}
 */
export function assemble(rounds, branches, original, growing = null) {
  /** @type {Shown[]} */
  const shown = [{ id: 0, name: original, parent: null, round: 0, overrides: overridesOf(null), rounds, growing: false }];
  for (const b of growing ? [...branches, growing] : branches) {
    const parent = shown.find((s) => s.id === b.parent);
    if (!parent) continue;
    const all = parent.rounds.slice(0, b.round).concat(b.rounds);
    shown.push({ id: b.id, name: translated(b.name), parent: b.parent, round: b.round, overrides: overridesOf(b.overrides), rounds: all, growing: b === growing });
  }
  return shown;
}

/** @param {Round[]} rounds @returns {Token[]} */
export const emitted = (rounds) => rounds.flatMap((r) => r.emitted);

/**
 * Two token sequences aligned: "same" in both, "a" only in the first, "b" only in the second.
 * A longest common subsequence, over what is left between the common start and end.
 * @param {Token[]} a @param {Token[]} b @returns {{ kind: "same" | "a" | "b", token: Token }[]}
 */
export function align(a, b) {
  let start = 0;
  while (start < a.length && start < b.length && a[start].id === b[start].id) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end].id === b[b.length - 1 - end].id) end++;
  const left = a.slice(start, a.length - end);
  const right = b.slice(start, b.length - end);
  const width = right.length + 1;
  const table = new Uint16Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      const [skipA, skipB] = [table[(i + 1) * width + j], table[i * width + j + 1]];
      table[i * width + j] = left[i].id === right[j].id ? table[(i + 1) * width + j + 1] + 1 : Math.max(skipA, skipB);
    }
  }
  /** @type {{ kind: "same" | "a" | "b", token: Token }[]} */
  const result = a.slice(0, start).map((token) => ({ kind: "same", token }));
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i].id === right[j].id) {
      result.push({ kind: "same", token: left[i++] });
      j++;
    } else if (j >= right.length || (i < left.length && table[(i + 1) * width + j] >= table[i * width + j + 1])) {
      result.push({ kind: "a", token: left[i++] });
    } else {
      result.push({ kind: "b", token: right[j++] });
    }
  }
  return result.concat(a.slice(a.length - end).map((token) => ({ kind: "same", token })));
}

/** More than another length of the same batch makes of it in float32. @param {number | null} a @param {number | null} b */
const differ = (a, b) => (a === null || b === null ? a !== b : Math.abs(a - b) > 1e-5);

/**
 * Rows of a position that differ from another branch's, by the table's row names.
 * @param {Position | undefined} p @param {Position | undefined} q @returns {Set<string>}
 */
export function changedRows(p, q) {
  /** @type {Set<string>} */
  const rows = new Set();
  if (!p || !q) return rows;
  const token = p.token.id !== q.token.id;
  if (token) rows.add("token");
  if (token || differ(p.p_base, q.p_base)) rows.add("base");
  if (token || differ(p.bias, q.bias)) rows.add("bias");
  if (token || differ(p.p_d, q.p_d) || differ(p.u_draft, q.u_draft)) rows.add("draft");
  if (differ(p.confidence, q.confidence)) rows.add("conf");
  if (differ(p.survival, q.survival)) rows.add("survival");
  if (token || differ(p.p_t, q.p_t)) rows.add("target");
  if (differ(p.u_accept, q.u_accept)) rows.add("u");
  if (p.verdict !== q.verdict) rows.add("verdict");
  return rows;
}

/** The same of the final token. @param {Round} a @param {Round | undefined} b @returns {Set<string>} */
export function changedFinal(a, b) {
  if (!b) return new Set();
  const [f, g] = [a.final, b.final];
  const differs = { token: f.token?.id !== g.token?.id, u: differ(f.u, g.u), verdict: f.kind !== g.kind };
  return new Set(Object.entries(differs).flatMap(([row, yes]) => (yes ? row : [])));
}

/**
 * The first effect of a fork in its own round: the leftmost position whose token or verdict is another one, else the
 * final token, else nothing.
 * @param {Round | undefined} before @param {Round | undefined} after
 * @returns {{ what: "token" | "verdict" | "final" | "none", k: number }}
 */
export function firstEffect(before, after) {
  if (!before || !after) return { what: "none", k: 0 };
  for (const p of after.positions) {
    const q = before.positions[p.k - 1];
    if (!q || p.token.id !== q.token.id) return { what: "token", k: p.k };
    if (p.verdict !== q.verdict) return { what: "verdict", k: p.k };
  }
  const [a, b] = [after.final, before.final];
  if (a.kind !== b.kind || a.token?.id !== b.token?.id) return { what: "final", k: a.position };
  return { what: "none", k: 0 };
}
