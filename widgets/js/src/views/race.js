// The drafter race: one prompt, the same uniforms, several drafters; every round a block that opens in the stepper.
import { useState } from "preact/hooks";
import { Chart } from "../draw/chart.js";
import { tauEquation } from "../draw/equations.js";
import { Failure } from "../draw/failure.js";
import { Act } from "../draw/act.js";
import { html } from "../draw/html.js";
import { Icon } from "../draw/icons.js";
import { Flow } from "../draw/token.js";
import { translated } from "../language.js";
import { fixed, flowToken, prob, rate, showToken } from "../logic/format.js";
import { emitted, looksOf } from "../logic/lanes.js";
import { atStep } from "../logic/place.js";
import { allSteps, endOf } from "../logic/steps.js";
import { isBusy, sender, useTrait } from "../store.js";
import { RACE as R, APP } from "../strings.js";
import { Explained } from "./explained.js";
import { Stepper } from "./stepper.js";

/** @typedef {import("../contract").Lane} Lane */
/** @typedef {import("../contract").Piece} Piece */
/** @typedef {import("../store.js").Model} Model */

const DENSE = 30;

/** By position, the share accepted of those that were reached. @param {{ lane: Lane }} props */
function Acceptance({ lane }) {
  if (!lane.acceptance.length) return null;
  return html`<ol class="dl-byposition" aria-label=${R.acceptance}>${lane.acceptance.map((share, i) => html`<li key=${i} aria-label=${R.acceptedAt(i + 1, prob(share))} title=${R.acceptedAt(i + 1, prob(share))}>
    <span class="dl-column" aria-hidden="true"><span class="dl-column-fill" style=${`height:${100 * (share ?? 0)}%`}></span></span><span class="dl-num" aria-hidden="true">${prob(share)}</span></li>`)}</ol>`;
}

/** What a round came to, in words. @param {Piece[]} block */
function spoken(block) {
  const of = (/** @type {string} */ kind) => block.filter((p) => p.kind === kind);
  const last = block.find((p) => ["residual", "bonus", "plain"].includes(p.kind));
  return R.block(of("accepted").length, of("rejected").length, last ? showToken(last.token.text) : "");
}

/** What is written of a block. @param {Piece[]} block */
const seen = (block) => block.filter((p) => p.kind !== "cut" && p.kind !== "discarded");
/** @param {Piece[]} pieces */
const written = (pieces) => pieces.map((p) => flowToken(p.token.text)).join("").trim();

/** A block's name: what it adds to the text, what it came to, and what stands there where a rejected token stands there too. @param {Piece[]} block */
function named(block) {
  const [all, added] = [written(seen(block)), written(seen(block).filter((p) => p.kind !== "rejected"))];
  return `${added}; ${spoken(block)}${all === added ? "" : `; ${R.shown(all)}`}`;
}

