// Tooltips and small editors in the browser's top layer, where no scrolling table or notebook cell clips them.
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { html } from "./html.js";

/**
 * @param {{ anchor: Element, kind: "tip" | "menu", label?: string, wide?: boolean, onClose?: () => void, children?: any }} props
 */
export function Popup({ anchor, kind, label, wide, onClose, children }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    const node = box.current;
    if (!node) return;
    if (node.showPopover && !node.matches(":popover-open")) node.showPopover();
    const place = anchor.getBoundingClientRect();
    const own = node.getBoundingClientRect();
    const [wide, high] = [document.documentElement.clientWidth, document.documentElement.clientHeight];
    const left = Math.max(8, Math.min(place.left + place.width / 2 - own.width / 2, wide - own.width - 8));
    const below = place.bottom + 6 + own.height <= high || place.top < own.height + 6;
    node.style.left = `${left}px`;
    node.style.top = `${below ? place.bottom + 6 : place.top - own.height - 6}px`;
  });
  useEffect(() => {
    if (kind !== "menu") return;
    /** @type {HTMLElement | null | undefined} */ (box.current?.querySelector("input,textarea,button"))?.focus();
    /** @param {Event} event */
    const outside = (event) => {
      const path = event.composedPath();
      if (box.current && !path.includes(box.current) && !path.includes(anchor)) onClose?.();
    };
    document.addEventListener("pointerdown", outside, true);
    return () => document.removeEventListener("pointerdown", outside, true);
  }, [anchor, kind]);
  return html`<div ref=${box} popover="manual" class=${`dl-popup dl-${kind} ${wide ? "dl-wide" : ""}`} role=${kind === "tip" ? "tooltip" : "dialog"}
    aria-label=${label} id=${kind === "tip" ? "dl-tip" : undefined}>${children}</div>`;
}
