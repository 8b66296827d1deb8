// A number in running text that shows its equation on hover and on focus.
import { useRef, useState } from "preact/hooks";
import { EquationView } from "../draw/equations.js";
import { html } from "../draw/html.js";
import { Popup } from "../draw/popup.js";

/** @param {{ eq: import("../draw/equations.js").Equation, children?: any }} props */
export function Explained({ eq, children }) {
  const anchor = useRef(/** @type {HTMLElement | null} */ (null));
  const [open, setOpen] = useState(false);
  /** @param {boolean} next */
  const set = (next) => () => setOpen(next);
  return html`<span class="dl-explained" tabindex="0" ref=${anchor} onMouseEnter=${set(true)} onMouseLeave=${set(false)}
      onFocus=${set(true)} onBlur=${set(false)}>${children}</span>
    ${open && anchor.current && html`<${Popup} anchor=${anchor.current} kind="tip"><${EquationView} eq=${eq} /><//>`}`;
}
