// Saving what is on the page: a chart as SVG or PNG that looks the same outside, and text such as a trace. Nothing leaves the machine.
import { useState } from "preact/hooks";
import { CHART } from "../strings.js";
import { html } from "./html.js";

const KEPT = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "font-family", "font-size", "font-weight", "font-style", "text-anchor", "paint-order", "visibility"];
const [PAD, LINE, SHARPNESS] = [14, 20, 2];
const SVG = "http://www.w3.org/2000/svg";

/** Hand a file to the browser to be saved. @param {string} name @param {Blob} content */
export function download(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A name that every system takes for a file. @param {string} text */
export const fileName = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60) || "dspark-lab";

/**
 * A chart on a background of its own, its looks written into it, with a title and a note.
 * @param {SVGSVGElement} svg @param {string} title @param {string} note @returns {{ text: string, width: number, height: number }}
 */
export function standalone(svg, title, note) {
  const copy = /** @type {SVGSVGElement} */ (svg.cloneNode(true));
  const [mine, theirs] = [svg.querySelectorAll("*"), copy.querySelectorAll("*")];
  theirs.forEach((node, i) => {
    const look = getComputedStyle(mine[i]);
    for (const name of KEPT) if (look.getPropertyValue(name)) /** @type {SVGElement} */ (node).style.setProperty(name, look.getPropertyValue(name));
    node.removeAttribute("class");
  });
  copy.querySelectorAll("[data-fleeting]").forEach((node) => node.remove());
  const frame = svg.viewBox.baseVal;
  const [wide, high] = [frame?.width || svg.clientWidth, frame?.height || svg.clientHeight];
  const home = getComputedStyle(svg.closest(".dl") ?? svg);
  const [width, height] = [wide + 2 * PAD, high + 2 * PAD + LINE + (note ? LINE : 0)];
  const whole = document.createElementNS(SVG, "svg");
  const put = (/** @type {string} */ name, /** @type {Record<string, string | number>} */ attributes, text = "") => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
    node.textContent = text;
    whole.append(node);
  };
  for (const [key, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`, role: "img" })) whole.setAttribute(key, String(value));
  put("title", {}, note ? `${title}. ${note}` : title);
  put("rect", { width, height, fill: home.backgroundColor });
  put("text", { x: PAD, y: PAD + 12, fill: home.color, "font-family": home.fontFamily, "font-size": 14, "font-weight": 600 }, title);
  if (note) put("text", { x: PAD, y: height - PAD, fill: home.color, "font-family": home.fontFamily, "font-size": 11.5, opacity: 0.8 }, note);
  for (const [key, value] of Object.entries({ x: PAD, y: PAD + LINE, width: wide, height: high })) copy.setAttribute(key, String(value));
  for (const name of ["class", "role", "aria-label"]) copy.removeAttribute(name);
  whole.append(copy);
  return { text: `${new XMLSerializer().serializeToString(whole)}\n`, width, height };
}

/** The picture as PNG, twice as sharp as on the page. @param {{ text: string, width: number, height: number }} picture @returns {Promise<Blob>} */
export async function toPng({ text, width, height }) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * SHARPNESS, height * SHARPNESS];
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error(CHART.noPicture))), "image/png"));
}

/** Buttons that save a chart. @param {{ picture: () => SVGSVGElement | null, name: string, title: string, note?: string }} props ``name`` is the file's */
export function Save({ picture, name, title, note = "" }) {
  const [error, setError] = useState("");
  /** @param {"svg" | "png"} kind */
  const save = async (kind) => {
    const svg = picture();
    if (!svg) return;
    const made = standalone(svg, title, note);
    try {
      const content = kind === "svg" ? new Blob([made.text], { type: "image/svg+xml" }) : await toPng(made);
      download(`${fileName(name)}.${kind}`, content);
      setError("");
    } catch (failure) {
      setError(CHART.failed(kind.toUpperCase(), failure instanceof Error ? failure.message : String(failure)));
    }
  };
  return html`<span class="dl-save">${/** @type {const} */ (["svg", "png"]).map((kind) => html`<button type="button" class="dl-quiet" key=${kind} data-testid=${`save-${kind}-${name}`} aria-label=${CHART.saveAs(title, kind.toUpperCase())} title=${CHART.saveAs(title, kind.toUpperCase())} onClick=${() => save(kind)}>${kind.toUpperCase()} ↓</button>`)}
    ${error && html`<span class="dl-error" role="alert">${error}</span>`}</span>`;
}

/** A button that saves a text. @param {{ name: string, content: () => string, type: string, testid: string, disabled?: boolean, children?: any }} props ``name`` is the file's */
export function SaveText({ name, content, type, testid, disabled, children }) {
  return html`<button type="button" class="dl-quiet dl-savetext" data-testid=${testid} disabled=${disabled} onClick=${() => download(name, new Blob([content()], { type }))}>${children} ↓</button>`;
}
