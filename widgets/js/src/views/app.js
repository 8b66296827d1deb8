// The demo page: prompt, examples and settings above the stepper, and the measured speeds.
import { useRef, useState } from "preact/hooks";
import { Failure } from "../draw/failure.js";
import { Act } from "../draw/act.js";
import { html } from "../draw/html.js";
import { NumberInput } from "../draw/number.js";
import { Icon } from "../draw/icons.js";
import { translated } from "../language.js";
import { fixed, rate } from "../logic/format.js";
import { isBusy, isCutOff, sender, useTrait } from "../store.js";
import { APP, TOUR } from "../strings.js";
import { PolicyChoice } from "./edits.js";
import { Look } from "./look.js";
import { OpenedLink, ShareButton } from "./share.js";
import { Stepper } from "./stepper.js";
import { Tabs } from "./tabs.js";
import { Offer, Tour } from "./tour.js";
import { Unfinished } from "./unfinished.js";

/** @typedef {import("../store.js").Model} Model */
/** @typedef {import("../contract").Controls} Controls */

/** The drafter that is none: the target alone. */
const ALONE = "none";
const STAYED = 250;

/** @param {{ label: string, hint?: string, term?: string, id: string, value: number, min: number, max: number, step: number, slider?: boolean, disabled?: boolean, onChange: (value: number) => void }} props */
function NumberField({ label, hint, term, id, value, min, max, step, slider, disabled, onChange }) {
  const change = (/** @type {number} */ next) => onChange(step % 1 ? next : Math.round(next));
  return html`<label class="dl-field" title=${hint}><span data-entry=${term}>${label}</span>
    ${slider && html`<input type="range" min=${min} max=${max} step=${step} value=${value} disabled=${disabled} aria-label=${label} data-testid=${`${id}-slider`} onInput=${(/** @type {any} */ e) => change(Number(e.target.value))} />`}
    <${NumberInput} lenient min=${min} max=${max} step=${step} value=${value} disabled=${disabled} data-testid=${id} onChange=${change} />
  </label>`;
}

/** Who drafts; what there is to choose is told with the models. @param {{ model: Model, drafter: string, title: string, busy: boolean, onChange: (drafter: string) => void }} props */
function DrafterChoice({ model, drafter, title, busy, onChange }) {
  const [race] = useTrait(model, "race");
  const offered = race?.choices ?? [{ name: drafter, title: title || drafter, summary: "" }];
  return html`<label class="dl-field" title=${translated(offered.find((c) => c.name === drafter)?.summary ?? "")}><span>${APP.drafter}</span>
    <select data-testid="drafter" disabled=${busy} value=${drafter} onChange=${(/** @type {any} */ e) => onChange(e.target.value)}>
      ${offered.map((c) => html`<option key=${c.name} value=${c.name} selected=${c.name === drafter}>${c.name === ALONE ? APP.drafterNone : translated(c.title)}</option>`)}</select></label>`;
}

/** @param {{ model: Model, busy: boolean }} props */
function Examples({ model, busy }) {
  const [info] = useTrait(model, "info");
  const send = sender(model);
  const examples = info?.examples ?? [];
  const domains = [...new Set(examples.map((e) => e.domain))];
  if (!examples.length) return null;
  return html`<div class="dl-examples" role="group" aria-label=${APP.examples}>
    ${domains.map((domain) => html`<div key=${domain}><h2 class="dl-label">${APP.domains[domain]}</h2>
      ${examples.filter((e) => e.domain === domain).map((e) => html`<button class="dl-example" key=${e.index} data-testid=${`example-${e.domain}-${e.index}`} disabled=${busy}
        title=${e.prompt} aria-current=${info?.example === `${e.domain}_${e.index}` ? "true" : undefined} onClick=${() => send({ type: "example", domain: e.domain, index: e.index, round: 0, at: 0 })}>${e.prompt}</button>`)}
    </div>`)}
  </div>`;
}

/** Measured speeds, the longer bar the faster run. @param {{ model: Model }} props */
function SpeedLine({ model }) {
  const [speeds] = useTrait(model, "speeds");
  const runs = /** @type {[string, string, import("../contract").Speed | null | undefined][]} */ ([
    [APP.speculative, "draft", speeds?.speculative],
    [APP.autoregressive, "target", speeds?.autoregressive],
  ]);
  const there = runs.filter(([, , run]) => run);
  const most = Math.max(...there.map(([, , run]) => rate(/** @type {any} */ (run))), 1e-9);
  const both = speeds?.speculative?.whole && speeds.autoregressive?.whole;
  return html`<section class="dl-speed" aria-label=${APP.speed} data-testid="speed">
    <h2 class="dl-label">${APP.speed}</h2>
    ${there.length === 0 ? html`<p class="dl-note">${APP.speedNone}</p>` : html`<div class="dl-speed-runs">
      ${there.map(([name, look, run]) => run && html`<p key=${name}><span>${name}</span><span class="dl-speedbar" aria-hidden="true"><span class=${`dl-speed-${look}`} style=${`width:${(100 * rate(run)) / most}%`}></span></span>
        <b class="dl-num">${APP.rate(fixed(rate(run), 1))}</b>${!run.whole && html`<span class="dl-note">${APP.speedPartial}</span>`}</p>`)}
      </div>
      <p class="dl-note">${both && speeds.speculative && speeds.autoregressive && html`<b class="dl-times" data-testid="speed-ratio">${APP.speedTimes(fixed(rate(speeds.speculative) / Math.max(1e-9, rate(speeds.autoregressive)), 2))}</b> `}${APP.speedMeasured(translated(speeds?.device ?? ""), translated(speeds?.drafter ?? ""))}</p>`}
  </section>`;
}

