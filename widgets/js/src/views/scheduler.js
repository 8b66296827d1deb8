// How far: the queue of the step, Theta along it, the step rate, the cut and what moves it.
import { useMemo, useRef } from "preact/hooks";
import { Failure } from "../draw/failure.js";
import { html } from "../draw/html.js";
import { Icon } from "../draw/icons.js";
import { memo, useAfterPaint, useSame } from "../draw/memo.js";
import { NumberInput } from "../draw/number.js";
import { reveal, useBeforePaint } from "../draw/reveal.js";
import { Rich } from "../draw/rich.js";
import { translated } from "../language.js";
import { scheduleFacts, scheduleGrounds, settingOf } from "../logic/facts.js";
import { figures, prob, whole } from "../logic/format.js";
import { curveName, curvePoints, queueOf, stopOf } from "../logic/plans.js";
import { useTrait } from "../store.js";
import { S, SCHEDULER as C } from "../strings.js";
import { useChanges } from "./changes.js";
import { Pending, PolicyChoice } from "./edits.js";
import { usePlace } from "./place.js";
import { scheduling, usePlan } from "./planning.js";
import { CutsChart, QueueChart, RateChart } from "./schedulecharts.js";

/** @typedef {import("../contract").Plan} Plan */
/** @typedef {import("../contract").Round} Round */

/** What is shown of a round that was run without a scheduler. */
const INSTEAD = "early-break";

/** @param {string} policy */
const policyName = (policy) => S.policies[/** @type {keyof typeof S.policies} */ (policy)] ?? policy;

/** The places around the cut one by one. */
const Queue = memo((/** @type {{ plan: Plan }} */ { plan }) => {
  const near = queueOf(plan, 4);
  const stop = stopOf(plan);
  const thetas = figures(...near.map((p) => p.theta));
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useBeforePaint(() => reveal(list.current, list.current?.querySelector(".dl-queue-cut")), [stop]);
  return html`<ol class="dl-queue" data-testid="queue" ref=${list} tabindex="0" aria-label=${C.queue}>${near.map((p, i) => {
    const gap = p.n - (near[i - 1]?.n ?? 0) - 1;
    const what = p.own ? C.own(p.k) : C.other(p.k);
    return html`${gap > 0 && html`<li class="dl-queue-gap dl-note" key=${`gap-${p.n}`}>⋯ ${C.skipped(gap)}</li>`}
      ${stop !== null && p.n > stop && (near[i - 1]?.n ?? 0) <= stop && html`<li class="dl-queue-cut" key="cut"><${Icon} name="cut" /> ${C.stop}</li>`}
      <li key=${p.n} class=${`dl-queue-place ${p.own ? "dl-queue-own" : ""} ${p.admitted ? "" : "dl-queue-out"}`} data-testid=${p.own ? `queue-own-${p.k}` : undefined} aria-label=${C.inQueue(p.n, what, prob(p.survival), thetas[i], p.admitted)}>
        <span class="dl-note">${whole(p.n)}</span><b><${Rich} text=${what} /></b><span class="dl-num">a ${prob(p.survival)}</span><span class="dl-num dl-note">Θ ${thetas[i]}</span></li>`;
  })}</ol>`;
});

/** What each policy makes of this queue. */
const Decisions = memo((/** @type {{ plan: Plan, gamma: number }} */ { plan, gamma }) => {
  return html`<div class="dl-scroller" tabindex="0" role="group" aria-label=${C.policies}><table class="dl-decisions dl-stacked" data-testid="decisions"><thead><tr>${Object.values(C.columns).map((name) => html`<th scope="col" key=${name}>${name}</th>`)}</tr></thead>
    <tbody>${plan.decisions.map((d) => html`<tr key=${d.policy} aria-current=${d.policy === plan.schedule.policy ? "true" : undefined} data-testid=${`decision-${d.policy}`}>
      <th scope="row">${policyName(d.policy)}</th><td>${d.length} ${S.verifyOf(gamma)}</td><td>${whole(d.tokens)}</td><td>${figures(d.theta)[0]}</td><td class=${d.leaks ? "dl-is-rejected" : "dl-is-accepted"}>${d.leaks ? C.leaks : C.exact}</td></tr>`)}</tbody></table></div>`;
});

