// Every symbol and term of the page: what it is written as, its equation, its general formula, and where it is shown. The words
// are GLOSSARY in strings.js. Popups and the drawer both draw from here.
import { EQ, GLOSSARY } from "../strings.js";
import { math } from "./math.js";

/** @typedef {{ id?: string, title: string, symbol?: string, ref: string, lines: any[], note?: string }} Equation ``lines`` are formulas, general ones first */
/** @typedef {keyof typeof GLOSSARY} Id */
/**
 * ``symbol`` and ``formula`` as math`…` takes them; ``eq`` is the paper's number, ``algorithm`` that of its algorithm, ``rule`` the
 * rule of speculative sampling. ``row`` is the table's row, ``at`` another place by selector, in the tab ``tab``.
 * @typedef {{ symbol?: string, formula?: string[], eq?: number, algorithm?: number, rule?: boolean, row?: string, at?: string, tab?: string }} Entry
 */

/** In the order of a round. @type {Record<Id, Entry>} */
export const ENTRIES = {
  round: { at: ".dl-roundlist" },
  anchor: { symbol: "x_0", at: ".dl-anchorcell .dl-chip" },
  gamma: { symbol: "γ", at: '[data-testid="gamma"]' },
  temperature: { symbol: "T", formula: ["softmax(z / T)"], at: '[data-testid="temperature"], [data-testid="fork-temperature"]' },
  token: { symbol: "x_k", formula: ["x_k ∼ p_d"], row: "token" },
  base: { symbol: "U_k", formula: ["softmax(U_k / T)[x_k]"], eq: 4, row: "base" },
  bias: { symbol: "B", formula: ["B(x_{k-1}, ·) = W_1[x_{k-1}] W_2"], eq: 5, row: "bias" },
  draft: { symbol: "p_d", formula: ["p_d = softmax((U_k + B_k) / T)"], eq: 4, row: "draft" },
  u: { symbol: "u", formula: ["u ∼ Uniform[0, 1)"], rule: true, row: "u" },
  conf: { symbol: "c_k", formula: ["c_k = σ(w · [h_k; W_1[x_{k-1}]])"], eq: 7, row: "conf" },
  calibrated: { formula: ["c_k → σ(logit(c_k) / T_k)"], at: '[data-testid="confidence"]', tab: "confidence" },
  survival: { symbol: "a_k", formula: ["a_k = c_1 · … · c_k"], algorithm: 1, row: "survival" },
  cut: { symbol: "ℓ", algorithm: 1, at: '[data-testid="verify-length"]' },
  tokens: { symbol: "B", formula: ["B = R + Σ_r ℓ_r"], algorithm: 1, at: '[data-testid="schedule"]' },
  rate: { symbol: "SPS(B)", algorithm: 1, at: '[data-testid="scheduler"], [data-testid="schedule"]', tab: "scheduler" },
  theta: { symbol: "Θ", formula: ["Θ = τ · SPS(B)"], algorithm: 1, at: '[data-testid="schedule"]' },
  policy: { algorithm: 1, at: '[data-testid="fork-policy"], [data-testid="policy"]' },
  load: { symbol: "R", at: '[data-testid="load"], [data-testid="fork-load"]' },
  target: { symbol: "p_t", formula: ["p_t = softmax(z_t / T)"], rule: true, row: "target" },
  ratio: { symbol: "p_t/p_d", formula: ["min(1, p_t(x_k) / p_d(x_k))"], rule: true, row: "verdict" },
  overlap: { formula: ["Σ_v min(p_t, p_d) = 1 − ½ ‖p_t − p_d‖_1"], eq: 8, at: '[data-testid="rejection"]', tab: "rejection" },
  residual: { symbol: "r", formula: ["r = norm(max(0, p_t − p_d))"], rule: true, at: '[data-testid="rejection"]', tab: "rejection" },
  bonus: { formula: ["x ∼ p_t"], rule: true, row: "final" },
  plain: { formula: ["x ∼ p_t"], row: "final" },
  discarded: { rule: true, row: "verdict" },
  tau: { symbol: "τ", formula: ["L = (T_{draft} + T_{verify}) / τ"], eq: 1, at: ".dl-numbers" },
  cache: { at: '[data-testid="cache"]' },
  tree: { at: '[data-testid="tree"]' },
  reached: { formula: ["accepted_k / reached_k"], at: '[data-testid="race"]', tab: "race" },
  chi: { symbol: "χ²", formula: ["χ² = Σ (n − N·p_t)² / (N·p_t)"], at: '[data-testid="meter"]', tab: "rejection" },
  distance: { formula: ["½ Σ_v |n_v / N − p_t(v)|"], at: '[data-testid="meter"]', tab: "rejection" },
};

export const IDS = /** @type {Id[]} */ (Object.keys(ENTRIES));

/** A formula of the tables above. @param {string} text */
export const formula = (text) => math(/** @type {any} */ ({ raw: [text] }));

/** @param {Entry} entry */
const refOf = ({ eq, algorithm, rule }) => (eq ? EQ.ref(eq) : algorithm ? EQ.algorithm(algorithm) : rule ? EQ.rule : "");

/**
 * An entry as popups and the drawer show it: its general formula, then ``live`` lines; ``note`` in place of its meaning.
 * @param {Id} id @param {any[]} [live] @param {{ note?: string, general?: any[], title?: string }} [how] @returns {Equation}
 */
export function explain(id, live = [], { note, general, title } = {}) {
  const entry = ENTRIES[id];
  const [name, meaning] = GLOSSARY[id];
  return { id, title: title ?? name, symbol: entry.symbol, ref: refOf(entry), lines: [...(general ?? (entry.formula ?? []).map(formula)), ...live], note: note ?? meaning };
}
