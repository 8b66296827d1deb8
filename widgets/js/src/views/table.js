// The table of a round: one column a position, one row a quantity; what is not known yet is hatched.
import { useRef, useState } from "preact/hooks";
import { EquationView, equation } from "../draw/equations.js";
import { formula } from "../draw/glossary.js";
import { html } from "../draw/html.js";
import { Icon } from "../draw/icons.js";
import { memo } from "../draw/memo.js";
import { reveal, useBeforePaint } from "../draw/reveal.js";
import { Popup } from "../draw/popup.js";
import { Chip } from "../draw/token.js";
import { changedFinal, changedRows } from "../logic/diff.js";
import { showToken, signed } from "../logic/format.js";
import { stages } from "../logic/steps.js";
import { S } from "../strings.js";
import { cell, finalCell } from "./cells.js";
import { EditButton } from "./edits.js";
import { Term } from "./explained.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../logic/steps.js").Known} Known */
/** @typedef {import("../logic/steps.js").Step} Step */
/** @typedef {import("../logic/place.js").Place} Place */

/** The rows that a round has. @param {Round} round */
export function rowsOf(round) {
  const has = stages(round);
  const rows = ["token", has.base && "base", has.bias && "bias", has.draft && "draft", has.confidence && "conf", has.confidence && "survival"];
  return /** @type {string[]} */ ([...rows, "target", "u", "verdict"].filter(Boolean));
}

/** The glossary's entry of a row, where it is not the row's own name. @type {Record<string, string>} */
const ENTRY = { u: "ratio", verdict: "ratio" };

/** Which row a step works on. @type {Record<string, string[]>} */
const AT = { prompt: ["token"], parallel: ["base"], confidence: ["conf", "survival"], schedule: ["survival"], verify: ["target"], commit: ["verdict"] };

/** @param {Step} step @param {string} row @param {number} k @param {number} last */
function isNow(step, row, k, last) {
  if (step.phase === "sequential") return k === step.k && row === (step.sub === "bias" ? "bias" : "draft");
  if (step.phase === "accept") return k === (step.sub === "final" ? last : step.k) && (row === "u" || row === "verdict");
  return false;
}

/** Content of a cell's tooltip. @param {{ row: string, k: number, round: Round, now: Known, state: string }} props */
function Tip({ row, k, round, now, state }) {
  const eq = state === "known" && (row !== "token" || k > round.gamma || k <= now.draft) ? equation(row, k, round) : null;
  const p = round.positions[k - 1];
  if (!eq) return html`<p class="dl-note">${state === "none" && p ? S.neverVerified : S.unknown}</p>`;
  return html`<${EquationView} eq=${eq} />
    ${row === "bias" && p && html`<dl class="dl-biases">
      <dt>↑ ${S.boosted}</dt><dd>${p.biased_up.map((c) => html`<span><b class="dl-tok">${showToken(c.token.text)}</b> ${signed(c.value)}</span>`)}</dd>
      <dt>↓ ${S.lowered}</dt><dd>${p.biased_down.map((c) => html`<span><b class="dl-tok">${showToken(c.token.text)}</b> ${signed(c.value)}</span>`)}</dd>
    </dl>`}`;
}

/**
 * @typedef {{ round: Round, now: Known, step: Step, place: Place, setPlace: (place: Place, byHand: boolean) => void,
 *   other: Round | undefined, otherName: string, edits: import("./edits.js").CellEdits }} Props
 */
