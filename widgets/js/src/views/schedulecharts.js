// The scheduler's charts: survival and Theta along the queue, the step rate with points to be dragged, the cut by load.
import { useRef, useState } from "preact/hooks";
import { Chart } from "../draw/chart.js";
import { html } from "../draw/html.js";
import { memo } from "../draw/memo.js";
import { figures, prob, whole } from "../logic/format.js";
import { placesOf, rateAt, redrawn, stopOf } from "../logic/plans.js";
import { SCHEDULER as C } from "../strings.js";

/** @typedef {import("../contract").Plan} Plan */
/** @typedef {import("../draw/chart.js").Scale} Scale */
/** @typedef {import("../logic/plans.js").Place} Place */
/** @typedef {[number, number][]} Points */

/** @param {number} value */
const figure = (value) => figures(value)[0];

/** Survival falls along the queue; Theta rises and falls. */
export const QueueChart = memo((/** @type {{ plan: Plan }} */ { plan }) => {
  const [stop, places] = [stopOf(plan), placesOf(plan)];
  const admitted = plan.schedule.tokens - plan.load - 1;
  const x = { label: C.place, min: 0, max: Math.max(1, plan.schedule.candidates), format: (/** @type {number} */ n) => (n % 1 ? "" : whole(n)) };
  const lines = stop === null ? [] : [{ x: stop, text: C.stop }];
  const best = places.find((p) => p.n === plan.best)?.theta ?? plan.start;
  const source = plan.schedule.source === "measured" ? C.measured : C.modelled;
  /** @param {(p: Place) => number} value @param {{ x: number, y: number }[]} before */
  const series = (value, before) => {
    const own = (/** @type {boolean} */ yes) => places.filter((p) => p.own && p.admitted === yes).map((p) => ({ x: p.n, y: value(p), note: C.own(p.k) }));
    return [{ name: C.all, look: "text", mark: "none", dash: "", still: true, points: [...before, ...places.map((p) => ({ x: p.n, y: value(p) }))] },
      { name: C.legend.own, kind: /** @type {"points"} */ ("points"), look: "draft", mark: "diamond", points: own(true) },
      { name: C.legend.cut, kind: /** @type {"points"} */ ("points"), look: "muted", mark: "diamond", hollow: true, points: own(false) }];
  };
  return html`<${Chart} label=${C.survivalChart(admitted, plan.schedule.candidates)} testid="queue-chart" file="queue" height=${130} x=${x} y=${{ label: C.survival, min: 0, max: 1, format: prob }} lines=${lines} series=${series((p) => p.survival, [])} />
    <${Chart} label=${C.thetaChart(admitted, figure(plan.schedule.theta), plan.best)} testid="theta-chart" file="theta" height=${190} x=${x} y=${{ label: C.theta, format: figure }} lines=${lines} note=${C.expected(source)}
      series=${[...series((p) => p.theta, [{ x: 0, y: plan.start }]), { name: C.legend.best, kind: "points", look: "bonus", mark: "star", points: [{ x: plan.best, y: best }] }]} />`;
});

