// Why this token: p_t against p_d at the selected position, the draw that decided, the residual, and the exactness meter.
import { AcceptAxis, DrawAxis } from "../draw/axis.js";
import { TopList, compare } from "../draw/bars.js";
import { equation, finalEquation, overlapEquation } from "../draw/equations.js";
import { html } from "../draw/html.js";
import { Pairs } from "../draw/pairs.js";
import { Rich } from "../draw/rich.js";
import { finalSentence, quotient, verdictSentence } from "../logic/facts.js";
import { apart, fine, prob, quoteToken, ratio, showToken } from "../logic/format.js";
import { residualOf, rest } from "../logic/heads.js";
import { drafts } from "../logic/tree.js";
import { REJECTION as R, S } from "../strings.js";
import { Explained } from "./explained.js";
import { Meter } from "./meter.js";
import { usePlace } from "./place.js";
import { Positions } from "./positions.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../contract").Position} Position */

/** p_t and p_d over the top tokens and all others, the residual beside. @param {{ round: Round, p: Position }} props */
function Distributions({ round, p }) {
  const top = compare(p.target, p.draft, { token: p.token, t: p.p_t, d: p.p_d }, 8);
  const rows = top.map(({ token, t, d }) => ({ token, a: t, b: d, c: residualOf(p, token.id, t, d) }));
  const empty = 1 - (p.overlap ?? 1) < 1e-9;
  const all = [...rows, { token: null, a: rest(rows.map((r) => r.a)), b: rest(rows.map((r) => r.b)), c: empty ? null : rest(rows.map((r) => r.c)) }];
  return html`<${Pairs} label=${S.chart} file="rejection" note=${S.at(round.index + 1, p.k, showToken(p.token.text))} rows=${all} a=${{ look: "target", head: "p_t" }} b=${{ look: "draft", head: "p_d" }} c=${{ look: "residual", head: R.residualHead }}
    marked=${p.token.id} shared over legend=${[["pt", S.legend.pt], ["pd", S.legend.pd], ["min", S.legend.min], ["rest", R.legendRest]]} />`;
}

/** The numbers that decide, each with its equation on hover and on focus. @param {{ round: Round, p: Position, told: boolean }} props */
function Facts({ round, p, told }) {
  const eq = (/** @type {string} */ row) => equation(row, p.k, round);
  const q = quotient(p);
  /** @type {[string, string, any][]} */
  const facts = [
    [R.facts.pd, fine(p.p_d), eq("draft")],
    [R.facts.pt, fine(p.p_t), eq("target")],
    [R.facts.ratio, q === Infinity ? "∞" : ratio(q), eq("u")],
    [R.facts.u, p.u_accept === null || !told ? "–" : apart(p.u_accept, Math.min(1, q))[0], eq("u")],
    [R.facts.overlap, prob(p.overlap), overlapEquation(p)],
  ];
  return html`<p class="dl-facts">${facts.map(([name, value, e]) => html`<span key=${name}><${Explained} eq=${e}><${Rich} text=${name} /> = <b>${value}</b><//></span>`)}</p>`;
}

/** The last token's own draw. @param {{ round: Round }} props */
function LastDraw({ round }) {
  const { u, cdf, token, kind } = round.final;
  if (u === null || !cdf || !token) return null;
  const look = drafts(round) ? kind : "plain";
  const x = quoteToken(token.text);
  return html`<div class="dl-axisbox"><h3 class="dl-label"><${Explained} eq=${finalEquation(round)}>${R.lastDraw[/** @type {keyof typeof R.lastDraw} */ (look)]}<//></h3>
    <${DrawAxis} label=${R.drawLabel(prob(u), showToken(token.text), prob(cdf[0]), prob(cdf[1]))} cdf=${cdf} u=${u} uText=${R.u(prob(u))} shareText=${x} look=${look === "plain" ? "target" : look} /></div>`;
}

/** A draft position. @param {{ round: Round, p: Position, told: boolean, asked: boolean, ended: boolean }} props */
function Drafted({ round, p, told, asked, ended }) {
  if (!p.verified) return html`<p class="dl-note">${asked ? S.neverVerified : S.notYetVerified}</p>`;
  if (!asked) return html`<p class="dl-note">${S.notYetVerified}</p>`;
  const q = quotient(p);
  const limit = Math.min(1, q);
  const [u, r] = apart(p.u_accept ?? 0, limit);
  const judged = p.verdict === "accepted" || p.verdict === "rejected";
  return html`<${Facts} round=${round} p=${p} told=${told} />
    <${Distributions} round=${round} p=${p} />
    ${told && p.u_accept !== null && html`<div class="dl-axes"><div class="dl-axisbox"><h3 class="dl-label">${judged ? R.acceptDraw : R.idleDraw}</h3>
      <${AcceptAxis} label=${R.axisLabel(u, q >= 1 ? "1" : r, S.verdicts[/** @type {keyof typeof S.verdicts} */ (p.verdict)])} limit=${limit} limitText=${R.limit(q >= 1 ? (q > 1 ? `1 (${q === Infinity ? "∞" : ratio(q)})` : "1") : r)} u=${p.u_accept} uText=${R.u(u)} counts=${judged} /></div>
      ${p.verdict === "rejected" && ended && html`<${LastDraw} round=${round} />`}</div>`}`;
}

/** The final token where no draft token stands: a bonus, plain decoding, a tree's last token. @param {{ round: Round }} props */
function Final({ round }) {
  const { token, head, cdf } = round.final;
  if (!token || !cdf) return null;
  const look = drafts(round) ? round.final.kind : "target";
  return html`<div class="dl-finalhead"><${TopList} head=${head} kind=${look} n=${8} mark=${{ token, value: head.find((c) => c.token.id === token.id)?.value ?? cdf[1] - cdf[0] }} /></div>
    <div class="dl-axes"><${LastDraw} round=${round} /></div>`;
}

/** @param {{ model: import("../store.js").Model }} props */
export function Rejection({ model }) {
  const spot = usePlace(model);
  if (!spot) return html`<p class="dl-note dl-empty">${S.loading}</p>`;
  const { round, now, place } = spot;
  const ended = now.final || now.commit;
  const replaced = place.k > round.gamma && round.final.kind === "residual" ? round.positions[round.final.position - 1] : undefined;
  const p = round.positions[place.k - 1] ?? (ended ? replaced : undefined);
  const told = p ? (p.verdict === "cut" ? now.schedule : p.k <= now.verdict) : ended;
  const words = !told ? (p ? R.waits(quoteToken(p.k <= now.draft ? p.token.text : "…")) : S.unknown) : p ? verdictSentence(round, p, ended) : finalSentence(round);
  return html`<section class="dl-view" data-testid="rejection" aria-label=${R.title}>
    <${Positions} spot=${spot} row="verdict" />
    <p class="dl-cause" data-testid="why" aria-live="polite"><${Rich} text=${words} /></p>
    ${p ? html`<${Drafted} round=${round} p=${p} told=${told} asked=${p.verified ? now.target : now.schedule} ended=${ended} />` : ended && html`<${Final} round=${round} />`}
    <${Meter} model=${model} spot=${spot} />
  </section>`;
}
