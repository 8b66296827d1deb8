// Brings what the reader stepped to into sight within its own sideways scroller; the page itself stays where it is.
import { useLayoutEffect } from "preact/hooks";

/**
 * Do what asks for sizes or scrolls before the next frame is painted, once everything in it is drawn: in between, each
 * question would lay out the whole page anew.
 * @param {() => void} act @param {any[]} inputs
 */
export function useBeforePaint(act, inputs) {
  useLayoutEffect(() => {
    const frame = requestAnimationFrame(act);
    return () => cancelAnimationFrame(frame);
  }, inputs);
}

/** @param {HTMLElement | null} box @param {Element | null | undefined} item @param {number} [left] width hidden by a sticky column */
export function reveal(box, item, left = 0) {
  if (!box || !item || box.scrollWidth <= box.clientWidth) return;
  const [outer, inner] = [box.getBoundingClientRect(), item.getBoundingClientRect()];
  const margin = 24;
  if (inner.left < outer.left + left + margin) box.scrollLeft -= outer.left + left + margin - inner.left;
  else if (inner.right > outer.right - margin) box.scrollLeft += inner.right - outer.right + margin;
}
