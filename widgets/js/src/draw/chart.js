// A line, step, point or bar chart that can be read by eye, pointer, keyboard and screen reader, and saved as a picture.
//
//   <Chart label="what a screen reader calls it" file="throughput"
//     x=${{ label: "concurrent requests", log: 2 }} y=${{ label: "tokens per second", min: 0 }}
//     series=${[{ name: "DSpark", look: "draft", points: [{ x: 1, y: 240 }, ...] }, { name: "MTP-1", look: "target", mark: "square", dash: "6 4", points }]}
//     lines=${[{ x: 64, text: "this page's load" }]} onPick=${(point, series) => ...} pickHint="use this load" />
//
// x, y: { label, log: 0 | 2 | 10, min, max, ticks, format, short }; ends that are not given are widened to round numbers.
// series: name; points { x, y, low?, high?, note?, id? }, y null leaves a gap; kind "line" (default), "steps" (holds y up to the next x),
//   "points", "bars" (over each x, `width` in units of x) or "area" (filled down to the axis); look, one of LOOKS, mark, one of MARK, and dash tell series apart (by number where
//   they are not given); `hollow` marks; `still` series are drawn, but not read out.
// lines: across at x or y, with their text. height in pixels. note: a line below, such as what is modelled.
// over: ({ x, y }) => SVG nodes on top, x and y being scales from values to pixels (with `invert`): shading, handles to drag.
// onPick(point, series): a click or Enter on a point; pickHint says what that does.
// onZoom: shows the chart as one that can be zoomed.
// marked: the x whose points are ringed, such as where the page is now. shown: true opens the table of numbers at first.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { makeAxis, makeScale, move, nearest, plain, spots } from "../logic/scale.js";
import { CHART } from "../strings.js";
import { html } from "./html.js";
import { measured } from "./picture.js";
import { Save } from "./save.js";
import { Numbers } from "./numbers.js";

/** @typedef {import("../logic/scale.js").Point} Point */
/** @typedef {import("../logic/scale.js").Scale} Scale */
/** @typedef {import("../logic/scale.js").Spot} Spot */
/** @typedef {{ label: string, short?: string, log?: 0 | 2 | 10, min?: number, max?: number, ticks?: number[], format?: (value: number) => string }} Axis */
/** @typedef {{ name: string, points: Point[], kind?: "line" | "steps" | "points" | "bars" | "area", look?: string, mark?: string, dash?: string, hollow?: boolean, still?: boolean, width?: number }} Series */
/** @typedef {{ x?: number, y?: number, text: string }} Line */

/** Colours by what they stand for: classes dl-look-... of plot.css. */
export const LOOKS = ["draft", "target", "ok", "no", "bonus", "text", "muted"];
const DASHES = ["", "7 4", "2 3", "9 3 2 3", "5 2", "1 4", "12 4"];
/** Marks as paths around 0, 0. @type {Record<string, string>} */
export const MARK = {
  circle: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
  square: "M-3.600-3.600h7.200v7.200h-7.200z",
  diamond: "M0-5L5 0 0 5-5 0z",
  triangle: "M0-5L4.800 3.600H-4.800z",
  star: "M0-5.500L1.500-1.800 5.300-1.600 2.400.900 3.300 4.600 0 2.500-3.300 4.600-2.400.900-5.300-1.600-1.500-1.800z",
  cross: "M-4-4L4 4M4-4L-4 4",
  none: "",
};
const MARKS = Object.keys(MARK);
const DENSE = 40;
const [FONT, ROW] = [12, 20];

/** @param {Series} s @param {number} i */
export const styled = (s, i) => ({ ...s, kind: s.kind ?? "line", look: s.look ?? LOOKS[i % LOOKS.length], dash: s.dash ?? DASHES[i % DASHES.length], mark: s.mark ?? (s.points.length > DENSE ? "none" : MARKS[i % 6]) });
/** @typedef {ReturnType<typeof styled>} Styled */

/** Width of a text, about. @param {string} text */
const textWidth = (text) => measured(text, `${FONT}px system-ui, sans-serif`)?.width ?? text.length * FONT * 0.56;

/** The width that an element has. @param {{ current: HTMLElement | null }} box */
function useWidth(box) {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const node = box.current;
    if (!node) return;
    const measure = () => setWidth(Math.floor(node.clientWidth));
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    measure();
    return () => observer.disconnect();
  }, []);
  return width;
}