/** @param {{ lane: Lane, fastest: number, opened: boolean, current: number, may: boolean, onOpen: (round: number) => void }} props */
function LaneView({ lane, fastest, opened, current, may, onOpen }) {
  const speed = lane.seconds ? rate({ tokens: lane.tokens, seconds: lane.seconds }) : 0;
  return html`<li class=${`dl-lane ${opened ? "dl-lane-open" : ""}`} data-testid=${`lane-${lane.name}`}>
    <div class="dl-lanehead"><h3>${translated(lane.title)}</h3>
      <span class="dl-note" data-testid=${`lane-state-${lane.name}`}>${R.states[lane.state]}</span>
      ${lane.rounds.length > 0 && html`<span><${Explained} eq=${tauEquation(lane.tokens, lane.rounds.length)}>τ <b>${fixed(lane.tau, 2)}</b><//></span><span>${R.counts(lane.rounds.length, lane.tokens)}</span>`}
      ${speed > 0 && html`<span class="dl-lanespeed"><b>${APP.rate(fixed(speed))}</b> <span class="dl-note">${R.seconds(fixed(lane.seconds ?? 0, 2))}</span></span>
        <span class="dl-speedbar dl-lanebar" aria-hidden="true"><span class="dl-speed-draft" style=${`width:${(100 * speed) / fastest}%`}></span></span>`}
    </div>
    <${Failure} text=${lane.error} />
    <${Acceptance} lane=${lane} />
    <div class="dl-blocks">${lane.rounds.map((block, i) => html`<button key=${i} class="dl-block" data-testid=${`block-${lane.name}-${i}`} disabled=${!may && !opened}
      aria-current=${opened && current === i ? "true" : undefined} aria-label=${`${R.round(i + 1)}: ${named(block)}`} title=${may || opened ? R.openHint : R.openNot} onClick=${() => onOpen(i)}>
      ${seen(block).map((p) => html`<${Flow} token=${p.token} kind=${p.kind} />`)}
    </button>`)}</div>
  </li>`;
}

/** The lanes against each other: tokens by passes of the target, the steeper the larger tau, and acceptance by position. @param {{ lanes: Lane[] }} props */
function Against({ lanes }) {
  const there = lanes.filter((lane) => lane.rounds.length);
  if (there.length < 2) return null;
  const looks = looksOf(there.map((lane) => lane.name));
  const progress = there.map((lane) => {
    let sum = 0;
    return { name: R.withTau(translated(lane.title), fixed(lane.tau, 2)), ...looks[lane.name], ...(lane.rounds.length > DENSE && { mark: "none" }), points: [{ x: 0, y: 0 }, ...lane.rounds.map((block, i) => ({ x: i + 1, y: (sum += emitted(block)) }))] };
  });
  const share = there.filter((lane) => lane.acceptance.length).map((lane) => ({ name: translated(lane.title), ...looks[lane.name], points: lane.acceptance.map((y, i) => ({ x: i + 1, y })) }));
  return html`<div class="dl-charts"><${Chart} label=${R.progress} title=${R.progress} file="race-tokens" testid="race-tokens" note=${R.measuredNote} height=${200} x=${{ label: R.passes, min: 0 }} y=${{ label: R.tokens, min: 0 }} series=${progress} />
    ${share.length > 0 && html`<${Chart} label=${R.acceptance} title=${R.acceptance} file="race-acceptance" testid="race-acceptance" note=${R.measuredNote} height=${200} x=${{ label: R.position, ticks: Array.from({ length: Math.max(...share.map((s) => s.points.length)) }, (_, i) => i + 1) }} y=${{ label: R.share, min: 0, max: 1 }} series=${share} />`}</div>`;
}

/** @param {{ model: Model }} props */
export function Race({ model }) {
  const [race] = useTrait(model, "race");
  const [status] = useTrait(model, "status");
  const [controls] = useTrait(model, "controls");
  const [trace] = useTrait(model, "trace");
  const [cursor, setCursor] = useTrait(model, "cursor");
  const [kind] = useTrait(model, "kind");
  const [chosen, setChosen] = useState(/** @type {string[] | null} */ (null));
  const [typed, setTyped] = useState(/** @type {string | null} */ (null));
  const send = sender(model);
  const app = kind === "app";
  if (!race) return html`<section class="dl-view" data-testid="race"><p class="dl-note">${model.still ? R.still : R.waiting}</p></section>`;
  const names = race.choices.map((c) => c.name);
  const picked = chosen ?? (race.lanes.length ? race.lanes.map((lane) => lane.name) : names.filter((name) => R.usual.includes(name)));
  const prompt = app ? (controls?.prompt ?? "") : (typed ?? race.prompt);
  const busy = isBusy(status);
  const fastest = Math.max(...race.lanes.map((lane) => (lane.seconds ? rate({ tokens: lane.tokens, seconds: lane.seconds }) : 0)), 1e-9);
  const toggle = (/** @type {string} */ name) => setChosen(names.filter((n) => (n === name ? !picked.includes(n) : picked.includes(n))));
  /** @param {string} lane @param {number} round */
  const open = (lane, round) => {
    const rounds = trace?.rounds ?? [];
    if (race.opened !== lane) return send({ type: "open", lane, round });
    const steps = allSteps(rounds);
    setCursor({ ...atStep(cursor, steps[endOf(steps, round)]), branch: 0 });
  };
  return html`<section class="dl-view" data-testid="race" aria-label=${R.title}>
    <p class="dl-lead">${R.lead}</p>
    ${!model.still && html`<div class="dl-ask">
      ${!app && html`<label class="dl-promptfield"><span class="dl-label">${APP.prompt}</span><textarea rows="2" data-testid="race-prompt" value=${prompt} onInput=${(/** @type {any} */ e) => setTyped(e.target.value)} onKeyDown=${(/** @type {Event} */ e) => e.stopPropagation()}></textarea></label>`}
      <div class="dl-choices" role="group" aria-label=${R.drafters}>${race.choices.map((c) => html`<label class="dl-choice" key=${c.name} title=${translated(c.summary)}><input type="checkbox" data-testid=${`racer-${c.name}`} checked=${picked.includes(c.name)} onChange=${() => toggle(c.name)} /> ${translated(c.title)}</label>`)}</div>
      <div class="dl-run"><${Act} class="dl-primary" data-testid="race-run" off=${busy || status.state === "loading" || !picked.length} onClick=${() => send({ type: "race", prompt, drafters: picked })}>${R.run}<//>
        ${status.state === "racing" && html`<button data-testid="race-stop" onClick=${() => send({ type: "stop" })}><${Icon} name="stop" /> ${APP.stop}</button><span class="dl-note" role="status">${translated(status.text)}</span>`}
        ${app && html`<span class="dl-note">${R.fromPage}</span>`}</div>
      <${Failure} text=${status.where === "race" && status.error} />
    </div>`}
    ${model.still && !race.lanes.length && html`<p class="dl-note">${R.still}</p>`}
    ${app && race.opened && !model.still && html`<div><button data-testid="race-back" disabled=${busy} onClick=${() => send({ type: "open", lane: "", round: 0 })}>${R.back}</button></div>`}
    ${race.lanes.length > 0 && html`<p class="dl-note">${R.on(race.prompt, Number(race.settings.seed), String(race.settings.temperature), translated(race.device))}</p>
      <${Against} lanes=${race.lanes} /><ol class="dl-lanes">${race.lanes.map((lane) => html`<${LaneView} key=${lane.name} lane=${lane} fastest=${fastest} opened=${race.opened === lane.name} current=${cursor?.round ?? 0} may=${!model.still && !busy} onOpen=${(/** @type {number} */ i) => open(lane.name, i)} />`)}</ol>`}
    ${!app && trace && html`<div class="dl-opened"><h3 class="dl-label">${R.opened(translated(race.lanes.find((lane) => lane.name === race.opened)?.title ?? ""))}</h3><${Stepper} model=${model} theme=${false} /></div>`}
  </section>`;
}
