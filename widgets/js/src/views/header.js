// The text so far, the round list and the numbers of the whole trace.
import { useRef } from "preact/hooks";
import { Flow, MARKS } from "../draw/token.js";
import { tauEquation } from "../draw/equations.js";
import { html } from "../draw/html.js";
import { memo } from "../draw/memo.js";
import { fixed } from "../logic/format.js";
import { drafts } from "../logic/tree.js";
import { S } from "../strings.js";
import { reveal, useBeforePaint } from "../draw/reveal.js";
import { Explained } from "./explained.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../logic/steps.js").Known} Known */

/** How a round's own tokens stand in the text at this step. @param {Round} round @param {Known} known */
function ownTokens(round, known) {
  const walk = round.tree && (known.final || known.commit) ? round.emitted.slice(0, round.accepted) : [];
  const drafted = round.positions
    .filter((p) => p.k <= known.draft && !(known.commit && p.verdict !== "accepted"))
    .map((p) => ({ token: p.token, kind: p.k <= known.verdict || (p.verdict === "cut" && known.schedule) ? p.verdict : "draft" }));
  const parts = [...drafted, ...walk.map((token) => ({ token, kind: "accepted" }))];
  const { token, kind } = round.final;
  if (token && known.final) {
    const at = round.accepted;
    parts.splice(at, 0, { token, kind: drafts(round) ? kind : "plain" });
  }
  return parts;
}

/** What the rounds before the ``count``-th gave, but for its anchor. */
const Past = memo((/** @type {{ rounds: Round[], count: number }} */ { rounds, count }) => rounds.slice(0, count).flatMap((r) => r.emitted).slice(0, -1).map((token) => html`<${Flow} token=${token} />`));

/**
 * @param {{ prompt: string, rounds: Round[], round: Round, known: Known, children?: any }} props
 */
export function TextSoFar({ prompt, rounds, round, known, children }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const anchored = rounds.slice(0, round.index).some((r) => r.emitted.length);
  useBeforePaint(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [round.index, known.commit]);
  return html`<section class="dl-text" aria-label=${S.text}>
    <div class="dl-line"><h2 class="dl-label">${S.text}</h2>${children}</div>
    <div class="dl-textbox" ref=${box} data-testid="text-so-far" tabindex="0">
      <span class="dl-prompt">${prompt}</span>${" "}
      <${Past} rounds=${rounds} count=${round.index} />
      ${anchored && html`<${Flow} token=${round.anchor} kind="anchor" />`}
      ${ownTokens(round, known).map(({ token, kind }) => html`<${Flow} token=${token} kind=${kind} />`)}
    </div>
  </section>`;
}

/**
 * One chip a round: accepted tokens and how it ended, as "4✓★". The rounds from ``hidden`` on do not tell.
 * @typedef {{ rounds: Round[], current: number, hidden?: number, onPick: (index: number) => void }} Listed
 */
export const RoundList = memo((/** @type {Listed} */ { rounds, current, hidden = Infinity, onPick }) => {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useBeforePaint(() => reveal(list.current, list.current?.querySelector("[aria-current]")), [current]);
  return html`<nav class="dl-rounds" aria-label=${S.rounds}>
    <h2 class="dl-label">${S.rounds}</h2>
    <div class="dl-roundlist" ref=${list}>
      ${rounds.map((r) => {
        const kind = /** @type {keyof typeof S.chipEnd} */ (drafts(r) ? r.final.kind : "plain");
        const mark = kind === "bonus" ? "★" : kind === "residual" ? "✗" : kind === "plain" ? "●" : "■";
        const secret = r.index >= hidden;
        const name = secret ? S.chipHidden(r.index + 1) : S.chip(r.index + 1, r.accepted, r.tree?.nodes.length ?? r.gamma, S.chipEnd[kind]);
        return html`<button class=${`dl-roundchip dl-end-${secret ? "hidden" : kind}`} key=${r.index} data-testid=${`round-chip-${r.index}`}
          aria-label=${name} title=${name} aria-current=${r.index === current ? "true" : undefined} onClick=${() => onPick(r.index)}>
          ${secret ? "?" : html`${drafts(r) && html`${r.accepted}<i class="dl-ok">${MARKS.accepted}</i>`}<i class="dl-mark">${mark}</i>`}
        </button>`;
      })}
    </div>
    <${Numbers} rounds=${rounds} current=${current} secret=${hidden < rounds.length} />
  </nav>`;
});

/** @param {{ rounds: Round[], current: number, secret: boolean }} props */
function Numbers({ rounds, current, secret }) {
  const tokens = rounds.reduce((sum, r) => sum + r.emitted.length, 0);
  const tau = rounds.length ? tokens / rounds.length : 0;
  return html`<p class="dl-numbers">
    <span>${S.roundOf(current + 1, rounds.length)}</span>
    ${secret ? html`<span>${S.tauValue("?")}</span>` : html`<${Explained} eq=${tauEquation(tokens, rounds.length)}>${S.tauValue(fixed(tau, 2))}<//>`}
  </p>`;
}