/** A series' line and mark, as in the legend. @param {{ s: Styled }} props */
export const Key = ({ s }) => html`<g class=${`dl-look-${s.look}`}>
  ${s.kind === "bars" || s.kind === "area" ? html`<rect class="dl-plotbar" x="2" y="-6" width="24" height="12" />` : s.kind !== "points" && html`<path class="dl-plotline" d="M0 0H28" stroke-dasharray=${s.dash} />`}
  ${s.kind !== "bars" && html`<path class=${`dl-plotmark ${s.hollow ? "dl-hollow" : ""}`} d=${MARK[s.mark]} transform="translate(14 0)" />`}
</g>`;

/** Names of the series in rows above the plot. @param {Styled[]} series @param {number} wide */
function legendRows(series, wide) {
  let [x, row] = [0, 0];
  return series.map((s) => {
    const own = 36 + textWidth(s.name) + 18;
    if (x > 0 && x + own > wide) [x, row] = [0, row + 1];
    const place = { s, x, row };
    x += own;
    return place;
  });
}

/** A series as a path, broken where y is null. @param {Styled} s @param {Scale} x @param {Scale} y */
function pathOf(s, x, y) {
  let pen = "M";
  let d = "";
  for (const p of s.points) {
    if (p.y === null) pen = "M";
    else {
      d += pen === "M" || s.kind !== "steps" ? `${pen}${x(p.x).toFixed(1)} ${y(p.y).toFixed(1)}` : `H${x(p.x).toFixed(1)}V${y(p.y).toFixed(1)}`;
      pen = "L";
    }
  }
  return d;
}

/** @param {{ s: Styled, x: Scale, y: Scale, floor: number }} props */
function Drawn({ s, x, y, floor }) {
  const there = s.points.filter((p) => p.y !== null);
  const half = (s.width ?? 1) / 2;
  const line = s.kind === "line" || s.kind === "steps" || s.kind === "area" ? pathOf(s, x, y) : "";
  return html`<g class=${`dl-look-${s.look}`}>
    ${s.kind === "bars" && there.map((p) => html`<rect class="dl-plotbar" x=${x(p.x - half)} width=${Math.max(1, x(p.x + half) - x(p.x - half) - 1)} y=${Math.min(floor, y(/** @type {number} */ (p.y)))} height=${Math.abs(floor - y(/** @type {number} */ (p.y)))} />`)}
    ${s.kind === "area" && there.length > 1 && html`<path class="dl-plotbar" d=${`${line}L${x(there[there.length - 1].x)} ${floor}H${x(there[0].x)}Z`} stroke="none" />`}
    ${line && html`<path class="dl-plotline" d=${line} stroke-dasharray=${s.dash} />`}
    ${there.filter((p) => p.low !== undefined && p.high !== undefined).map((p) => html`<path class="dl-plotspan" d=${`M${x(p.x)} ${y(p.low ?? 0)}V${y(p.high ?? 0)}`} />`)}
    ${s.kind !== "bars" && MARK[s.mark] && there.map((p) => html`<path class=${`dl-plotmark ${s.hollow ? "dl-hollow" : ""}`} d=${MARK[s.mark]} transform=${`translate(${x(p.x).toFixed(1)} ${y(/** @type {number} */ (p.y)).toFixed(1)})`} />`)}
  </g>`;
}

/** What is at a spot, in one sentence. @param {Styled[]} series @param {Spot} spot @param {Axis} x @param {Axis} y */
export function spoken(series, { s, i }, x, y) {
  const p = series[s].points[i];
  return CHART.point(series[s].name, (x.format ?? plain)(p.x), x.short ?? x.label, (y.format ?? plain)(p.y ?? 0), y.short ?? y.label) + (p.note ? `, ${p.note}` : "");
}

/** The values at the spot's x, of every series that has one there. @param {{ series: Styled[], spot: Spot, x: Axis, y: Axis, left: number, top: number, wide: number, hint: string }} props */
function Readout({ series, spot, x, y, left, top, wide, hint }) {
  const here = series[spot.s].points[spot.i];
  const rows = series.flatMap((s, n) => {
    const p = n === spot.s ? here : s.still ? undefined : s.points.find((q) => q.x === here.x && q.y !== null);
    return p ? [{ s, p, own: n === spot.s }] : [];
  });
  return html`<div class=${`dl-plottip ${left > wide / 2 ? "dl-plottip-left" : ""}`} style=${`left:${left}px;top:${top}px`} aria-hidden="true">
    <b>${(x.format ?? plain)(here.x)}</b> ${x.short ?? x.label}
    ${rows.map(({ s, p, own }) => html`<span class=${own ? "dl-plotown" : ""}><svg width="28" height="12" viewBox="0 -6 28 12"><${Key} s=${s} /></svg>${s.name} <b>${(y.format ?? plain)(p.y ?? 0)}</b></span>`)}
    ${here.note && html`<i>${here.note}</i>`}${hint && html`<i>${hint}</i>`}
  </div>`;
}

