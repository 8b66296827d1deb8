// A sentence as nodes: tokens set apart in their own type, symbols such as p_t with their subscripts.
import { TOKEN_END, TOKEN_START } from "../logic/format.js";
import { html } from "./html.js";

const SYMBOL = /\b([acpuxU])_(\d+|[a-z])\b|\bu\b/g;

/** @param {string} text */
function symbols(text) {
  const parts = [];
  let last = 0;
  for (const match of text.matchAll(SYMBOL)) {
    parts.push(text.slice(last, match.index), html`<span class="dl-math"><i>${match[1] ?? match[0]}</i>${match[2] && html`<sub>${match[2]}</sub>`}</span>`);
    last = match.index + match[0].length;
  }
  return [...parts, text.slice(last)];
}

/** @param {{ text: string }} props */
export function Rich({ text }) {
  return text.split(TOKEN_START).map((part, i) => {
    if (i === 0) return symbols(part);
    const [token, rest] = part.split(TOKEN_END);
    return html`<span class="dl-tok dl-quoted">${token}</span>${symbols(rest ?? "")}`;
  });
}
