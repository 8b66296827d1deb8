// How sure: c_k and the survivals of this round beside what happened, what thresholds save, and whether it can be believed.
import { useState } from "preact/hooks";
import { Chart } from "../draw/chart.js";
import { equation } from "../draw/equations.js";
import { Failure } from "../draw/failure.js";
import { html } from "../draw/html.js";
import { NumberInput } from "../draw/number.js";
import { Rich } from "../draw/rich.js";
import { Chip, MARKS } from "../draw/token.js";
import { translated } from "../language.js";
import { settingOf } from "../logic/facts.js";
import { fixed, prob, showToken, whole } from "../logic/format.js";
import { sureOf, sweepOf } from "../logic/plans.js";
import { useTrait } from "../store.js";
import { CONFIDENCE as C, S } from "../strings.js";
import { chipKind } from "./cells.js";
import { useChanges } from "./changes.js";
import { Pending, SURE, withConfidence } from "./edits.js";
import { Explained } from "./explained.js";
import { usePlace } from "./place.js";
import { scheduling, usePlan } from "./planning.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../contract").Position} Position */
/** @typedef {import("../contract").Reliability} Reliability */
/** @typedef {import("../store.js").Model} Model */
/** @typedef {import("./place.js").Spot} Spot */

const THRESHOLDS = Array.from({ length: 20 }, (_, i) => i / 20);

/** @param {number} value */
const percent = (value) => `${fixed(100 * value, value < 0.0995 ? 2 : 1)} %`;

/**
 * One position: its token, c_k and a_k, and what happened.
 * @param {{ p: Position, raw: number, round: Round, spot: Spot, edits: import("./changes.js").Changes | null, then: number | undefined, under: boolean }} props
 */
function Sure({ p, raw, round, spot, edits, then, under }) {
  const { now, place } = spot;
  const kind = chipKind(p, now);
  const c = edits?.value.confidence[p.k] ?? p.confidence ?? 0;
  const name = C.change(p.k, showToken(p.token.text));
  const [scaled, survival] = [p.calibrated, p.survival ?? raw];
  const change = (/** @type {number} */ next) => edits?.change({ confidence: withConfidence(edits.value.confidence, p.k, next === p.confidence ? null : next) });
  return html`<li class=${`dl-sure ${place.k === p.k ? "dl-sure-at" : ""} ${under ? "dl-sure-under" : ""}`} data-testid=${`sure-${p.k}`}>
    <button class="dl-pos" aria-current=${place.k === p.k ? "true" : undefined} aria-label=${`${S.position(p.k)}: ${showToken(p.token.text)}`} onClick=${() => spot.select(p.k, "conf")}><span class="dl-note">${p.k}</span> <${Chip} token=${p.token} kind=${kind} /></button>
    <span class="dl-sure-c">${edits ? html`<input type="range" ...${SURE} step="0.001" value=${c} aria-label=${name} data-testid=${`sure-c-${p.k}`} onInput=${(/** @type {any} */ e) => change(Number(e.target.value))} />
        <${NumberInput} ...${SURE} step="0.01" value=${Number(c.toFixed(3))} aria-label=${`${name}, ${S.confidenceValue}`} data-testid=${`sure-number-${p.k}`} onChange=${change} />`
      : html`<span class="dl-meter dl-sure-meter" aria-hidden="true"><span class="dl-fill" style=${`width:${c * 100}%`}></span></span><span class="dl-num">${prob(c)}</span>`}
      <span class="dl-num dl-note"><${Explained} eq=${equation("conf", p.k, round)}>${scaled === null ? C.raw : html`${C.scaled} ${prob(scaled)}`}<//></span></span>
    <span class="dl-sure-a" role="img" aria-label=${C.survivalOf(p.k, prob(raw), scaled === null ? "" : prob(survival))}>
      <span class="dl-track" aria-hidden="true">${scaled !== null && html`<span class="dl-upper dl-look-seen" style=${`width:${survival * 100}%`}></span>`}<span class=${`${scaled === null ? "dl-middle" : "dl-lower"} dl-look-draft`} style=${`width:${raw * 100}%`}></span>
        ${then !== undefined && html`<span class="dl-sure-then" style=${`left:${then * 100}%`}></span>`}</span></span>
    <span class="dl-num dl-sure-n"><${Explained} eq=${equation("survival", p.k, round)}>a <b>${prob(survival)}</b><//>${then !== undefined && html` <b class="dl-c-draft" data-testid=${`sure-then-${p.k}`}>${C.becomes(prob(then))}</b>`}</span>
    <span class=${`dl-verdict dl-is-${kind}`}>${kind === "draft" ? html`<span class="dl-note">${S.unknown}</span>` : html`<b aria-hidden="true">${MARKS[kind]}</b> ${S.verdicts[/** @type {keyof typeof S.verdicts} */ (kind)]}`}</span>
  </li>`;
}

