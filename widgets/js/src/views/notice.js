// What happened to the page's kernel, and how to go on.
import { html } from "../draw/html.js";
import { LINE } from "../strings.js";

/**
 * @param {{ what: string, word?: import("../first.js").Word, hosted: boolean, children?: any }} props
 * `hosted` where a reload brings a new kernel; in a notebook the cell has to be run again
 */
export function Notice({ what, word, hosted, children }) {
  const text = what === "full" ? LINE.full(word?.limit ?? 0, word?.wait ?? 0) : hosted ? LINE.hosted[/** @type {keyof typeof LINE.hosted} */ (what)] : LINE.notebook;
  return html`<div class="dl-notice" role="alert" data-testid="notice" data-what=${what}>
    <p>${text}</p>
    ${hosted && html`<div class="dl-line">${children}<button data-testid="reload" onClick=${() => location.reload()}>${what === "full" ? LINE.again : LINE.reload}</button></div>`}
  </div>`;
}
