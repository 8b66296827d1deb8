// Small rounds for the tests: only the fields that the logic reads carry meaning.

/** @param {number} id */
export const token = (id) => ({ id, text: ` t${id}` });

/** @param {number} k @param {string} verdict @param {object} [more] */
export const position = (k, verdict, more = {}) => ({
  k, token: token(k), forced: false, u_draft: 0.5, cdf: [0.4, 0.6], p_base: 0.2, bias: 0.1, p_d: 0.5, confidence: 0.9, calibrated: null, survival: 0.9 ** k,
  verified: verdict !== "cut", p_t: 0.4, acceptance: 0.8, overlap: 0.9, u_accept: 0.3, verdict,
  base: [], biased_up: [], biased_down: [], draft: [], target: [], residual: [], ...more,
});

/** @param {number} index @param {string[]} verdicts @param {string} kind @param {object} [more] */
export function round(index, verdicts, kind, more = {}) {
  const positions = verdicts.map((v, i) => position(i + 1, v, /** @type {any} */ (more).position));
  const accepted = verdicts.filter((v) => v === "accepted").length;
  const last = kind === "none" ? null : token(90 + index);
  const emitted = [...positions.slice(0, accepted).map((p) => p.token), ...(last ? [last] : [])];
  return {
    index, anchor: token(0), context_length: 5, gamma: verdicts.length, verify_length: verdicts.filter((v) => v !== "cut").length,
    temperature: 1, top_k: 0, top_p: 1, positions, tree: null, schedule: null, final: { kind, position: accepted + 1, token: last, u: 0.5, cdf: [0.2, 0.7], head: [] },
    accepted, emitted, finished: kind === "none" ? "eos" : "", cache_before: 5, cache_after_verify: 9, cache_after_commit: 7, text: "",
    overrides: {}, timings: null
  };
}
