// Tokens as chips. Token text only ever becomes a text node.
import { flowToken, showToken } from "../logic/format.js";
import { html } from "./html.js";

/** @typedef {import("../contract").Token} Token */

/** Shape beside colour: what a token has become. @type {Record<string, string>} */
export const MARKS = { accepted: "✓", rejected: "✗", discarded: "·", cut: "✂\ufe0e", residual: "○", bonus: "★", plain: "●" };

/** A token chip; ``kind`` picks colour and outline. @param {{ token: Token, kind?: string, title?: string }} props */
export function Chip({ token, kind = "", title }) {
  const text = showToken(token.text);
  return html`<span class=${`dl-tok dl-chip ${kind && `dl-${kind}`}`} title=${title ?? `${text} · id ${token.id}`}>${text}</span>`;
}

/** A token in running text. @param {{ token: Token, kind?: string, testid?: string }} props */
export function Flow({ token, kind = "", testid }) {
  return html`<span class=${`dl-flow ${kind && `dl-flow-${kind}`}`} data-testid=${testid}>${flowToken(token.text)}</span>`;
}
