// A number or a symbol in running text that shows its equation on hover and on focus; g opens the glossary there.
import { useRef, useState } from "preact/hooks";
import { EquationView } from "../draw/equations.js";
import { explain } from "../draw/glossary.js";
import { html } from "../draw/html.js";
import { Popup } from "../draw/popup.js";

/** @typedef {import("../draw/glossary.js").Equation} Equation */

/** @param {{ eq: Equation, hover?: boolean, children?: any }} props ``hover``: no stop of the Tab key, where a focusable neighbour says the same */
export function Explained({ eq, hover = false, children }) {
  const anchor = useRef(/** @type {HTMLElement | null} */ (null));
  const [open, setOpen] = useState(false);
  /** @param {boolean} next */
  const set = (next) => () => setOpen(next);
  return html`<span class="dl-explained" tabindex=${hover ? undefined : 0} role=${hover ? undefined : "note"} data-entry=${eq.id} aria-describedby=${open ? "dl-tip" : undefined} ref=${anchor} onMouseEnter=${set(true)} onMouseLeave=${set(false)}
      onFocus=${set(true)} onBlur=${set(false)}>${children}</span>
    ${open && anchor.current && html`<${Popup} anchor=${anchor.current} kind="tip"><${EquationView} eq=${eq} /><//>`}`;
}

/** A term of the glossary in running text. @param {{ id: import("../draw/glossary.js").Id, hover?: boolean, children?: any }} props */
export const Term = ({ id, hover, children }) => html`<${Explained} eq=${explain(id)} hover=${hover}>${children}<//>`;
