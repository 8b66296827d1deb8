// Under load: drafters and policies on a simulated server, what it makes and what a user sees of it. Everything here is modelled.
import { useEffect, useState } from "preact/hooks";
import { Chart, Key, styled } from "../draw/chart.js";
import { Failure } from "../draw/failure.js";
import { Act } from "../draw/act.js";
import { html } from "../draw/html.js";
import { Icon } from "../draw/icons.js";
import { NumberInput } from "../draw/number.js";
import { translated } from "../language.js";
import { whole } from "../logic/format.js";
import { curveOf, kept, looksOf, promises, valueAt } from "../logic/load.js";
import { plain } from "../logic/scale.js";
import { isBusy, sender, useTrait } from "../store.js";
import { APP, LOAD as L, S } from "../strings.js";
import { usePageLoad } from "./pageload.js";
import { Zoomed, useZoom } from "./zoom.js";

/** @typedef {import("../contract").Serving} Serving */
/** @typedef {import("../contract").ServedCurve} Curve */
/** @typedef {import("../contract").ServingSetup} Setup */
/** @typedef {import("../contract").Offer} Offer */
/** @typedef {import("../store.js").Model} Model */
/** @typedef {import("../logic/load.js").Quantity} Quantity */

/** Charts that Plotly can show as well. */
const ZOOMED = ["throughput", "frontier", "budget", "waste"];

/** A contender's name in words. @param {string} name @param {Offer[]} offers @param {number} [gamma] */
function titleOf(name, offers, gamma) {
  const [drafter, policy] = name.split(" ");
  if (!policy) return L.contenders[/** @type {keyof typeof L.contenders} */ (name)] ?? name;
  const drafts = translated(offers.find((o) => o.name === name)?.title ?? drafter);
  return L.under(gamma ? `${drafts}-${gamma}` : drafts, L.policies[/** @type {keyof typeof L.policies} */ (policy)] ?? policy);
}

/** Curves as a chart takes them, the paper's hollow beneath. @param {Serving} serving @param {(p: import("../contract").Served) => [number, number | null]} place @param {"frontier" | "throughput" | "budget" | ""} beneath */
function seriesOf(serving, place, beneath) {
  const looks = looksOf(serving.curves.map((c) => c.name));
  const theirs = serving.paper.filter((p) => p.chart === beneath).map((p) => ({
    name: L.byPaper(p.method),
    ...(p.method === "MTP-1" ? looksOf(["mtp-1"])["mtp-1"] : looksOf(["dspark early-break"])["dspark early-break"]),
    dash: "1 3",
    hollow: true,
    points: p.points.map(([x, y]) => ({ x, y })),
  }));
  const ours = serving.curves.map((c) => {
    const some = beneath === "frontier" ? c.frontier.map((i) => c.points[i]) : c.points;
    return { name: titleOf(c.name, serving.contenders, c.gamma), ...looks[c.name], points: some.map((p) => ({ x: place(p)[0], y: place(p)[1], id: p, note: L.reading(whole(p.requests), plain(p.speed)) })) };
  });
  return [...theirs, ...ours];
}

/** What to simulate. @param {{ serving: Serving, setup: Setup, set: (change: Partial<Setup>) => void }} props */
function Choices({ serving, setup, set }) {
  const toggle = (/** @type {string} */ name) => set({ contenders: serving.contenders.map((o) => o.name).filter((n) => (n === name) !== setup.contenders.includes(n)) });
  return html`<div class="dl-choices" role="group" aria-label=${L.who}>${serving.contenders.map((o) => html`<label class="dl-choice" key=${o.name}><input type="checkbox" data-testid=${`contender-${o.name.replace(/\W+/g, "-")}`} checked=${setup.contenders.includes(o.name)} onChange=${() => toggle(o.name)} /> ${titleOf(o.name, serving.contenders)}</label>`)}</div>
    <div class="dl-fields">
      <label class="dl-field"><span>${L.rate}</span> <select data-testid="load-rate" value=${setup.step_rate} onChange=${(/** @type {any} */ e) => set({ step_rate: e.target.value })}>${serving.step_rates.map((r) => html`<option value=${r.name} selected=${r.name === setup.step_rate}>${L.rateOf(translated(r.title), translated(r.note))}</option>`)}</select></label>
      <label class="dl-field"><span>${L.arrivals}</span> <select data-testid="load-arrivals" value=${setup.arrivals} onChange=${(/** @type {any} */ e) => set({ arrivals: e.target.value })}>${Object.entries(L.arriving).map(([name, text]) => html`<option value=${name} selected=${name === setup.arrivals}>${text}</option>`)}</select></label>
      <label class="dl-field" title=${L.gammaHint}><span>${L.gamma}</span> <${NumberInput} min="1" max="16" step="1" data-testid="load-gamma" value=${setup.gamma} onChange=${(/** @type {number} */ n) => set({ gamma: Math.round(n) })} /></label>
    </div>`;
}

