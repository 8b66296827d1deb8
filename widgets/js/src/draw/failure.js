// What went wrong, where it did; Python's words in the reader's language.
import { translated } from "../language.js";
import { html } from "./html.js";

/** @param {{ text?: string | false, testid?: string, before?: string }} props nothing without a text */
export const Failure = ({ text, testid = "error", before = "" }) => text && html`<p class="dl-error" role="alert" data-testid=${testid}>${before}${translated(text)}</p>`;