export const RoundTable = memo((/** @type {Props} */ { round, now, step, place, setPlace, other, otherName, edits }) => {
  const grid = useRef(/** @type {HTMLElement | null} */ (null));
  const [tip, setTip] = useState(/** @type {{ row: string, k: number, state: string, node: Element } | null} */ (null));
  const timer = useRef(0);
  const rows = rowsOf(round);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const column = place.k > round.gamma ? "final" : place.k;
  useBeforePaint(() => {
    const names = grid.current?.querySelector("tbody th");
    reveal(box.current, grid.current?.querySelector(`[data-cell="token-${column}"]`), names?.getBoundingClientRect().width);
  }, [round.index, column]);
  const last = round.gamma + 1;
  /** @param {string} row @param {number} k @param {string} state @param {number} delay */
  const show = (row, k, state, delay) => (/** @type {any} */ event) => {
    const node = event.currentTarget;
    if (grid.current?.querySelector(".dl-menu")) return;
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setTip({ row, k, state, node }), delay);
  };
  const hide = () => {
    clearTimeout(timer.current);
    setTip(null);
  };
  /** @param {KeyboardEvent} event @param {string} row @param {number} k */
  const keys = (event, row, k) => {
    const moves = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    const move = event.shiftKey ? undefined : moves[/** @type {keyof typeof moves} */ (event.key)];
    const node = /** @type {HTMLElement} */ (event.currentTarget);
    if (event.target !== node && !move) return;
    if (event.key === "Enter" || event.key === "F2") {
      /** @type {HTMLElement | null} */ (node.querySelector(".dl-edit:not(:disabled)"))?.click();
    } else if (event.key === "Escape" && tip) {
      hide();
    } else if (move) {
      const next = { row: rows[Math.max(0, Math.min(rows.length - 1, rows.indexOf(row) + move[0]))], k: Math.max(1, Math.min(last, k + move[1])) };
      setPlace(next, true);
      const name = next.k === last ? "final" : next.k;
      /** @type {HTMLElement | null | undefined} */ (grid.current?.querySelector(`[data-cell="${next.row}-${name}"]`))?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  /** @param {string} row @param {number} k */
  const draw = (row, k) => {
    const p = round.positions[k - 1];
    const { state, content, label } = p ? cell(row, p, now) : finalCell(row, round, now);
    const selected = place.row === row && place.k === k;
    const changed = state === "known" && (p ? changedRows(p, other?.positions[k - 1]) : changedFinal(round, other)).has(row);
    const name = k === last ? "final" : String(k);
    const cut = now.schedule && p && p.verdict === "cut";
    const classes = ["dl-cell", `dl-${state}`, selected && "dl-selected", isNow(step, row, k, last) && "dl-active", changed && "dl-changed",
      cut && "dl-cutoff", now.schedule && k === round.verify_length && k < round.gamma && "dl-cutline", p && p.verdict === "discarded" && k <= now.verdict && "dl-lost"];
    const spoken = `${S.rows[/** @type {keyof typeof S.rows} */ (row)][0]}, ${k === last ? S.finalAt(round.final.position) : S.position(k)}: ` +
      `${state === "known" ? label : state === "none" ? (label ?? S.noValue) : S.unknown}${changed ? `, ${S.changedFrom(otherName)}` : ""}`;
    return html`<td role="gridcell" key=${name} class=${classes.filter(Boolean).join(" ")} data-testid=${`cell-${row}-${name}`} data-cell=${`${row}-${name}`} data-entry=${ENTRY[row] ?? row}
      tabindex=${selected ? 0 : -1} aria-label=${spoken} aria-describedby=${tip?.row === row && tip.k === k ? "dl-tip" : undefined} aria-selected=${selected ? "true" : "false"} onClick=${() => setPlace({ row, k }, true)}
      onKeyDown=${(/** @type {KeyboardEvent} */ e) => keys(e, row, k)} onMouseEnter=${show(row, k, state, 180)} onMouseLeave=${hide}
      onFocus=${show(row, k, state, 0)} onBlur=${hide}>
      ${changed && html`<span class="dl-delta" aria-hidden="true">◆</span>`}${content}<${EditButton} row=${row} k=${k} round=${round} now=${now} edits=${edits} onOpen=${hide} />
    </td>`;
  };
  return html`<div class="dl-scroller" ref=${box}><table role="grid" class=${`dl-table ${round.gamma ? "" : "dl-plaintable"}`} ref=${grid} aria-label=${S.table(round.index + 1)} style=${`--columns:${round.gamma}`}>
    <colgroup><col class="dl-col-name" /><col class="dl-col-anchor" />${round.positions.map(() => html`<col />`)}<col class="dl-col-final" /></colgroup>
    <thead><tr><td></td><th scope="col">${S.anchor}</th>
      ${round.positions.map((p) => html`<th scope="col" key=${p.k} class=${place.k === p.k ? "dl-at" : ""}>${p.k}${now.schedule && p.k === round.verify_length && p.k < round.gamma ? html`<span class="dl-scissors" title=${S.verdicts.cut}><${Icon} name="cut" /></span>` : ""}</th>`)}
      <th scope="col" class=${place.k === last ? "dl-at" : ""}>${now.final || round.gamma === 0 ? S.finalAt(round.final.position) : S.finalPlain}</th>
    </tr></thead>
    <tbody>${rows.map((row) => {
      const plain = S.rows[/** @type {keyof typeof S.rows} */ (row)];
      return html`<tr key=${row} class=${`dl-row-${row} ${AT[step.phase]?.includes(row) ? "dl-rownow" : ""}`}>
        <th scope="row"><span>${plain[0]}</span> ${plain[1] && html`<${Term} id=${/** @type {any} */ (row)} hover>${formula(plain[1])}<//>`}</th>
        <td class="dl-cell dl-anchorcell" role="gridcell">${row === "token" && html`<${Chip} token=${round.anchor} kind="anchor" />`}</td>
        ${round.positions.map((p) => draw(row, p.k))}${draw(row, last)}
      </tr>`;
    })}</tbody>
  </table></div>
  ${tip && tip.k <= last && html`<${Popup} anchor=${tip.node} kind="tip"><${Tip} ...${tip} round=${round} now=${now} /><//>`}`;
});