/** All contenders at one load, and what each keeps of a promise. @param {{ serving: Serving, load: number, where: string, own: Curve | undefined, speed: number, setSpeed: (speed: number) => void }} props */
function Compared({ serving, load, where, own, speed, setSpeed }) {
  const looks = looksOf(serving.curves.map((c) => c.name));
  const columns = /** @type {(keyof typeof L.columns)[]} */ (Object.keys(L.columns));
  const base = serving.curves.find((c) => c.name === "mtp-1");
  const best = base && kept(base, speed);
  return html`<div class="dl-loadat">
    <label class="dl-field"><span>${L.promise}</span> <${NumberInput} min="1" max="2000" step="1" data-testid="load-promise" value=${speed} onChange=${(/** @type {number} */ n) => n > 0 && setSpeed(n)} /> <span>${L.promiseUnit}</span></label>
    <div class="dl-plottable" tabindex="0" role="region" aria-label=${L.at(where)}><table class="dl-stacked" data-testid="load-at"><caption>${L.at(where)}</caption>
      <thead><tr><th scope="col">${L.contender}</th>${columns.map((c) => html`<th scope="col">${L.columns[c]}</th>`)}<th scope="col">${L.kept(plain(speed))}</th></tr></thead>
      <tbody>${serving.curves.map((c, i) => {
        const most = kept(c, speed);
        const gain = most && best && c !== base ? L.gain((most.throughput / best.throughput - 1) * 100) : "";
        return html`<tr key=${c.name} data-testid=${`at-${c.name.replace(/\W+/g, "-")}`}><th scope="row"><svg width="28" height="12" viewBox="0 -6 28 12" aria-hidden="true"><${Key} s=${styled({ name: "", points: [], ...looks[c.name] }, i)} /></svg> ${titleOf(c.name, serving.contenders, c.gamma)}${c === own && html` <b>${L.thisPage}</b>`}</th>
          ${columns.map((q) => {
            const value = valueAt(c, q, load);
            return html`<td>${value === null ? "–" : plain(value)}</td>`;
          })}<td>${most ? html`${whole(most.throughput)} <span class="dl-note">${L.requests(whole(most.requests))}</span> ${gain && html`<b>${gain}</b>`}` : html`<span class="dl-note">${L.outOfReach}</span>`}</td></tr>`;
      })}</tbody></table></div>
  </div>`;
}

