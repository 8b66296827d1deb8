// A number field that lets itself be typed into: "0.0" on the way to "0.05" is not put right half-way, and what is beyond its ends is told.
import { useState } from "preact/hooks";
import { S } from "../strings.js";
import { html } from "./html.js";

/** @param {{ value: number, onChange: (value: number) => void, lenient?: boolean, [attribute: string]: any }} props ``lenient`` where what is beyond min and max is answered elsewhere */
export function NumberInput({ value, onChange, lenient, ...attributes }) {
  const [text, setText] = useState(/** @type {string | null} */ (null));
  const { min, max } = attributes;
  const beyond = !lenient && text !== null && text !== "" && (Number(text) < Number(min) || Number(text) > Number(max));
  const shown = text !== null && (text === "" || beyond || Number(text) === value) ? text : String(value);
  /** @param {any} event */
  const change = (event) => {
    const next = event.target.value;
    setText(next);
    const number = Number(next);
    if (next !== "" && Number.isFinite(number) && (lenient || (number >= Number(min) && number <= Number(max)))) onChange(number);
  };
  return html`<input type="number" ...${attributes} value=${shown} aria-invalid=${beyond ? "true" : undefined} onInput=${change} onBlur=${() => setText(null)} />${beyond && html`<span class="dl-beyond" role="status">${S.between(String(min), String(max))}</span>`}`;
}
