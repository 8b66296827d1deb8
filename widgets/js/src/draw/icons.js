// Icons as paths of our own, so that no font decides what they look like.
import { html } from "./html.js";

/** @type {Record<string, string>} */
const PATHS = {
  fork: "M8 14V9.500M3.500 2.500c0 5 4.500 3.500 4.500 7M12.500 2.500c0 5-4.500 3.500-4.500 7",
  edit: "M3 13l1-3.5L10.5 3 13 5.5 6.5 12zM9 4.5L11.500 7",
  cut: "M4.500 4.500L13 12M4.500 11.500L13 4M3 3.200a1.600 1.600 0 1 0 .01 0M3 9.800a1.600 1.600 0 1 0 .01 0",
  play: "M4 2.500v11l9-5.500z",
  pause: "M4.500 3v10M11.500 3v10",
  back: "M10 3L5 8l5 5",
  step: "M6 3l5 5-5 5",
  previous: "M4 3v10M12.500 3l-5 5 5 5",
  next: "M12 3v10M3.500 3l5 5-5 5",
  replay: "M3.500 8a4.800 4.800 0 1 0 1.600-3.600M5 1.500v3.200h3.200",
  remove: "M4 4l8 8M12 4l-8 8",
  stop: "M4 4h8v8H4z",
};

/** @param {{ name: string }} props */
export function Icon({ name }) {
  return html`<svg class=${`dl-svg dl-svg-${name}`} viewBox="0 0 16 16" width="15" height="15" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}
