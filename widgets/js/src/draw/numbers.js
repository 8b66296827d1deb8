// A chart's numbers as a table, for those who would rather read, and for screen readers.
import { useState } from "preact/hooks";
import { plain, tabled } from "../logic/scale.js";
import { CHART } from "../strings.js";
import { html } from "./html.js";

/** @param {{ series: import("./chart.js").Styled[], x: import("./chart.js").Axis, y: import("./chart.js").Axis, shown?: boolean }} props */
export function Numbers({ series, x, y, shown = false }) {
  const [open, setOpen] = useState(shown);
  const table = () => {
    const { pivot, rows } = tabled(series);
    const heads = pivot ? [x.label, ...series.map((s) => s.name)] : [CHART.series, x.label, y.label];
    return html`<div class="dl-plottable" tabindex="0" role="region" aria-label=${CHART.table}><table><caption>${pivot ? y.label : ""}</caption>
      <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr>${!pivot && html`<th scope="row">${row.name}</th>`}${pivot ? html`<th scope="row">${(x.format ?? plain)(row.x)}</th>` : html`<td>${(x.format ?? plain)(row.x)}</td>`}
        ${row.ys.map((value) => html`<td>${value === null ? "–" : (y.format ?? plain)(value)}</td>`)}</tr>`)}</tbody></table></div>`;
  };
  return html`<details class="dl-plotdata" open=${open} onToggle=${(/** @type {any} */ e) => setOpen(e.target.open)}><summary>${CHART.table}</summary>${open && table()}</details>`;
}