/** @param {{ label: string, title?: string, x: Axis, y: Axis, series: Series[], lines?: Line[], height?: number, note?: string, file?: string, marked?: number | null, over?: (scales: { x: Scale, y: Scale }) => any, onPick?: (point: Point, series: Series) => void, pickHint?: string, onZoom?: () => void, shown?: boolean, testid?: string }} props */
export function Chart({ label, title, x, y, series, lines = [], height = 250, note = "", file = "chart", marked, over, onPick, pickHint = "", onZoom, shown = false, testid = "chart" }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const svg = useRef(/** @type {SVGSVGElement | null} */ (null));
  const wide = useWidth(box);
  const [spot, setSpot] = useState(/** @type {Spot | null} */ (null));
  const [reading, setReading] = useState(false);
  const all = series.map(styled);
  const legend = legendRows(all, wide);
  const xs = [...all.flatMap((s) => s.points.flatMap((p) => (s.kind === "bars" ? [p.x - (s.width ?? 1) / 2, p.x + (s.width ?? 1) / 2] : [p.x]))), ...lines.flatMap((l) => (l.x === undefined ? [] : [l.x]))];
  const ys = [...all.flatMap((s) => s.points.flatMap((p) => [p.y, p.low, p.high].filter((v) => v !== null && v !== undefined))), ...lines.flatMap((l) => (l.y === undefined ? [] : [l.y]))];
  const yAxis = makeAxis(/** @type {number[]} */ (ys), y, Math.round(height / 50));
  const written = yAxis.ticks.map(y.format ?? plain);
  const left = Math.ceil(Math.max(...written.map(textWidth), 12)) + 10;
  const top = (legend.length ? (Math.max(...legend.map((l) => l.row)) + 1) * ROW : 0) + 24;
  const [right, floor] = [Math.max(left + 40, wide - 16), top + height - 20];
  const xAxis = makeAxis(xs, x, Math.max(2, Math.round((right - left) / (x.log ? 50 : 72))));
  const toX = makeScale(xAxis.domain, [left, right], x.log);
  const toY = makeScale(yAxis.domain, [floor, top + (lines.some((l) => l.x !== undefined) ? 16 : 0)], y.log); // room for what a line is called
  const place = (/** @type {Point} */ p) => /** @type {[number, number]} */ ([toX(p.x), toY(p.y ?? 0)]);
  const there = spots(all);
  const current = spot && all[spot.s]?.points[spot.i] ? spot : null;
  const [cx, cy] = current ? place(all[current.s].points[current.i]) : [0, 0];
  const pick = (/** @type {Spot | null} */ at) => at && onPick?.(all[at.s].points[at.i], series[at.s]);
  /** @param {PointerEvent} event */
  const find = (event) => {
    const frame = svg.current?.getBoundingClientRect();
    return frame ? nearest(all, place, event.clientX - frame.left, event.clientY - frame.top) : null;
  };
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const next = move(all, current, event.key);
    if (next) setSpot(next);
    else if (event.key === "Enter" || event.key === " ") pick(current);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const rings = marked === undefined || marked === null ? [] : all.flatMap((s) => (s.still ? [] : s.points.filter((p) => p.x === marked && p.y !== null)));
  const at = current ? there.findIndex((a) => a.s === current.s && a.i === current.i) : 0;
  return html`<figure class="dl-plot" data-testid=${testid}>
    ${title && html`<h4 class="dl-label">${title}</h4>`}
    <div class="dl-plotbox" ref=${box} style=${`height:${floor + 40}px`}>
      ${wide > 0 && html`<svg ref=${svg} width=${wide} height=${floor + 40} viewBox=${`0 0 ${wide} ${floor + 40}`} role=${over ? "group" : "img"} aria-label=${label} class=${onPick ? "dl-plotpick" : ""}
        onPointerMove=${(/** @type {any} */ e) => setSpot(find(e))} onPointerLeave=${() => reading || setSpot(null)} onClick=${(/** @type {any} */ e) => pick(find(e))}>
        ${legend.map(({ s, x: lx, row }) => html`<g transform=${`translate(${lx} ${row * ROW + 9})`}><${Key} s=${s} /><text class="dl-plottext" x="34" y="4" textLength=${textWidth(s.name) > wide - 34 ? wide - 34 : undefined} lengthAdjust="spacingAndGlyphs">${s.name}</text></g>`)}
        <text class="dl-plottext dl-plotname" x="0" y=${top - 9}>${y.label}</text>
        <g class="dl-plotgrid">${yAxis.ticks.map((t) => html`<path d=${`M${left} ${toY(t).toFixed(1)}H${right}`} />`)}</g>
        ${yAxis.ticks.map((t, i) => html`<text class="dl-plottext dl-plottick" text-anchor="end" x=${left - 6} y=${toY(t) + 4}>${written[i]}</text>`)}
        ${xAxis.ticks.map((t) => html`<text class="dl-plottext dl-plottick" text-anchor="middle" x=${toX(t)} y=${floor + 16}>${(x.format ?? plain)(t)}</text>`)}
        <g class="dl-plotaxis"><path d=${`M${left} ${floor}H${right}`} />${xAxis.ticks.map((t) => html`<path d=${`M${toX(t).toFixed(1)} ${floor}v4`} />`)}</g>
        <text class="dl-plottext dl-plotname" text-anchor="end" x=${right} y=${floor + 34}>${x.label}</text>
        ${lines.map((l) => l.x !== undefined
          ? html`<g class="dl-plotref"><path d=${`M${toX(l.x).toFixed(1)} ${floor}V${top}`} /><text class="dl-plottext" x=${toX(l.x) + (toX(l.x) > (left + right) / 2 ? -5 : 5)} text-anchor=${toX(l.x) > (left + right) / 2 ? "end" : "start"} y=${top + 8}>${l.text}</text></g>`
          : html`<g class="dl-plotref"><path d=${`M${left} ${toY(l.y ?? 0).toFixed(1)}H${right}`} /><text class="dl-plottext" x=${right} text-anchor="end" y=${toY(l.y ?? 0) - 5}>${l.text}</text></g>`)}
        ${all.map((s, i) => html`<${Drawn} key=${i} s=${s} x=${toX} y=${toY} floor=${floor} />`)}
        ${rings.map((p) => html`<circle class="dl-plotring" cx=${toX(p.x)} cy=${toY(p.y ?? 0)} r="8" />`)}
        ${over?.({ x: toX, y: toY })}
        ${current && html`<g class="dl-plotcursor" data-fleeting="true"><path d=${`M${cx.toFixed(1)} ${floor}V${top}`} /><circle cx=${cx} cy=${cy} r="6.5" /></g>`}
      </svg>
      <div class="dl-plotfocus" style=${`left:${left}px;top:${top - 6}px;width:${right - left}px;height:${floor - top + 12}px`} tabindex=${there.length ? 0 : -1} role="slider" data-testid=${`${testid}-points`} aria-label=${CHART.points(label, onPick ? pickHint : "")}
        aria-valuemin="0" aria-valuemax=${Math.max(0, there.length - 1)} aria-valuenow=${at} aria-valuetext=${current ? spoken(all, current, x, y) : CHART.noPoint}
        onKeyDown=${keys} onFocus=${() => (setReading(true), setSpot(spot ?? there[0] ?? null))} onBlur=${() => (setReading(false), setSpot(null))}></div>
      ${current && html`<${Readout} series=${all} spot=${current} x=${x} y=${y} left=${cx} top=${Math.max(0, Math.min(cy, floor - 60))} wide=${wide} hint=${onPick ? pickHint : ""} />`}`}
    </div>
    <figcaption>${note && html`<span class="dl-note">${note}</span>`}${onZoom && html`<button class="dl-quiet" data-testid=${`${testid}-zoom`} aria-label=${CHART.zoomOf(title ?? label)} onClick=${onZoom}>${CHART.zoom}</button>`}<${Save} picture=${() => svg.current} name=${file} title=${title ?? label} note=${note} /><${Numbers} series=${all} x=${x} y=${y} shown=${shown} /></figcaption>
  </figure>`;
}
