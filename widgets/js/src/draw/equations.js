// Each quantity's equation with the live numbers in it. A paper equation is cited by its number.
import { before, quotient } from "../logic/facts.js";
import { apart, fine, prob, ratio, showToken, signed } from "../logic/format.js";
import { drafts } from "../logic/tree.js";
import { EQ, S } from "../strings.js";
import { html } from "./html.js";
import { math } from "./math.js";
import { Rich } from "./rich.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../contract").Position} Position */
/** @typedef {{ title: string, ref: string, lines: any[], note?: string }} Equation */

/** @param {import("../contract").Token} token */
const tok = (token) => html`<span class="dl-tok">${showToken(token.text)}</span>`;

/** @param {Round} round @param {Position} p @returns {Equation} */
function base(round, p) {
  const greedy = round.temperature === 0;
  return {
    title: EQ.base,
    ref: EQ.ref(4),
    lines: greedy ? [math`T = 0 : ${EQ.greedy}`, math`${tok(p.token)} : ${fine(p.p_base)}`] : [math`softmax(U_k / T)[x_k]`, math`softmax(U_${p.k} / ${round.temperature})[${tok(p.token)}] = ${fine(p.p_base)}`],
    note: EQ.baseNote,
  };
}

/** @param {Round} round @param {Position} p @returns {Equation} */
function bias(round, p) {
  const previous = tok(before(round, p.k));
  return {
    title: EQ.bias,
    ref: EQ.ref(5),
    lines: [math`B(x_{k-1}, ·) = W_1[x_{k-1}] W_2`, math`B(${previous}, ${tok(p.token)}) = ${signed(p.bias ?? 0)}`],
    note: EQ.biasNote,
  };
}

/** @param {Round} round @param {Position} p @returns {Equation} */
function draft(round, p) {
  const lines = [
    round.temperature === 0 ? math`T = 0 : ${EQ.greedy}` : p.bias === null ? math`p_d(x_k)` : math`p_d = softmax((U_k + B_k) / T)`,
    math`p_d(${tok(p.token)}) = ${fine(p.p_d)}`,
  ];
  const [low, u, high] = apart(p.cdf[0], p.u_draft, p.cdf[1]);
  if (!p.forced) lines.push(math`${low} ≤ u = ${u} < ${high}`);
  return { title: EQ.draft, ref: p.bias === null ? "" : EQ.ref(4), lines, note: p.forced ? EQ.forcedNote : EQ.draftNote };
}

/** @param {Round} _round @param {Position} p @returns {Equation} */
function conf(_round, p) {
  return {
    title: EQ.conf,
    ref: EQ.ref(7),
    lines: [math`c_k = σ(w · [h_k; W_1[x_{k-1}]])`, math`c_${p.k} = ${prob(p.confidence)}`, ...(p.calibrated === null ? [] : [math`${EQ.confCalibrated} c_${p.k} = ${prob(p.calibrated)}`])],
    note: p.overlap === null ? EQ.confNote : EQ.confTruth(prob(p.overlap)),
  };
}

/** @param {Round} round @param {Position} p @returns {Equation} */
function survival(round, p) {
  const factors = round.positions.slice(0, p.k).map((q) => prob(q.calibrated ?? q.confidence)).join(" · ");
  return {
    title: EQ.survival,
    ref: EQ.algorithm(1),
    lines: [math`a_k = c_1 · … · c_k`, math`a_${p.k} = ${factors} = ${prob(p.survival)}`],
    note: EQ.survivalNote,
  };
}

/** @param {Round} _round @param {Position} p @returns {Equation} */
function target(_round, p) {
  return {
    title: EQ.target,
    ref: EQ.ref(8),
    lines: [
      math`p_t(${tok(p.token)}) = ${fine(p.p_t)},  p_d(${tok(p.token)}) = ${fine(p.p_d)}`,
      math`Σ_v min(p_t, p_d) = 1 − ½ ‖p_t − p_d‖_1 = ${prob(p.overlap)}`,
    ],
    note: EQ.targetNote,
  };
}

/** @param {Round} _round @param {Position} p @returns {Equation} */
function accept(_round, p) {
  const q = quotient(p);
  const [u, limit] = apart(p.u_accept ?? 0, Math.min(1, q));
  const yes = (p.u_accept ?? 0) * p.p_d < (p.p_t ?? 0);
  return {
    title: EQ.accept,
    ref: EQ.rule,
    lines: [
      math`min(1, p_t(x_k) / p_d(x_k)) = min(1, ${fine(p.p_t)} / ${fine(p.p_d)}) = ${q >= 1 ? "1" : limit}`,
      yes ? math`u = ${u} < ${q >= 1 ? "1" : limit} : ${S.verdicts.accepted}` : math`u = ${u} ≥ ${limit} : ${S.verdicts.rejected}`,
    ],
    note: p.verdict === "discarded" ? EQ.discardedNote : q > 1 ? EQ.surelyNote(ratio(q)) : undefined,
  };
}

/** The final token's draw. @param {Round} round @returns {Equation} */
export function finalEquation(round) {
  const f = round.final;
  if (!f.token || f.u === null || !f.cdf) return { title: EQ.none, ref: "", lines: [], note: EQ.noneNote };
  const p = f.head.find((c) => c.token.id === f.token?.id)?.value ?? f.cdf[1] - f.cdf[0];
  const [low, u, high] = apart(f.cdf[0], f.u, f.cdf[1]);
  const draw = math`${low} ≤ u = ${u} < ${high} : ${tok(f.token)}`;
  if (f.kind !== "residual") {
    const title = drafts(round) ? EQ.bonus : EQ.plain;
    const note = drafts(round) ? EQ.bonusNote : undefined;
    return { title, ref: EQ.rule, lines: [math`x ∼ p_t,  p_t(${tok(f.token)}) = ${fine(p)}`, draw], note };
  }
  return {
    title: EQ.residual,
    ref: EQ.rule,
    lines: [math`x ∼ norm(max(0, p_t − p_d))`, math`norm(max(0, p_t − p_d))(${tok(f.token)}) = ${fine(p)}`, draw],
    note: round.tree ? EQ.treeResidualNote : EQ.residualNote,
  };
}

/** @type {Record<string, (round: Round, p: Position) => Equation>} */
const BY_ROW = { token: draft, base, bias, draft, conf, survival, target, u: accept, verdict: accept };

/** Equation of a table cell; null where there is none. @param {string} row @param {number} k @param {Round} round */
export function equation(row, k, round) {
  if (k > round.gamma) return finalEquation(round);
  const p = round.positions[k - 1];
  if (!p || !BY_ROW[row]) return null;
  if (!p.verified && ["target", "u", "verdict"].includes(row)) return null;
  return BY_ROW[row](round, p);
}

/** An equation as it is shown in tooltips and in the detail panel. @param {{ eq: Equation }} props */
export function EquationView({ eq }) {
  return html`<div class="dl-equation">
    <p class="dl-equation-head"><b>${eq.title}</b>${eq.ref && html`<span class="dl-ref">${eq.ref}</span>`}</p>
    ${eq.lines.map((line) => html`<p class="dl-equation-line">${line}</p>`)}
    ${eq.note && html`<p class="dl-note"><${Rich} text=${eq.note} /></p>`}
  </div>`;
}
