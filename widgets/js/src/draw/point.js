// Pointing at something on the page: brings it into view, gives it the focus, and marks it.

const CALM = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Call ``use`` with the element as soon as it is drawn; gives up after a second. @param {Element} root @param {string} selector @param {(node: HTMLElement) => void} use */
export function whenThere(root, selector, use) {
  const began = performance.now();
  const look = () => {
    const node = root.querySelector(selector);
    if (node instanceof HTMLElement) use(node);
    else if (performance.now() - began < 1000) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** @param {HTMLElement} node */
export const bringIntoView = (node) => node.scrollIntoView({ block: "center", inline: "nearest", behavior: CALM() ? "auto" : "smooth" });

/** Mark an element; the function returned takes the mark away. @param {HTMLElement} node */
export function mark(node) {
  node.dataset.pointed = "";
  return () => delete node.dataset.pointed;
}

/** Show where something is: in view, focused, marked for a moment. @param {Element} root @param {string} selector */
export function pointAt(root, selector) {
  whenThere(root, selector, (node) => {
    bringIntoView(node);
    if (node.tabIndex < 0 && !node.hasAttribute("tabindex")) node.tabIndex = -1;
    node.focus({ preventScroll: true });
    setTimeout(mark(node), 2500);
  });
}