/** The round's draft, and what other confidences would make of it. @param {{ model: Model, spot: Spot, threshold: number }} props */
function ThisRound({ model, spot, threshold }) {
  const { branch, round, now } = spot;
  const changes = useChanges(model, branch, round);
  const edits = model.still ? null : changes;
  const moved = Object.keys(changes.value.confidence).length > 0;
  const policy = String(changes.value.settings.policy ?? settingOf(round, "policy"));
  const { plan, error } = usePlan(model, spot, moved ? scheduling(changes.value) : null);
  const fits = moved && plan && Object.entries(changes.value.confidence).every(([k, c]) => plan.confidence[Number(k) - 1] === c);
  const raw = round.positions.map(((product) => (/** @type {Position} */ p) => (product *= p.confidence ?? 1))(1));
  const expected = round.positions.reduce((sum, p) => sum + (p.survival ?? 0), 0);
  const known = now.final || now.commit;
  return html`<p class="dl-note"><${Rich} text=${C.round} /></p>
    ${known && html`<p class="dl-cause" data-testid="sure-says">${C.lead(fixed(expected, 1), round.accepted, round.verify_length, round.gamma)}</p>`}
    <ol class="dl-sures">${round.positions.map((p, i) => html`<${Sure} key=${p.k} p=${p} raw=${raw[i]} round=${round} spot=${spot} edits=${edits} under=${p.k > sureOf(round, threshold)}
      then=${fits && Math.abs(plan.survival[i] - (p.survival ?? 0)) > 5e-4 ? plan.survival[i] : undefined} />`)}</ol>
    <p class="dl-legend"><span><i class="dl-key dl-key-pd"></i>${C.raw}</span>${round.positions[0].calibrated === null ? html`<span>${C.uncalibrated}</span>` : html`<span><i class="dl-key dl-key-seen"></i>${C.scaled}</span>`}</p>
    <${Failure} testid="plan-error" text=${error} />
    ${fits && html`<p class="dl-cause" data-testid="sure-plan" aria-live="polite">${C.changed(S.policies[/** @type {keyof typeof S.policies} */ (policy)] ?? policy, plan.load, plan.schedule.length, round.gamma)}<${Rich} text=${translated(plan.schedule.why)} /></p>`}
    ${edits && html`<div><h3 class="dl-label">${C.changes}</h3><${Pending} round=${round} edits=${edits} hint=${C.changeHint} id="fork-sure" /></div>`}`;
}

/** Verified, accepted, wasted at a threshold. @param {{ where: string, point: { verified: number, accepted: number }, testid: string }} props */
const Row = ({ where, point, testid }) => html`<tr data-testid=${testid}><th scope="row">${where}</th>${[point.verified, point.accepted, point.verified - point.accepted].map((value, i) => html`<td key=${i}>${fixed(value, 2)}</td>`)}</tr>`;

