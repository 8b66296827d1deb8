// A button that starts something and keeps the focus meanwhile: a disabled one would drop it, and the page's keys with it.
import { html } from "./html.js";

/** @param {{ off: boolean, onClick?: (event: any) => void, [attribute: string]: any }} props ``off`` while it cannot be pressed */
export const Act = ({ off, onClick, ...rest }) => html`<button ...${rest} aria-disabled=${off ? "true" : undefined} onClick=${off ? (/** @type {Event} */ e) => e.preventDefault() : onClick} />`;
