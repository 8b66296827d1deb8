// The head lens: a position's distribution with and without the sequential head, and what the head would do after another token.
import { useRef, useState } from "preact/hooks";
import { compare } from "../draw/bars.js";
import { equation } from "../draw/equations.js";
import { Failure } from "../draw/failure.js";
import { Act } from "../draw/act.js";
import { html } from "../draw/html.js";
import { Pairs, written } from "../draw/pairs.js";
import { Rich } from "../draw/rich.js";
import { Save } from "../draw/save.js";
import { Chip } from "../draw/token.js";
import { before, biasSentence } from "../logic/facts.js";
import { plainly, prob, quoteToken, showToken, signed } from "../logic/format.js";
import { headPeaks, rest } from "../logic/heads.js";
import { isBusy, sender, useTrait } from "../store.js";
import { LENS as L, S } from "../strings.js";
import { Explained } from "./explained.js";
import { usePlace } from "./place.js";
import { Positions } from "./positions.js";

/** @typedef {import("../contract").Choice} Choice */
/** @typedef {import("../contract").Token} Token */
/** @typedef {import("../store.js").Model} Model */
/** @typedef {import("./place.js").Spot} Spot */

/** What the head adds to some tokens, raised ones to the right. @param {{ up: Choice[], down: Choice[], file: string, note: string }} props */
function Biases({ up, down, file, note }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const all = [...up, ...down.slice().reverse()];
  const most = Math.max(...all.map((c) => Math.abs(c.value)), 1e-9);
  return html`<ul ref=${box} class="dl-biaslist" aria-label=${L.biases}>${all.map((c) => {
    const share = (50 * Math.abs(c.value)) / most;
    return html`<li key=${c.token.id} aria-label=${`${showToken(c.token.text)} ${signed(c.value)}`}><span class="dl-tok">${showToken(c.token.text)}</span>
      <span class="dl-biastrack" aria-hidden="true"><i></i><span class=${c.value < 0 ? "dl-bias-down" : "dl-bias-up"} style=${c.value < 0 ? `right:50%;width:${share}%` : `left:50%;width:${share}%`}></span></span>
      <span class="dl-num">${c.value < 0 ? "↓" : "↑"} ${signed(c.value)}</span></li>`;
  })}</ul><${Save} picture=${() => box.current} name=${file} title=${L.biases} note=${note} />`;
}

/**
 * One position after one token: with and without the head, and what it raises and lowers.
 * @param {{ heading: string, base: Choice[], draft: Choice[], own?: { token: Token, t: number, d: number }, up: Choice[], down: Choice[], eq?: any, testid: string }} props
 */