/** @param {{ rounds: Round[], known: Reliability | null, threshold: number, setThreshold: (t: number) => void }} props */
function Sweep({ rounds, known, threshold, setThreshold }) {
  const own = sweepOf(rounds, THRESHOLDS);
  const recorded = known?.saved ?? [];
  const at = (/** @type {{ threshold: number }[]} */ list) => list.findIndex((p) => Math.abs(p.threshold - threshold) < 1e-9);
  const [mine, theirs] = [own.points[at(own.points)], recorded[at(recorded)]];
  const shown = theirs ?? mine;
  const source = known && theirs ? C.recorded(whole(known.rounds), known.split, known.drafter) : C.own(own.rounds);
  /** @param {string} name @param {{ threshold: number, verified: number, accepted: number }[]} list @param {"verified" | "accepted"} key @param {Record<string, any>} look */
  const series = (name, list, key, look) => ({ name, points: list.map((p) => ({ x: p.threshold, y: p[key] })), look: key === "verified" ? "draft" : "ok", mark: key === "verified" ? "square" : "circle", ...look });
  const both = [series(C.verified, recorded, "verified", { dash: "6 4", hollow: true }), series(C.accepted, recorded, "accepted", { dash: "" })];
  const text = [series(C.inText(C.verified), own.points, "verified", { kind: "points", hollow: true, mark: "triangle" }), series(C.inText(C.accepted), own.points, "accepted", { kind: "points", mark: "triangle" })];
  return html`<section class="dl-part" aria-label=${C.sweep}><h3 class="dl-label">${C.sweep}</h3><p class="dl-lead"><${Rich} text=${C.sweepLead} /></p>
    <label class="dl-field dl-widefield"><span><${Rich} text=${C.threshold} /></span> <input type="range" min="0" max="0.95" step="0.05" value=${threshold} data-testid="threshold" aria-label=${C.threshold} onInput=${(/** @type {any} */ e) => setThreshold(Math.round(20 * Number(e.target.value)) / 20)} /> <output class="dl-num">${fixed(threshold, 2)}</output></label>
    <${Chart} label=${C.sweepChart(fixed(threshold, 2), fixed(shown.verified, 2), fixed(shown.accepted, 2))} testid="sweep-chart" file="threshold" height=${200} note=${source} onPick=${(/** @type {{ x: number }} */ p) => setThreshold(p.x)} pickHint=${C.useThreshold}
      x=${{ label: C.thresholdAxis, min: 0, max: 0.95, format: (/** @type {number} */ v) => fixed(v, 2) }} y=${{ label: C.perRound, min: 0, format: (/** @type {number} */ v) => fixed(v, 2) }} lines=${[{ x: threshold, text: fixed(threshold, 2) }]} series=${recorded.length ? [...both, ...text] : text} />
    <div class="dl-scroller" tabindex="0" role="group" aria-label=${C.sweep}><table class="dl-decisions dl-stacked"><thead><tr>${C.columns.map((name) => html`<th scope="col" key=${name}>${name}</th>`)}</tr></thead><tbody>
      ${theirs && html`<${Row} where=${source} point=${theirs} testid="saved-recorded" />`}<${Row} where=${C.own(own.rounds)} point=${mine} testid="saved-own" /></tbody></table></div>
    ${own.cut > 0 && html`<p class="dl-note">${C.own(own.rounds)}:${C.ownCut(own.cut)}</p>`}</section>`;
}

