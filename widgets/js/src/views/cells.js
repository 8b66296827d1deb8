// What stands in each cell of the table: content, spoken name, and whether it is known yet.
import { CdfStrip, Gauge, TopList } from "../draw/bars.js";
import { html } from "../draw/html.js";
import { Chip, MARKS } from "../draw/token.js";
import { quotient } from "../logic/facts.js";
import { apart, prob, showToken, signed } from "../logic/format.js";
import { drafts } from "../logic/tree.js";
import { S } from "../strings.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../contract").Position} Position */
/** @typedef {import("../logic/steps.js").Known} Known */
/** @typedef {{ state: "known" | "unknown" | "none", content?: any, label?: string }} Cell */

/** @type {Cell} */
const NONE = { state: "none" };
/** @type {Cell} */
const UNKNOWN = { state: "unknown" };

/** @param {any} content @param {string} label @returns {Cell} */
const known = (content, label) => ({ state: "known", content, label });

/** How a draft token looks at this step. @param {Position} p @param {Known} now */
export const chipKind = (p, now) => (p.k <= now.verdict || (p.verdict === "cut" && now.schedule) ? p.verdict : "draft");

/** @param {number} value @param {string} kind */
const meter = (value, kind) => html`<span class="dl-meter"><span class=${`dl-fill dl-fill-${kind}`} style=${`width:${value * 100}%`}></span></span>`;

/** @type {Record<string, (p: Position, now: Known) => Cell>} */
const ROWS = {
  token: (p, now) => {
    if (p.k > now.draft) return { state: "known", content: html`<span class="dl-mask" title=${S.mask}></span>`, label: S.mask };
    return known(html`<${Chip} token=${p.token} kind=${chipKind(p, now)} />${p.forced && html`<span class="dl-hand" title=${S.kept}>✎</span>`}`, showToken(p.token.text));
  },
  base: (p, now) => {
    if (!now.base) return UNKNOWN;
    const mark = p.k <= now.draft && p.p_base !== null ? { token: p.token, value: p.p_base } : undefined;
    return known(html`<${TopList} head=${p.base} kind="base" mark=${mark} />`, p.base.slice(0, 3).map((c) => `${showToken(c.token.text)} ${prob(c.value)}`).join(", "));
  },
  bias: (p, now) => {
    if (p.k > now.bias || p.bias === null) return UNKNOWN;
    if (p.k > now.draft) return known(html`<span class="dl-num dl-up">↑ ${showToken(p.biased_up[0]?.token.text ?? "")}</span>`, `${S.boosted} ${showToken(p.biased_up[0]?.token.text ?? "")}`);
    return known(html`<span class="dl-num">${signed(p.bias)}</span>`, signed(p.bias));
  },
  draft: (p, now) => {
    if (p.k > now.draft) return UNKNOWN;
    const mark = { token: p.token, value: p.p_d };
    const strip = p.forced ? null : html`<${CdfStrip} cdf=${p.cdf} u=${p.u_draft} kind="draft" />`;
    return known(html`<${TopList} head=${p.draft} kind="draft" mark=${mark} />${strip}`, `${showToken(p.token.text)} ${prob(p.p_d)}`);
  },
  conf: (p, now) => (now.confidence && p.confidence !== null ? known(html`<span class="dl-num">${prob(p.confidence)}</span>${meter(p.confidence, "conf")}`, prob(p.confidence)) : UNKNOWN),
  survival: (p, now) => (now.confidence && p.survival !== null ? known(html`<span class="dl-num">${prob(p.survival)}</span>${meter(p.survival, "conf")}`, prob(p.survival)) : UNKNOWN),
  target: (p, now) => {
    if (!now.target) return UNKNOWN;
    if (!p.verified || p.p_t === null) return { state: "none", label: S.notVerified };
    const mark = { token: p.token, value: p.p_t };
    return known(html`<${TopList} head=${p.target} kind="target" mark=${mark} />`, `${showToken(p.token.text)} ${prob(p.p_t)}`);
  },
  u: (p, now) => {
    if (!p.verified) return now.schedule ? NONE : UNKNOWN;
    if (p.k > now.verdict || p.u_accept === null) return UNKNOWN;
    if (p.verdict === "discarded") return known(html`<span class="dl-num">–</span>`, S.verdicts.discarded);
    const q = Math.min(1, quotient(p));
    const [u, limit] = apart(p.u_accept, q);
    const sign = p.verdict === "accepted" ? "<" : "≥";
    return known(html`<span class="dl-num">${u} ${sign} ${q >= 1 ? "1" : limit}</span><${Gauge} limit=${q} u=${p.u_accept} />`, `u ${u} ${sign} ${limit}`);
  },
  verdict: (p, now) => {
    if (p.verdict === "cut" ? !now.schedule : p.k > now.verdict) return UNKNOWN;
    const name = S.verdicts[/** @type {keyof typeof S.verdicts} */ (p.verdict)];
    return known(html`<span class=${`dl-verdict dl-is-${p.verdict}`}><b aria-hidden="true">${MARKS[p.verdict]}</b> ${name}</span>`, name);
  },
};

/** @param {string} row @param {Position} p @param {Known} now */
export const cell = (row, p, now) => ROWS[row](p, now);

/** The last column: the token that ends the round. @param {string} row @param {Round} round @param {Known} now @returns {Cell} */
export function finalCell(row, round, now) {
  const { token, kind, u, cdf, head, position } = round.final;
  const plain = !drafts(round);
  if (!["token", "target", "u", "verdict"].includes(row)) return NONE;
  if (row === "target" && plain && now.target) return known(html`<${TopList} head=${head} kind="target" mark=${now.final && token ? { token, value: cdf ? cdf[1] - cdf[0] : 1 } : undefined} />`, S.rows.target[0]);
  if (!token || u === null || cdf === null) return now.commit ? NONE : UNKNOWN;
  if (!now.final) return UNKNOWN;
  const look = plain ? "plain" : kind;
  const name = S.final[/** @type {keyof typeof S.final} */ (look)];
  if (row === "token") return known(html`<${Chip} token=${token} kind=${look} />`, `${name} ${showToken(token.text)}`);
  if (row === "target") {
    const mark = { token, value: head.find((c) => c.token.id === token.id)?.value ?? cdf[1] - cdf[0] };
    return known(html`<${TopList} head=${head} kind=${look} mark=${mark} />`, `${name} ${showToken(token.text)} ${prob(mark.value)}`);
  }
  if (row === "u") return known(html`<span class="dl-num">u ${prob(u)}</span><${CdfStrip} cdf=${cdf} u=${u} kind=${look} />`, `u ${prob(u)}`);
  return known(html`<span class=${`dl-verdict dl-is-${look}`}><b aria-hidden="true">${MARKS[look]}</b> ${name}</span>`, `${name}, ${S.position(position)}`);
}
