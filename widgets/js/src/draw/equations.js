// Each quantity's equation with the live numbers in it. A paper equation is cited by its number.
import { before, quotient } from "../logic/facts.js";
import { apart, fine, fixed, prob, ratio, showToken, signed, whole } from "../logic/format.js";
import { drafts } from "../logic/tree.js";
import { EQ, S } from "../strings.js";
import { explain, formula } from "./glossary.js";
import { html } from "./html.js";
import { math } from "./math.js";
import { Rich } from "./rich.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../contract").Position} Position */
/** @typedef {import("./glossary.js").Equation} Equation */

/** @param {import("../contract").Token} token */
const tok = (token) => html`<span class="dl-tok">${showToken(token.text)}</span>`;

const GREEDY = () => [math`T = 0 : ${EQ.greedy}`];

/** @param {Round} round @param {Position} p @returns {Equation} */
function base(round, p) {
  if (round.temperature === 0) return explain("base", [math`${tok(p.token)} : ${fine(p.p_base)}`], { general: GREEDY() });
  return explain("base", [math`softmax(U_${p.k} / ${round.temperature})[${tok(p.token)}] = ${fine(p.p_base)}`]);
}

/** @param {Round} round @param {Position} p @returns {Equation} */
const bias = (round, p) => explain("bias", [math`B(${tok(before(round, p.k))}, ${tok(p.token)}) = ${signed(p.bias ?? 0)}`]);

/** @param {Round} round @param {Position} p @returns {Equation} */
function draft(round, p) {
  const general = round.temperature === 0 ? GREEDY() : p.bias === null ? [math`p_d(x_k)`] : undefined;
  const [low, u, high] = apart(p.cdf[0], p.u_draft, p.cdf[1]);
  const lines = [math`p_d(${tok(p.token)}) = ${fine(p.p_d)}`, ...(p.forced ? [] : [math`${low} ≤ u = ${u} < ${high}`])];
  const eq = explain("draft", lines, { general, note: p.forced ? EQ.forcedNote : undefined });
  return p.bias === null ? { ...eq, ref: "" } : eq;
}

/** @param {Round} _round @param {Position} p @returns {Equation} */
function conf(_round, p) {
  const lines = [math`c_${p.k} = ${prob(p.confidence)}`, ...(p.calibrated === null ? [] : [math`${EQ.confCalibrated} c_${p.k} = ${prob(p.calibrated)}`])];
  return explain("conf", lines, { note: p.overlap === null ? undefined : EQ.confTruth(prob(p.overlap)) });
}

/** @param {Round} round @param {Position} p @returns {Equation} */
function survival(round, p) {
  const factors = round.positions.slice(0, p.k).map((q) => prob(q.calibrated ?? q.confidence)).join(" · ");
  return explain("survival", [math`a_${p.k} = ${factors} = ${prob(p.survival)}`]);
}

/** @param {Round} _round @param {Position} p @returns {Equation} */
const target = (_round, p) => ({
  ...explain("target", [math`p_t(${tok(p.token)}) = ${fine(p.p_t)},  p_d(${tok(p.token)}) = ${fine(p.p_d)}`, overlapLine(p)]),
  ref: EQ.ref(8),
});

/** @param {Position} p */
const overlapLine = (p) => math`Σ_v min(p_t, p_d) = 1 − ½ ‖p_t − p_d‖_1 = ${prob(p.overlap)}`;

/** The chance that any draft is accepted at a position. @param {Position} p */
export const overlapEquation = (p) => explain("overlap", [overlapLine(p)], { general: [] });

/** @param {Round} _round @param {Position} p @returns {Equation} */
function accept(_round, p) {
  const q = quotient(p);
  const [u, limit] = apart(p.u_accept ?? 0, Math.min(1, q));
  const yes = (p.u_accept ?? 0) * p.p_d < (p.p_t ?? 0);
  return explain("ratio", [
    math`min(1, ${fine(p.p_t)} / ${fine(p.p_d)}) = ${q >= 1 ? "1" : limit}`,
    yes ? math`u = ${u} < ${q >= 1 ? "1" : limit} : ${S.verdicts.accepted}` : math`u = ${u} ≥ ${limit} : ${S.verdicts.rejected}`,
  ], { note: p.verdict === "discarded" ? EQ.discardedNote : q > 1 ? EQ.surelyNote(ratio(q)) : undefined });
}

/** The final token's draw. @param {Round} round @returns {Equation} */
export function finalEquation(round) {
  const f = round.final;
  if (!f.token || f.u === null || !f.cdf) return { title: EQ.none, ref: "", lines: [], note: EQ.noneNote };
  const p = f.head.find((c) => c.token.id === f.token?.id)?.value ?? f.cdf[1] - f.cdf[0];
  const [low, u, high] = apart(f.cdf[0], f.u, f.cdf[1]);
  const draw = math`${low} ≤ u = ${u} < ${high} : ${tok(f.token)}`;
  if (f.kind !== "residual") return explain(drafts(round) ? "bonus" : "plain", [math`p_t(${tok(f.token)}) = ${fine(p)}`, draw]);
  return explain("residual", [math`r(${tok(f.token)}) = ${fine(p)}`, draw], { note: round.tree ? EQ.treeResidualNote : undefined });
}

/** What the scheduler weighed: B, Θ and the step rate that they give. @param {import("../contract").Schedule} s */
export const scheduleEquation = (s) => explain("theta", [
  math`B = ${whole(s.tokens)},  τ = ${fixed(s.expected, 1)},  SPS(B) = ${fixed(s.theta / Math.max(1e-9, s.expected), 1)}`,
  math`Θ = ${fixed(s.expected, 1)} · ${fixed(s.theta / Math.max(1e-9, s.expected), 1)} = ${whole(s.theta)}`,
]);

/** Accepted length so far. @param {number} tokens @param {number} rounds */
export const tauEquation = (tokens, rounds) => explain("tau", [math`τ = ${EQ.tokens(tokens)} / ${EQ.rounds(rounds)} = ${fixed(rounds ? tokens / rounds : 0, 2)}`]);

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

/** An equation as it is shown in tooltips, in the detail panel and in the glossary. @param {{ eq: Equation }} props */
export function EquationView({ eq }) {
  return html`<div class="dl-equation">
    <p class="dl-equation-head"><b>${eq.symbol && html`${formula(eq.symbol)}  `}${eq.title}</b>${eq.ref && html`<span class="dl-ref">${eq.ref}</span>`}</p>
    ${eq.lines.map((line) => html`<p class="dl-equation-line">${line}</p>`)}
    ${eq.note && html`<p class="dl-note"><${Rich} text=${eq.note} /></p>`}
  </div>`;
}
