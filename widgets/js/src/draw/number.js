// A number field that lets itself be typed into: "0.0" on the way to "0.05" is not put right half-way.
import { useState } from "preact/hooks";
import { html } from "./html.js";

/** @param {{ value: number, onChange: (value: number) => void, [attribute: string]: any }} props */
export function NumberInput({ value, onChange, ...attributes }) {
  const [text, setText] = useState(/** @type {string | null} */ (null));
  const shown = text !== null && (text === "" || Number(text) === value) ? text : String(value);
  /** @param {any} event */
  const change = (event) => {
    const next = event.target.value;
    setText(next);
    if (next !== "" && Number.isFinite(Number(next))) onChange(Number(next));
  };
  return html`<input type="number" ...${attributes} value=${shown} onInput=${change} onBlur=${() => setText(null)} />`;
}