/** Why the largest Theta is not taken. */
const Leak = memo((/** @type {{ plan: Plan }} */ { plan }) => {
  const [early, best] = ["early-break", "global"].map((name) => plan.decisions.find((d) => d.policy === name));
  if (!early || !best) return null;
  const [low, high] = figures(early.theta, best.theta);
  const words = early.tokens === best.tokens ? C.same : C.goesOn(whole(early.tokens), low, whole(best.tokens), high);
  return html`<div class="dl-leak" data-testid="leak"><h3 class="dl-label">${C.leakTitle}</h3><p class="dl-lead"><${Rich} text=${`${words} ${C.leak(prob(plan.example[0]), prob(plan.example[1]))}`} /></p></div>`;
});

/**
 * Load, policy and step rate. They move the plan at once; the fork runs them.
 * @param {{ model: import("../store.js").Model, plan: Plan | undefined, policy: string, load: number, rate: string, own: string, change: (name: string, value: any) => void }} props
 */
function Controls({ model, plan, policy, load, rate, own, change }) {
  const [rates] = useTrait(model, "step_rates");
  const drawn = curvePoints(rate) !== null;
  const offered = (rates ?? []).map((r) => /** @type {[string, string]} */ ([r.name, `${translated(r.title)} (${r.source === "measured" ? C.measured : C.modelled})`]));
  const choices = [...offered, ...(offered.some(([name]) => name === rate) ? [] : [/** @type {[string, string]} */ ([rate, drawn ? C.drawn : rate])])];
  return html`<div class="dl-fields dl-plancontrols">
    <label class="dl-field" title=${C.loadHint}><span>${C.load}</span> <input type="range" class="dl-loadslider" min="0" max="256" step="1" data-testid="plan-load" value=${Math.min(256, load)} aria-label=${S.loadName} onInput=${(/** @type {any} */ e) => change("load", Number(e.target.value))} />
      <${NumberInput} min="0" max="4096" step="1" value=${load} aria-label=${S.loadName} data-testid="plan-load-number" onChange=${(/** @type {number} */ n) => n >= 0 && change("load", Math.round(n))} /></label>
    <label class="dl-field"><span>${S.policy}</span> <${PolicyChoice} id="plan-policy" value=${policy} onChange=${(/** @type {string} */ next) => change("policy", next)} /></label>
    <label class="dl-field dl-ratechoice"><span>${C.rate}</span> <select data-testid="plan-rate" value=${rate} onChange=${(/** @type {any} */ e) => change("step_rate", e.target.value)}>
      ${choices.map(([name, title]) => html`<option key=${name} value=${name} selected=${name === rate}>${title}</option>`)}</select></label>
    ${drawn && rate !== own && html`<button data-testid="rate-undraw" onClick=${() => change("step_rate", own)}><${Icon} name="replay" /> ${C.undraw}</button>`}
  </div>`;
}

/** @param {{ model: import("../store.js").Model }} props */
export function Scheduler({ model }) {
  const spot = usePlace(model);
  if (!spot) return html`<p class="dl-note dl-empty">${S.loading}</p>`;
  const { round, now } = spot;
  const body = !round.positions.length || round.positions[0].confidence === null ? C.none : !now.schedule ? C.waits : "";
  return html`<section class="dl-view" data-testid="scheduler" aria-label=${C.title}>
    ${body ? html`<p class="dl-note" data-testid="no-schedule">${body}</p>` : html`<${Scheduled} model=${model} spot=${spot} />`}
  </section>`;
}

/** @param {Plan | undefined} a @param {Plan | undefined} b */
const sameRound = (a, b) => a?.branch === b?.branch && a?.round === b?.round;

