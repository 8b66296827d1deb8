// Brings what the reader stepped to into sight within its own sideways scroller; the page itself stays where it is.

/** @param {HTMLElement | null} box @param {Element | null | undefined} item @param {number} [left] width hidden by a sticky column */
export function reveal(box, item, left = 0) {
  if (!box || !item || box.scrollWidth <= box.clientWidth) return;
  const [outer, inner] = [box.getBoundingClientRect(), item.getBoundingClientRect()];
  const margin = 24;
  if (inner.left < outer.left + left + margin) box.scrollLeft -= outer.left + left + margin - inner.left;
  else if (inner.right > outer.right - margin) box.scrollLeft += inner.right - outer.right + margin;
}
