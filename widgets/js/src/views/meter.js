// The exactness meter: this round again and again with fresh seeds, its first tokens counted and held against p_t.
import { useState } from "preact/hooks";
import { Failure } from "../draw/failure.js";
import { explain } from "../draw/glossary.js";
import { Chart } from "../draw/chart.js";
import { Act } from "../draw/act.js";
import { html } from "../draw/html.js";
import { Icon } from "../draw/icons.js";
import { Pairs } from "../draw/pairs.js";
import { Rich } from "../draw/rich.js";
import { translated } from "../language.js";
import { fixed, prob, quoteToken, whole } from "../logic/format.js";
import { isBusy, sender, useTrait } from "../store.js";
import { METER as M, S } from "../strings.js";
import { Explained } from "./explained.js";

/** @typedef {import("../contract").Meter} Reading */
/** @typedef {keyof typeof M.rules} Rule */

const RULES = /** @type {Rule[]} */ (Object.keys(M.rules));
const ROUNDS = [200, 2000];
const CAUGHT = 0.001;

/** p-values as rounds add up, and the level that an exact rule stays above nearly always. @param {{ history: [number, number][] }} props */
function History({ history }) {
  if (history.length < 2) return null;
  const points = history.map(([x, y]) => ({ x, y }));
  return html`<div class="dl-history"><${Chart} label=${M.historyTitle} title=${M.historyTitle} file="exactness" testid="meter-history" note=${M.historyNote} height=${110}
    x=${{ label: M.historyRounds, min: 0, max: points[points.length - 1].x }} y=${{ label: "p", min: 0, max: 1, format: prob }} series=${[{ name: M.historyName, look: "text", mark: "none", points }]} lines=${[{ y: 0.05, text: ".05" }]} /></div>`;
}

/** @param {{ m: Reading }} props */
function Result({ m }) {
  const rows = [...m.rows, m.others].filter((r) => r.p_t > 0 || r.law > 0 || r.count > 0)
    .map((r) => ({ token: r.token, a: { value: r.p_t, exact: true }, b: { value: r.count / m.rounds, exact: true }, c: { value: r.count, exact: true }, note: String(r.count) }));
  const caught = m.impossible > 0 || m.p_value < CAUGHT;
  const words = m.impossible ? M.impossible(m.impossible) : caught ? M.caught : !m.degrees ? M.tooFew : m.bias > 0 ? M.notYet(prob(m.bias)) : M.fits;
  const eq = explain("chi", [html`<span class="dl-math">χ² = <b>${fixed(m.statistic, 2)}</b>, ${M.degrees(m.degrees)}, p = <b>${prob(m.p_value)}</b></span>`]);
  return html`<div data-testid="meter-result">
    <p class=${`dl-verdictline ${caught ? "dl-is-rejected" : m.bias ? "" : "dl-is-accepted"}`} data-testid="meter-verdict"><b aria-hidden="true">${caught ? "✗" : m.degrees && !m.bias ? "✓" : "…"}</b> <span><${Rich} text=${words} /></span></p>
    <p class="dl-facts"><span>${M.rounds(m.rounds, m.first_seed, m.first_seed + m.rounds - 1)}</span>
      <span><${Explained} eq=${eq}>χ² <b>${fixed(m.statistic, 1)}</b>, ${M.degrees(m.degrees)}, p <b>${prob(m.p_value)}</b><//></span>
      <span><${Explained} eq=${explain("distance")}><${Rich} text=${M.distance} /> <b>${prob(m.distance)}</b><//></span>
      ${m.bias > 0 && html`<span title=${M.biasHint}>${M.bias} <b>${prob(m.bias)}</b></span>`}</p>
    <${Pairs} label=${M.chart} file="exactness-counts" note=${M.rounds(m.rounds, m.first_seed, m.first_seed + m.rounds - 1)} rows=${rows} a=${{ look: "target", head: "p_t" }} b=${{ look: "seen", head: M.seen }} c=${{ look: "none", head: M.count }}
      legend=${[["pt", M.legendExact], ["seen", M.legendSeen]]} />
    <${History} history=${m.history} />
  </div>`;
}

/** @param {{ model: import("../store.js").Model, spot: import("./place.js").Spot }} props */
export function Meter({ model, spot }) {
  const [meters] = useTrait(model, "meters");
  const [status] = useTrait(model, "status");
  const [live] = useTrait(model, "live");
  const [kind] = useTrait(model, "kind");
  const [rule, setRule] = useState(/** @type {Rule} */ ("exact"));
  const send = sender(model);
  const { branch, round } = spot;
  const m = (meters ?? []).find((x) => x.branch === branch.id && x.round === round.index && x.rule === rule);
  const busy = isBusy(status);
  const why = live ? "" : M.notLive[model.still ? "page" : kind === "app" ? "app" : "view"];
  const ask = (/** @type {number} */ rounds, afresh = false) => send({ type: "meter", branch: branch.id, round: round.index, rule, rounds, afresh });
  return html`<section class="dl-meterbox" aria-label=${M.title} data-testid="meter">
    <h3 class="dl-label">${M.title}</h3>
    <p class="dl-lead"><${Rich} text=${M.lead(quoteToken(round.anchor.text))} /></p>
    <div class="dl-choices" role="radiogroup" aria-label=${M.rule}>
      ${RULES.map((name) => html`<label key=${name} class="dl-choice"><input type="radio" name=${`rule-${spot.branch.id}`} value=${name} checked=${rule === name} data-testid=${`rule-${name}`} onChange=${() => setRule(name)} /> <span><${Rich} text=${M.rules[name][0]} /></span></label>`)}
    </div>
    <p class="dl-note"><${Rich} text=${M.rules[rule][1]} /></p>
    ${!model.still && html`<div class="dl-run">
      ${ROUNDS.map((n, i) => html`<${Act} key=${n} class=${i ? "" : "dl-primary"} data-testid=${`meter-run-${n}`} off=${!live || busy} onClick=${() => ask(n)}>${m ? M.runMore(whole(n)) : M.run(whole(n))}<//>`)}
      ${status.state === "repeating" && html`<button data-testid="meter-stop" onClick=${() => send({ type: "stop" })}><${Icon} name="stop" /> ${M.stop}</button>
        <span class="dl-note" role="status">${translated(status.text) || M.repeating}</span>`}
      ${m && !busy && live && html`<button data-testid="meter-afresh" onClick=${() => ask(ROUNDS[0], true)}>${M.afresh}</button>`}
    </div>`}
    <${Failure} text=${status.where === "meter" && status.error} />
    ${why && html`<p class="dl-note">${why}</p>`}
    ${m && html`<${Result} m=${m} />`}
  </section>`;
}