/** @param {{ model: Model }} props */
export function LoadLab({ model }) {
  const [serving] = useTrait(model, "serving");
  const [status] = useTrait(model, "status");
  const page = usePageLoad(model);
  const [edited, setEdited] = useState(/** @type {Setup | null} */ (null));
  const [promised, setPromised] = useState(/** @type {number | null} */ (null));
  const [fact, setFact] = useState(/** @type {Quantity} */ ("waste"));
  const [coming, setComing] = useState(/** @type {number | null} */ (null));
  const zoom = useZoom(model);
  const send = sender(model);
  const busy = isBusy(status);
  const running = serving?.state === "running";
  const unseen = !model.still && serving && serving.state === "" && !busy && status.state !== "loading";
  useEffect(() => {
    if (unseen) send({ type: "serve", setup: serving.setup });
  }, [unseen]);
  if (!serving) return html`<p class="dl-note dl-empty">${S.loading}</p>`;
  const setup = edited ?? serving.setup;
  const set = (/** @type {Partial<Setup>} */ change) => setEdited({ ...setup, ...change });
  const constant = serving.setup.arrivals === "constant";
  const loads = serving.curves.flatMap((c) => c.points.map((p) => p.load)).sort((a, b) => a - b);
  const there = serving.curves.some((c) => c.points.length > 1);
  const load = constant ? page.requests : (coming ?? loads[Math.floor(loads.length / 2)] ?? 1);
  const where = constant ? L.requests(whole(load)) : L.perSecond(plain(load));
  const own = page.policy === null ? undefined : curveOf(serving.curves, page.policy, page.drafts);
  const speed = promised ?? promises(serving.curves, 6)[2] ?? 100;
  const x = constant ? { label: L.concurrency, short: L.requestsShort, log: /** @type {2} */ (2) } : { label: L.perSecondAxis, min: 0 };
  const note = serving.title ? L.modelled(translated(serving.title), translated(serving.source)) : "";
  /** @param {any} p */
  const pick = (p) => {
    if (!p.id) return; // the paper's
    if (!constant) setComing(p.id.load);
    if (constant || page.inApp) page.use(Math.max(1, Math.round(p.id.requests)));
  };
  const lines = load >= loads[0] && load <= loads[loads.length - 1] ? [{ x: load, text: page.inApp && constant ? L.here(whole(load)) : where }] : [];
  const zooming = (/** @type {any} */ name) => (ZOOMED.includes(name) && zoom && serving.state === "done" ? () => zoom(name) : undefined);
  /** @param {Quantity} y @param {"throughput" | "budget" | ""} beneath */
  const overLoad = (y, beneath) => html`<${Chart} onZoom=${zooming(y)} label=${L.charts[/** @type {keyof typeof L.charts} */ (y)]} title=${L.charts[/** @type {keyof typeof L.charts} */ (y)]} file=${`load-${y}`} testid=${`load-${y}`} note=${note} x=${x} y=${{ label: L.axes[/** @type {keyof typeof L.axes} */ (y)], min: 0 }}
    series=${seriesOf(serving, (p) => [p.load, p[y]], beneath)} lines=${lines} onPick=${pick} pickHint=${page.inApp ? L.useHint : L.lookHint} />`;
  return html`<section class="dl-view" data-testid="load-lab" aria-label=${L.title}>
    <p class="dl-lead">${L.lead}</p>
    ${!model.still && html`<div class="dl-ask"><${Choices} serving=${serving} setup=${setup} set=${set} />
      <div class="dl-run"><${Act} class="dl-primary" data-testid="load-run" off=${running || busy || !setup.contenders.length} onClick=${() => (send({ type: "serve", setup }), setEdited(null))}>${L.run}<//>
        ${running && html`<button data-testid="load-stop" onClick=${() => send({ type: "unserve" })}><${Icon} name="stop" /> ${APP.stop}</button>`}
        <span class="dl-note" role="status" data-testid="load-state">${running ? L.progress(serving.done, serving.total) : L.states[/** @type {keyof typeof L.states} */ (serving.state)] ?? ""}</span>
        ${running && html`<progress max=${serving.total} value=${serving.done} aria-label=${L.progress(serving.done, serving.total)}></progress>`}</div></div>`}
    <${Failure} text=${serving.error || (status.where === "serving" && status.error)} />
    ${model.still && !there && html`<p class="dl-note">${L.still}</p>`}
    ${there && html`<div class="dl-charts">${overLoad("throughput", "throughput")}
      <${Chart} onZoom=${zooming("frontier")} label=${L.charts.frontier} title=${L.charts.frontier} file="load-frontier" testid="load-frontier" note=${note} x=${{ label: L.axes.speed, short: L.speedShort }} y=${{ label: L.axes.throughput, min: 0 }}
        series=${seriesOf(serving, (p) => [p.speed, p.throughput], "frontier")} lines=${[{ x: speed, text: L.promised(plain(speed)) }]} onPick=${pick} pickHint=${page.inApp ? L.useHint : L.lookHint} />
      ${overLoad("budget", "budget")}
      <div><label class="dl-field"><span>${L.also}</span> <select data-testid="load-fact" value=${fact} onChange=${(/** @type {any} */ e) => setFact(e.target.value)}>${Object.entries(L.facts).map(([name, text]) => html`<option value=${name} selected=${name === fact}>${text}</option>`)}</select></label>${overLoad(fact, "")}</div>
    </div>
    <${Zoomed} model=${model} title=${(/** @type {keyof typeof L.charts} */ name) => L.charts[name]} />
    ${serving.paper.length > 0 && html`<p class="dl-note">${serving.implied ? L.impliedNote : L.paperNote}</p>`}
    <${Compared} serving=${serving} load=${load} where=${where} own=${own} speed=${speed} setSpeed=${setPromised} />`}
    ${serving.notes.map((text) => html`<p class="dl-note" key=${text}>${translated(text)}</p>`)}
  </section>`;
}