/** @param {{ model: Model }} props */
function Panel({ model }) {
  const [controls, setControls] = useTrait(model, "controls");
  const [info] = useTrait(model, "info");
  const [status] = useTrait(model, "status");
  const send = sender(model);
  const staying = useRef(/** @type {any} */ (0));
  if (!controls || !info) return null;
  const busy = isBusy(status);
  const may = !busy && status.state !== "loading";
  const alone = controls.drafter === ALONE;
  const unsure = alone || !info.confident;
  const set = (/** @type {Partial<Controls>} */ change) => setControls({ ...controls, ...change });
  /** Some browsers tell of each drafter that the arrow keys pass: only one that is stayed at is loaded. @param {string} drafter */
  const choose = (drafter) => {
    set({ drafter });
    clearTimeout(staying.current);
    staying.current = setTimeout(settle, STAYED);
  };
  const settle = () => {
    clearTimeout(staying.current);
    staying.current = 0;
    if (!isBusy(model.get("status"))) send({ type: "choose", drafter: model.get("controls").drafter });
  };
  const generate = () => {
    if (!may) return;
    if (staying.current) settle();
    send({ type: "generate", controls });
  };
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      generate();
    }
    event.stopPropagation();
  };
  const failed = status.error && ["", "load", "generate", "example", "request"].includes(status.where); // others are told in their views
  return html`<div class="dl-panel" onKeyDown=${keys}>
    <div class="dl-ask">
      <label class="dl-promptfield"><span class="dl-label">${APP.prompt}</span>
        <textarea rows="2" data-testid="prompt" maxlength=${info.prompt_limit} value=${controls.prompt} onInput=${(/** @type {any} */ e) => set({ prompt: e.target.value })}></textarea>
      </label>
      <div class="dl-fields">
        <${DrafterChoice} model=${model} drafter=${controls.drafter} title=${info.drafter} busy=${!may || status.state === "recorded"} onChange=${choose} />
        <${NumberField} id="temperature" term="temperature" label=${APP.temperature} hint=${APP.temperatureHint} value=${controls.temperature} min=${0} max=${2} step=${0.1} slider onChange=${(/** @type {number} */ temperature) => set({ temperature })} />
        <${NumberField} id="gamma" term="gamma" label=${APP.gamma} hint=${APP.gammaHint} value=${controls.gamma} min=${0} max=${info.block_size} step=${1} slider disabled=${alone} onChange=${(/** @type {number} */ gamma) => set({ gamma })} />
        <${NumberField} id="seed" label=${APP.seed} value=${controls.seed} min=${0} max=${2 ** 31} step=${1} onChange=${(/** @type {number} */ seed) => set({ seed })} />
        <${NumberField} id="max-tokens" label=${APP.maxTokens} value=${controls.max_new_tokens} min=${1} max=${info.token_limit} step=${1} onChange=${(/** @type {number} */ n) => set({ max_new_tokens: n })} />
        <label class="dl-field"><span data-entry="policy">${APP.policy}</span> <${PolicyChoice} id="policy" value=${controls.policy} disabled=${unsure} onChange=${(/** @type {string} */ policy) => set({ policy })} /></label>
        <${NumberField} id="load" term="load" label=${APP.load} hint=${APP.loadHint} value=${controls.load} min=${0} max=${256} step=${1} slider disabled=${unsure} onChange=${(/** @type {number} */ load) => set({ load })} />
      </div>
      <div class="dl-run">
        <${Act} class="dl-primary" data-testid="generate" off=${!may} onClick=${generate}>${APP.generate}<//>
        <${Act} data-testid="stop" off=${!busy || isCutOff(status)} onClick=${() => send({ type: "stop" })}><${Icon} name="stop" /> ${APP.stop}<//>
        <p class="dl-status" role="status" data-testid="status"><i class=${`dl-dot dl-dot-${busy || status.state === "loading" ? "busy" : "idle"}`} aria-hidden="true"></i>${translated(status.text) || APP.state[status.state]}</p>
        <span class="dl-note dl-hint">${APP.promptHint}</span>
      </div>
      <${Failure} text=${failed && status.error} />
      <${SpeedLine} model=${model} />
    </div>
    <${Examples} model=${model} busy=${busy} />
  </div>`;
}

/** The page's name and what concerns all of it. @param {{ model: Model, onTour: () => void }} props */
function Bar({ model, onTour }) {
  const [preferences, setPreferences] = useTrait(model, "preferences");
  return html`<header class="dl-masthead"><h1 class="dl-title">${APP.appTitle} <span>${APP.tagline}</span></h1>
    <div class="dl-look"><button class="dl-quiet" data-testid="tour-open" onClick=${onTour}>${TOUR.title}</button>
      ${!model.still && html`<${ShareButton} model=${model} />`}<${Look} preferences=${preferences} setPreferences=${setPreferences} /></div></header>`;
}

/** @param {{ model: Model }} props */
export function App({ model }) {
  const [touring, setTouring] = useState(false);
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  return html`<div class="dl-app" ref=${root}><${Unfinished} model=${model} /><${Bar} model=${model} onTour=${() => setTouring(true)} /><${Offer} onStart=${() => setTouring(true)} />
    ${!model.still && html`<${OpenedLink} model=${model} /><${Panel} model=${model} />`}<${Stepper} model=${model} detail=${false} theme=${false} /><${Tabs} model=${model} />
    ${touring && root.current && html`<${Tour} model=${model} root=${root.current} onEnd=${() => setTouring(false)} />`}</div>`;
}
