// Formulas as small trees of <i>, <sub> and <sup>; values are put in as nodes, never parsed.
import { html } from "./html.js";

const PART = /([_^])(?:\{([^}]*)\}|(.))|([A-Za-zα-ωγΣσ]+)|([^_^A-Za-zα-ωγΣσ]+)/gu;

/** @param {string} text @returns {any[]} */
function parse(text) {
  return [...text.matchAll(PART)].map(([all, mark, braced, single, letters]) => {
    if (mark === "_") return html`<sub>${parse(braced ?? single)}</sub>`;
    if (mark === "^") return html`<sup>${parse(braced ?? single)}</sup>`;
    if (letters) return letters.length === 1 ? html`<i>${letters}</i>` : letters;
    return all;
  });
}

/** math`p_t(${token}) = ${value}` @param {TemplateStringsArray} strings @param {...any} values */
export function math(strings, ...values) {
  const parts = strings.raw.flatMap((text, i) => {
    if (i >= values.length) return parse(text);
    if (text.endsWith("_")) return [...parse(text.slice(0, -1)), html`<sub>${live(values[i])}</sub>`];
    return [...parse(text), live(values[i])];
  });
  return html`<span class="dl-math">${parts}</span>`;
}

/** A live number or token within a formula stands out from its symbols. @param {any} value */
const live = (value) => html`<b>${value}</b>`;