/** Steps per second by tokens; each point is a slider. ``onDraw`` is null where nothing can be drawn. */
export const RateChart = memo((/** @type {{ plan: Plan, points: Points, title: string, onDraw: ((points: Points) => void) | null }} */ { plan, points, title, onDraw }) => {
  const [at, setAt] = useState(0);
  const [held, setHeld] = useState(/** @type {number | null} */ (null)); // the axis stays while a point is dragged
  const group = useRef(/** @type {SVGGElement | null} */ (null));
  const latest = useRef(points);
  latest.current = points;
  const most = held ?? Math.max(...points.map(([, rate]) => rate)) * 1.2;
  const last = Math.max(2, points[points.length - 1][0]);
  const chosen = Math.min(at, points.length - 1);
  /** @param {KeyboardEvent} event @param {number} i */
  const keys = (event, i) => {
    const factor = { ArrowUp: 1.03, ArrowDown: 1 / 1.03, PageUp: 1.2, PageDown: 1 / 1.2 }[event.key];
    const to = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: points.length - 1 }[event.key];
    if (factor) onDraw?.(redrawn(points, i, points[i][1] * factor));
    else if (to === undefined) return;
    else if (points[to]) {
      setAt(to);
      /** @type {HTMLElement | null | undefined} */ (group.current?.querySelector(`[data-testid="rate-${points[to][0]}"]`))?.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  };
  /** @param {Scale} y @param {number} i */
  const drag = (y, i) => (/** @type {PointerEvent} */ event) => {
    const node = /** @type {SVGElement} */ (event.currentTarget);
    const top = /** @type {SVGSVGElement} */ (node.ownerSVGElement).getBoundingClientRect().top;
    const grip = event.clientY - top - y(points[i][1]); // where it was taken hold of
    node.setPointerCapture(event.pointerId);
    setAt(i);
    setHeld(most);
    const move = (/** @type {PointerEvent} */ e) => onDraw?.(redrawn(latest.current, i, Math.min(most, y.invert(e.clientY - top - grip))));
    node.addEventListener("pointermove", move);
    node.addEventListener("lostpointercapture", () => (node.removeEventListener("pointermove", move), setHeld(null)), { once: true });
  };
  /** @param {{ x: Scale, y: Scale }} scales */
  const handles = ({ x, y }) => html`<g ref=${group}>${points.map(([tokens, rate], i) => {
    const [px, py] = [x(tokens), y(Math.min(rate, most))];
    if (!onDraw) return html`<circle key=${tokens} class="dl-handle-dot" cx=${px} cy=${py} r="4" />`;
    return html`<g key=${tokens} class="dl-handle" data-testid=${`rate-${tokens}`} role="slider" tabindex=${i === chosen ? 0 : -1} aria-orientation="vertical" aria-label=${C.rateAt(tokens)} aria-valuemin="0" aria-valuemax=${Math.round(most)}
      aria-valuenow=${Number(rate.toPrecision(4))} aria-valuetext=${C.rateValue(figure(rate))} onKeyDown=${(/** @type {KeyboardEvent} */ e) => keys(e, i)} onPointerDown=${drag(y, i)} onFocus=${() => setAt(i)}>
      <circle class="dl-handle-reach" cx=${px} cy=${py} r="13" /><circle class="dl-handle-dot" cx=${px} cy=${py} r="6" /></g>`;
  })}</g>`;
  const between = [...new Set([...Array.from({ length: 60 }, (_, i) => last ** (i / 59)), ...points.map(([b]) => b)])].sort((a, b) => a - b);
  return html`<${Chart} label=${C.rateChart(title)} testid="rate-chart" file="step-rate" height=${210} over=${handles} note=${plan.schedule.source === "measured" ? C.measured : C.modelled}
    x=${{ label: C.tokens, log: 2, min: 1, max: last, format: whole }} y=${{ label: C.sps, min: 0, max: most, format: figure }}
    lines=${[{ x: plan.load + 1, text: C.anchors }, { x: plan.schedule.tokens, text: C.chosen }].filter((l) => l.x <= last)}
    series=${[{ name: title, look: "text", mark: "none", dash: "", still: true, points: between.map((b) => ({ x: b, y: rateAt(points, b) })) }]} />`;
});

/** How far this draft is verified in ever fuller steps. */
export const CutsChart = memo((/** @type {{ plan: Plan, gamma: number, onPick: ((load: number) => void) | null }} */ { plan, gamma, onPick }) => {
  const full = plan.cuts[plan.cuts.length - 1][0] + 1;
  const now = { x: plan.load + 1, y: plan.schedule.length };
  const all = [...plan.cuts.map(([load, length]) => ({ x: load + 1, y: length })).filter((p) => p.x !== now.x), now].sort((a, b) => a.x - b.x);
  const x = { label: C.load, log: /** @type {2} */ (2), min: 1, max: Math.max(full, plan.load + 1), ticks: [1, 2, 5, 17, 65, 257, 1025], format: (/** @type {number} */ n) => whole(n - 1) }; // 1 + load
  return html`<${Chart} label=${C.cutsChart(plan.cuts.map(([load, length]) => C.cutAt(load, length)).join(", "))} testid="cuts-chart" file="cut-by-load" height=${210} x=${x}
    y=${{ label: C.verified, min: 0, max: gamma, ticks: Array.from({ length: gamma + 1 }, (_, i) => i).filter((i) => gamma < 9 || i % 2 === 0) }}
    onPick=${onPick ? (/** @type {{ x: number }} */ p) => onPick(p.x - 1) : undefined} pickHint=${onPick ? C.useLoad : ""}
    series=${[{ name: C.sent, kind: "steps", look: "text", mark: "circle", dash: "", points: all },
      { name: C.now, kind: "points", look: "draft", mark: "diamond", points: [now] }]} />`;
});
