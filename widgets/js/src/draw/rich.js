// A sentence as nodes: tokens set apart in their own type, symbols such as p_t with their subscripts.
import { TOKEN_END, TOKEN_START } from "../logic/format.js";
import { html } from "./html.js";
import { memo } from "./memo.js";

const SYMBOL = /\b([acpuxUT])_(\d+|[a-z])\b|\bu\b|[τγΘ]/g;

/** The glossary's entries of the symbols. @type {Record<string, string>} */
const ENTRY = { p_t: "target", p_d: "draft", a: "survival", c: "conf", u: "u", x: "token", U: "base", T: "calibrated", τ: "tau", γ: "gamma", Θ: "theta" };

/** @param {string} text */
function symbols(text) {
  const parts = [];
  let last = 0;
  for (const match of text.matchAll(SYMBOL)) {
    const [all, letter, index] = match;
    parts.push(text.slice(last, match.index), html`<span class="dl-math" data-entry=${ENTRY[all] ?? ENTRY[letter]}><i>${letter ?? all}</i>${index && html`<sub>${index}</sub>`}</span>`);
    last = match.index + all.length;
  }
  return [...parts, text.slice(last)];
}

export const Rich = memo((/** @type {{ text: string }} */ { text }) =>
  text.split(TOKEN_START).map((part, i) => {
    if (i === 0) return symbols(part);
    const [token, rest] = part.split(TOKEN_END);
    return html`<span class="dl-tok dl-quoted">${token}</span>${symbols(rest ?? "")}`;
  }));