/** @param {{ known: Reliability | null, at: number }} props ``at`` is the selected position */
function Believed({ known, at }) {
  const [chosen, setChosen] = useState(/** @type {number | null} */ (null));
  const diagrams = known?.diagrams ?? [];
  if (!known || !diagrams.length) return html`<section class="dl-part"><h3 class="dl-label">${C.reliability}</h3><p class="dl-note" data-testid="no-rounds">${C.noRounds} ${translated(known?.note ?? "")}</p></section>`;
  const d = diagrams.find((x) => x.position === (chosen ?? at)) ?? diagrams[0];
  const where = d.position ? S.position(d.position) : C.allPositions;
  const [raw, scaled] = [percent(d.ece), d.ece_scaled === null ? "" : percent(d.ece_scaled)];
  const held = known.held_out;
  const mean = (/** @type {(number | null)[]} */ list) => list.filter((x) => x !== null).reduce((a, b) => a + b, 0) / Math.max(1, list.filter((x) => x !== null).length);
  const of = (/** @type {(number | null)[]} */ list) => (d.position ? list[d.position - 1] : mean(list));
  const [before, after] = held ? [of(held.before), of(held.after)] : [null, null];
  const unit = { min: 0, max: 1, ticks: [0, 0.25, 0.5, 0.75, 1], format: prob };
  const curve = (/** @type {import("../contract").Bin[]} */ bins) => bins.map((b) => ({ x: b.predicted, y: b.happened, note: C.inBin(b.rounds) }));
  return html`<section class="dl-part" aria-label=${C.reliability}><h3 class="dl-label">${C.reliability}</h3><p class="dl-lead">${C.reliabilityLead}</p>
    <div class="dl-run" role="group" aria-label=${C.position}><span>${C.position}</span>${diagrams.map((x) => html`<button key=${x.position} aria-pressed=${x === d ? "true" : "false"} class="dl-choicebutton" data-testid=${`reliability-${x.position || "all"}`} onClick=${() => setChosen(x.position)}>${x.position || C.all}</button>`)}</div>
    <div class="dl-lenses"><div class="dl-square"><${Chart} label=${C.diagram(where, raw, scaled)} testid="reliability-chart" file="reliability" height=${300} x=${{ ...unit, label: C.predicted }} y=${{ ...unit, label: C.happened }}
      series=${[{ name: C.perfect, look: "muted", mark: "none", dash: "2 3", still: true, points: [{ x: 0, y: 0 }, { x: 1, y: 1 }] }, { name: `${C.raw}: ${C.ece(raw)}`, look: "draft", mark: "square", dash: "5 4", hollow: true, points: curve(d.bins) },
        ...(scaled ? [{ name: `${C.scaled}: ${C.ece(scaled)}`, look: "target", mark: "circle", dash: "", points: curve(d.scaled) }] : [])]} /></div>
    <div class="dl-believed"><p class="dl-facts"><span data-testid="ece-raw">${C.raw}: <b>${C.ece(raw)}</b></span>${scaled ? html`<span data-testid="ece-scaled">${C.scaled}: <b>${C.ece(scaled)}</b></span>` : html`<span>${C.uncalibrated}</span>`}</p>
    <p class="dl-note">${where}, ${C.recorded(whole(known.rounds), known.split, known.drafter)}, T = ${known.temperature}. ${known.fitted && C.fitted(known.split)}
      ${held && typeof before === "number" && typeof after === "number" && ` ${C.heldOut(whole(held.rounds), held.split, `${d.position ? C.heldOutAt(d.position) : C.heldOutMean} ${percent(before)}`, percent(after))}`} ${translated(known.note)}</p>
    ${known.temperatures.length > 0 && html`<p class="dl-note"><${Rich} text=${C.temperatures(known.temperatures.map((t) => fixed(t, 2)).join(", "))} /></p>`}</div></div></section>`;
}

/** @param {{ model: Model }} props */
export function Confidence({ model }) {
  const spot = usePlace(model);
  const [known] = useTrait(model, "reliability");
  const [threshold, setThreshold] = useState(0.5);
  if (!spot) return html`<p class="dl-note dl-empty">${S.loading}</p>`;
  const { branch, round, now, place } = spot;
  const has = round.positions.length > 0 && round.positions[0].confidence !== null;
  const none = branch.rounds.some((r) => r.positions.some((p) => p.confidence !== null)) ? C.noDraft : round.positions.length ? C.none : C.noDraft;
  return html`<section class="dl-view" data-testid="confidence" aria-label=${C.title}>
    ${!has ? html`<p class="dl-note" data-testid="no-confidence">${none}</p>` : now.confidence ? html`<${ThisRound} model=${model} spot=${spot} threshold=${threshold} />` : html`<p class="dl-note">${S.unknown}</p>`}
    ${(has || known) && html`<${Sweep} rounds=${branch.rounds} known=${known} threshold=${threshold} setThreshold=${setThreshold} /><${Believed} known=${known} at=${place.k <= round.gamma ? place.k : 0} />`}
  </section>`;
}
