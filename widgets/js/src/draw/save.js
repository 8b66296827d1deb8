// Saving what is on the page: a chart or bars as SVG or PNG that look the same outside, and text such as a trace. Nothing leaves the machine.
import { useState } from "preact/hooks";
import { CHART } from "../strings.js";
import { html } from "./html.js";
import { standalone, toPng } from "./picture.js";

/** Hand a file to the browser to be saved. @param {string} name @param {Blob} content */
export function download(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A name that every system takes for a file. @param {string} text */
export const fileName = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60) || "dspark-lab";

/** Buttons that save a part of the page as a picture. @param {{ picture: () => Element | null, name: string, title: string, note?: string }} props ``name`` is the file's */
export function Save({ picture, name, title, note = "" }) {
  const [error, setError] = useState("");
  /** @param {"svg" | "png"} kind */
  const save = async (kind) => {
    const node = picture();
    if (!node) return;
    const made = standalone(node, title, note);
    try {
      const content = kind === "svg" ? new Blob([made.text], { type: "image/svg+xml" }) : await toPng(made);
      download(`${fileName(name)}.${kind}`, content);
      setError("");
    } catch (failure) {
      setError(CHART.failed(kind.toUpperCase(), failure instanceof Error ? failure.message : String(failure)));
    }
  };
  return html`<span class="dl-save">${/** @type {const} */ (["svg", "png"]).map((kind) => html`<button class="dl-quiet" key=${kind} data-testid=${`save-${kind}-${name}`} aria-label=${CHART.saveAs(title, kind.toUpperCase())} title=${CHART.saveAs(title, kind.toUpperCase())} onClick=${() => save(kind)}>${kind.toUpperCase()} ↓</button>`)}
    ${error && html`<span class="dl-error" role="alert">${error}</span>`}</span>`;
}

/** A button that saves a text. @param {{ name: string, content: () => string, type: string, testid: string, disabled?: boolean, children?: any }} props ``name`` is the file's */
export function SaveText({ name, content, type, testid, disabled, children }) {
  return html`<button class="dl-quiet dl-savetext" data-testid=${testid} disabled=${disabled} onClick=${() => download(name, new Blob([content()], { type }))}>${children} ↓</button>`;
}