function After({ heading, base, draft, own, up, down, eq, testid }) {
  const rows = compare(draft, base, own, 7).map(({ token, t, d }) => ({ token, a: t, b: d }));
  const all = [...rows, { token: null, a: rest(rows.map((r) => r.a)), b: rest(rows.map((r) => r.b)) }];
  return html`<div class="dl-after" data-testid=${testid}><h3 class="dl-lenshead"><${Rich} text=${heading} /></h3>
    <div><${Pairs} label=${L.chart} file=${testid} note=${plainly(heading)} rows=${all} a=${{ look: "head", head: L.with }} b=${{ look: "base", head: L.without }} marked=${own?.token.id} legend=${[["head", L.legendWith], ["base", L.legendWithout]]} /></div>
    <div><h4 class="dl-label">${eq ? html`<${Explained} eq=${eq}>${L.biases}<//>` : L.biases}</h4>
    <${Biases} up=${up} down=${down} file=${`${testid}-bias`} note=${plainly(heading)} /></div>
  </div>`;
}

/** Ask the head about another previous token. @param {{ model: Model, spot: Spot }} props */
function Ask({ model, spot }) {
  const [status] = useTrait(model, "status");
  const [live] = useTrait(model, "live");
  const [kind] = useTrait(model, "kind");
  const [text, setText] = useState("");
  const { branch, round, place } = spot;
  const { k } = place;
  const send = sender(model);
  const off = !live || isBusy(status);
  const old = round.positions[k - 2];
  const offers = old ? compare(old.target, old.draft, undefined, 9).map((c) => c.token) : [];
  const own = before(round, k);
  const ask = (/** @type {{ token: number | null, text: string }} */ what) => send({ type: "head", branch: branch.id, round: round.index, k, ...what });
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    ask({ token: null, text });
  };
  if (model.still) return html`<p class="dl-note">${L.notLive.page}</p>`;
  return html`<div class="dl-asklens"><h3 class="dl-label"><${Rich} text=${L.ask(k, quoteToken(own.text))} /></h3>
    <div class="dl-run" role="group" aria-label=${L.offers}>
      ${offers.filter((t) => t.id !== own.id).map((t) => html`<${Act} key=${t.id} data-testid=${`after-${t.id}`} off=${off} onClick=${() => ask({ token: t.id, text: "" })}><span class="dl-tok">${showToken(t.text)}</span><//>`)}
      <form class="dl-run" onSubmit=${submit}><label class="dl-field"><span>${L.other}</span> <input type="text" size="10" data-testid="after-text" value=${text} disabled=${off} onInput=${(/** @type {any} */ e) => setText(e.target.value)} onKeyDown=${(/** @type {Event} */ e) => e.stopPropagation()} /></label>
        <${Act} type="submit" data-testid="after-ask" off=${off || !text}>${L.askIt}<//></form>
    </div>
    <${Failure} text=${status.where === "lens" && status.error} />
    ${!live && html`<p class="dl-note">${L.notLive[kind === "app" ? "app" : "view"]}</p>`}
  </div>`;
}

/** Places of this text where the head changes most, and in the app the example that has the paper's collision. @param {{ model: Model, spot: Spot }} props */
function Peaks({ model, spot }) {
  const [info] = useTrait(model, "info");
  const [status] = useTrait(model, "status");
  const peaks = headPeaks(spot.branch.rounds, 5);
  const known = (info?.examples ?? []).filter((e) => e.collision);
  return html`<div class="dl-peaks"><h3 class="dl-label">${L.peaks}</h3><ol>
    ${known.map((e) => html`<li key=${`${e.domain}-${e.index}`}><${Act} class="dl-quiet" data-testid="collision" off=${isBusy(status)}
      onClick=${() => sender(model)({ type: "example", domain: e.domain, index: e.index, round: e.collision?.[0] ?? 0, at: e.collision?.[1] ?? 0 })}>${L.collision(e.prompt)}<//></li>`)}
    ${peaks.map(({ round, p, shift, most }) => html`<li key=${`${round.index}:${p.k}`}><button class="dl-quiet" data-testid=${`peak-${round.index}-${p.k}`}
      aria-current=${spot.round.index === round.index && spot.place.k === p.k ? "true" : undefined} onClick=${() => spot.select(p.k, "bias", round.index)}>
      <${Rich} text=${L.peak(round.index + 1, p.k, quoteToken(before(round, p.k).text), quoteToken(most.token.text), written(most.d), written(most.t))} /> <span class="dl-note">${L.shift(prob(shift))}</span></button></li>`)}
  </ol></div>`;
}

/** @param {{ model: Model }} props */
export function HeadLens({ model }) {
  const spot = usePlace(model);
  const [lens] = useTrait(model, "lens");
  const [kind] = useTrait(model, "kind");
  if (!spot) return html`<p class="dl-note dl-empty">${S.loading}</p>`;
  const { branch, round, now, place } = spot;
  const { k } = place;
  const p = round.positions[k - 1];
  const has = round.positions.some((q) => q.bias !== null);
  const asked = lens && lens.branch === branch.id && lens.round === round.index && lens.k === k ? lens : null;
  const body = () => {
    if (!has) return html`<p class="dl-note" data-testid="no-head">${round.positions.length ? L.none : L.noDraft}</p>`;
    if (!p) return html`<p class="dl-note">${L.final}</p>`;
    if (k > now.draft) return html`<p class="dl-note">${S.unknown}</p>`;
    return html`<p class="dl-cause" data-testid="head-says"><${Rich} text=${biasSentence(round, k)} /></p>
      <div class="dl-lenses">
        <${After} heading=${L.asDrafted(quoteToken(before(round, k).text))} base=${p.base} draft=${p.draft} own=${{ token: p.token, t: p.p_d, d: p.p_base ?? 0 }} up=${p.biased_up} down=${p.biased_down} eq=${equation("bias", k, round)} testid="lens-drafted" />
        ${asked && html`<${After} heading=${L.asAsked(quoteToken(asked.previous.text))} base=${asked.base} draft=${asked.draft} up=${asked.biased_up} down=${asked.biased_down} testid="lens-asked" />`}
      </div>
      <${Ask} model=${model} spot=${spot} key=${k} />`;
  };
  return html`<section class="dl-view" data-testid="lens" aria-label=${L.title}>
    <${Positions} spot=${spot} row=${has ? "bias" : "token"} />
    ${body()}
    ${(has || kind === "app") && html`<${Peaks} model=${model} spot=${spot} />`}
  </section>`;
}