/** @param {{ model: import("../store.js").Model, spot: import("./place.js").Spot }} props */
function Scheduled({ model, spot }) {
  const { branch, round } = spot;
  const [trace] = useTrait(model, "trace");
  const edits = useChanges(model, branch, round);
  const { settings } = edits.value;
  const run = { policy: String(settingOf(round, "policy")), load: Number(settingOf(round, "load")), rate: rateOf(branch.rounds, round.index, String(trace?.settings.step_rate ?? "")) };
  const policy = String(settings.policy ?? (run.policy === "fixed" ? INSTEAD : run.policy));
  const wanted = { ...edits.value, settings: { ...settings, policy } };
  const { plan, error } = usePlan(model, spot, scheduling(wanted));
  const [load, rate] = [Number(settings.load ?? plan?.load ?? run.load), String(settings.step_rate ?? run.rate)];
  const change = useSame((/** @type {string} */ name, /** @type {any} */ value) => {
    const { [name]: _, ...others } = /** @type {Record<string, any>} */ ({ ...settings, policy });
    const same = name !== "policy" && value === (name === "load" ? run.load : run.rate);
    edits.change({ settings: same ? others : { ...others, [name]: value } });
  });
  const charted = useAfterPaint(plan, sameRound);
  const points = useMemo(() => curvePoints(rate) ?? charted?.rates ?? [], [rate, charted]);
  const draw = useSame((/** @type {[number, number][]} */ next) => change("step_rate", curveName(next)));
  const pick = useSame((/** @type {number} */ n) => change("load", n));
  const asRun = plan && plan.schedule.length === round.schedule?.length && plan.policy === run.policy && plan.load === run.load && rate === run.rate && !Object.keys(edits.value.confidence).length;
  return html`
    <p class="dl-cause" data-testid="plan-why" aria-live="polite">${plan ? html`<b data-testid="plan-length" data-length=${plan.schedule.length} data-number=${plan.number}>${C.result(plan.schedule.length, round.gamma)}</b><${Rich} text=${translated(plan.schedule.why)} />` : C.asked}</p>
    ${!model.still && html`<${Controls} model=${model} plan=${plan} policy=${policy} load=${load} rate=${rate} own=${run.rate} change=${change} />`}
    <${Failure} testid="plan-error" text=${error} />
    ${plan && charted && html`<p class="dl-note" data-testid="plan-facts">${scheduleFacts(plan.schedule)}. ${scheduleGrounds(plan.schedule)} ${asRun ? C.asRun : run.policy === "fixed" && plan.policy === INSTEAD && plan.load === run.load ? C.unscheduled(policyName(plan.policy)) : C.preview}</p>
      ${!model.still && html`<${Pending} round=${round} edits=${edits} value=${wanted} hint=${C.forkHint} id="fork-plan" />`}
      <div class="dl-planparts"><h3 class="dl-label">${C.queue}</h3><p class="dl-lead">${C.queueLead(charted.schedule.candidates, charted.load + 1)}</p>
      <${QueueChart} plan=${charted} />
      <${Queue} plan=${charted} /></div>
      <div class="dl-lenses"><div><h3 class="dl-label">${C.rateTitle}</h3><p class="dl-note">${model.still ? C.rateRead : C.rateLead}</p>
        <${RateChart} plan=${charted} points=${points} title=${translated(charted.schedule.step_rate)} onDraw=${model.still ? null : draw} /></div>
      <div><h3 class="dl-label">${C.cuts}</h3><p class="dl-note">${C.cutsLead}</p><${CutsChart} plan=${charted} gamma=${round.gamma} onPick=${model.still ? null : pick} /></div></div>
      <div class="dl-lenses"><div><h3 class="dl-label">${C.policies}</h3><${Decisions} plan=${charted} gamma=${round.gamma} /></div><${Leak} plan=${charted} /></div>`}`;
}

/** The name of the step rate that a round ran with. @param {Round[]} rounds @param {number} index @param {string} first */
export function rateOf(rounds, index, first) {
  const changed = rounds.slice(0, index + 1).filter((r) => r.overrides?.settings?.step_rate !== undefined).pop();
  return changed ? String(changed.overrides.settings.step_rate) : first;
}
