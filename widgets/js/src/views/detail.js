// Below the table: the selected position at length. Target against draft token by token, and the equations in order.
import { EquationView, equation, finalEquation } from "../draw/equations.js";
import { TopList, compare } from "../draw/bars.js";
import { html } from "../draw/html.js";
import { memo } from "../draw/memo.js";
import { Pairs } from "../draw/pairs.js";
import { translated } from "../language.js";
import { fixed, showToken } from "../logic/format.js";
import { drafts } from "../logic/tree.js";
import { S } from "../strings.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../contract").Position} Position */
/** @typedef {import("../logic/steps.js").Known} Known */

/**
 * p_t and p_d of the top tokens: solid and hollow bars, what they share shaded, the residual ringed; before verification the draft's alone.
 * @param {{ round: Round, p: Position, asked: boolean }} props */
function Chart({ round, p, asked }) {
  const rows = compare(asked ? p.target : [], p.draft, { token: p.token, t: asked ? p.p_t : null, d: p.p_d });
  const keys = /** @type {(keyof typeof S.legend)[]} */ (asked ? ["pt", "pd", "min", "rest"] : ["pd"]);
  return html`<${Pairs} label=${S.chart} file="position" note=${S.at(round.index + 1, p.k, showToken(p.token.text))} rows=${rows.map(({ token, t, d }) => ({ token, a: asked ? t : null, b: d }))} a=${{ look: "target", head: "p_t" }} b=${{ look: "draft", head: "p_d" }}
    marked=${p.token.id} shared=${asked} over=${asked} legend=${keys.map((key) => [key, S.legend[key]])} />`;
}

/** The equations that are known at this step: those of the draft, and those of its verification. @param {Round} round @param {Position} p @param {Known} now */
function equations(round, p, now) {
  /** @type {string[]} */
  const rows = [];
  if (p.p_base !== null && now.base && p.k <= now.draft) rows.push("base");
  if (p.bias !== null && p.k <= now.draft) rows.push("bias");
  if (p.k <= now.draft) rows.push("draft");
  if (p.confidence !== null && now.confidence) rows.push("conf", "survival");
  if (p.verified && now.target) rows.push("target");
  if (p.verified && p.k <= now.verdict) rows.push("u");
  /** @type {string[]} */
  const late = rows.filter((row) => row === "target" || row === "u");
  const draw = (/** @type {string[]} */ names) => names.map((row) => equation(row, p.k, round)).map((eq) => eq && html`<${EquationView} eq=${eq} />`);
  return { draft: draw(rows.filter((row) => !late.includes(row))), verification: draw(late) };
}

export const Detail = memo((/** @type {{ round: Round, k: number, now: Known }} */ { round, k, now }) => {
  const p = round.positions[k - 1];
  const list = p ? equations(round, p, now) : { draft: [], verification: [] };
  const ended = now.final || (now.commit && !round.final.token);
  const source = !p && ended && round.final.kind === "residual" ? round.positions[round.final.position - 1] : null;
  const look = drafts(round) ? round.final.kind : "target";
  const below = p && now.schedule && !p.verified ? S.neverVerified : S.notYetVerified;
  return html`<section class="dl-detail" aria-label=${p ? S.detail(k) : S.detailFinal} data-testid="detail">
    <h2 class="dl-label">${p ? S.detail(k) : S.detailFinal}</h2>
    <div class="dl-detail-body">
      ${source && html`<div class="dl-equations"><${Chart} round=${round} p=${source} asked=${true} /></div>`}
      ${!p && ended && !source && round.final.token && html`<div class="dl-finalhead"><${TopList} head=${round.final.head} kind=${look} n=${8}
        mark=${{ token: round.final.token, value: (round.final.cdf?.[1] ?? 0) - (round.final.cdf?.[0] ?? 0) }} /></div>`}
      ${p && html`<div class="dl-equations">${p.k <= now.draft && html`<${Chart} round=${round} p=${p} asked=${p.verified && now.target} />`}${!(p.verified && now.target) && html`<p class="dl-note">${below}</p>`}${list.verification}</div>`}
      <div class="dl-equations">${list.draft}${!p && (ended ? html`<${EquationView} eq=${finalEquation(round)} />` : html`<p class="dl-note">${S.unknown}</p>`)}</div>
    </div>
  </section>`;
});

/** The target's cache along the round, and the round's measured time. */
export const Footer = memo((/** @type {{ round: Round, now: Known, device: string }} */ { round, now, device }) => {
  const added = now.target ? round.cache_after_verify - round.cache_before : 0;
  const kept = now.commit ? round.cache_after_commit - round.cache_before : added;
  const t = round.timings;
  const names = /** @type {[keyof typeof S.measuredParts, string][]} */ (Object.entries(S.measuredParts));
  const total = t ? names.reduce((sum, [key]) => sum + t[key], 0) : 0;
  const length = round.cache_before + kept;
  return html`<footer class="dl-footer">
    <p class="dl-cache" data-testid="cache"><span class="dl-label">${S.cache}</span> <span class="dl-num">${length}</span>
      <span class="dl-cachebar" role="img" aria-label=${S.cacheName(round.cache_before, kept, added - kept)}>
        <span class="dl-cache-prefix">${round.cache_before}</span>${Array.from({ length: added }, (_, i) => html`<span class=${i < kept ? "dl-cache-kept" : "dl-cache-gone"}></span>`)}
      </span>
      ${now.commit && added > kept && html`<span class="dl-note">${S.rewound(added - kept)}</span>`}
    </p>
    ${t && now.commit && html`<p class="dl-measured" data-testid="measured">${S.measured(fixed(total, 1), translated(device))}: ${names.filter(([key]) => t[key] > 0).map(([key, name]) => `${name} ${fixed(t[key], 1)}`).join(" · ")}</p>`}
  </footer>`;
});
