// What stands on the page as a picture of its own: text, boxes and bars, and charts, drawn as SVG that any program shows.
import { CHART } from "../strings.js";

const KEPT = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "font-family", "font-size", "font-weight", "font-style", "text-anchor", "paint-order", "visibility"];
const FONT = ["font-family", "font-size", "font-weight", "font-style"];
const [PAD, LINE, SHARPNESS] = [14, 20, 2];
const CLEAR = "rgba(0, 0, 0, 0)";
/** @type {Record<string, string>} */
const DASHES = { dashed: "4 3", dotted: "2 2" };

/** @typedef {Record<string, string | number | undefined>} Attributes */

/** @type {CanvasRenderingContext2D | null | undefined} */
let ruler;
/** How a text measures in a font, where there is a canvas. @param {string} text @param {string} font */
export function measured(text, font) {
  ruler ??= typeof document === "undefined" ? null : document.createElement("canvas").getContext("2d");
  if (ruler) ruler.font = font;
  return ruler?.measureText(text);
}

/** Draw an element into another. @param {Element} into @param {string} name @param {Attributes} attributes @param {string} [text] */
function put(into, name, attributes, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) node.setAttribute(key, String(value));
  node.textContent = text;
  into.append(node);
  return node;
}

/** A chart with its looks written into it, at a place. @param {Element} into @param {SVGSVGElement} svg @param {number} x @param {number} y */
function putChart(into, svg, x, y) {
  const copy = /** @type {SVGSVGElement} */ (svg.cloneNode(true));
  const [mine, theirs] = [[svg, ...svg.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
  theirs.forEach((node, i) => {
    const look = getComputedStyle(mine[i]);
    for (const name of KEPT) if (look.getPropertyValue(name)) /** @type {SVGElement} */ (node).style.setProperty(name, look.getPropertyValue(name));
    for (const name of ["class", "role", "aria-label"]) node.removeAttribute(name);
  });
  copy.querySelectorAll("[data-fleeting]").forEach((node) => node.remove());
  const { width, height } = svg.getBoundingClientRect();
  for (const [key, value] of Object.entries({ x, y, width, height })) copy.setAttribute(key, String(value));
  into.append(copy);
}

/** Background, hatching and borders. @param {Element} into @param {CSSStyleDeclaration} look @param {{ x: number, y: number, width: number, height: number }} box */
function putBox(into, look, { x, y, width, height }) {
  const rx = Math.min(parseFloat(look.borderTopLeftRadius), height / 2);
  const [stripe] = /repeating-linear-gradient.*?(rgb\S+ \S+ [^)]*\))/.exec(look.backgroundImage)?.slice(1) ?? [];
  if (look.backgroundColor !== CLEAR) put(into, "rect", { x, y, width, height, rx, fill: look.backgroundColor });
  if (stripe) {
    const id = `stripes${stripe.replace(/\W+/g, "-")}`;
    if (!(/** @type {Element} */ (into.getRootNode()).querySelector(`#${id}`))) put(put(into, "pattern", { id, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }), "path", { d: "M0 0V5", stroke: stripe, "stroke-width": 3 });
    put(into, "rect", { x, y, width, height, rx, fill: `url(#${id})` });
  }
  const edges = ["Top", "Right", "Bottom", "Left"].map((side) => {
    const value = (/** @type {string} */ what) => /** @type {any} */ (look)[`border${side}${what}`];
    return { wide: parseFloat(value("Width")), stroke: value("Color"), dash: DASHES[value("Style")] };
  });
  const line = (/** @type {string} */ name, /** @type {Attributes} */ where, /** @type {{ wide: number, stroke: string, dash?: string }} */ { wide, stroke, dash }) =>
    wide && stroke !== CLEAR && put(into, name, { ...where, fill: "none", stroke, "stroke-width": wide, "stroke-dasharray": dash });
  const around = (/** @type {{ wide: number, stroke: string, dash?: string }} */ edge) =>
    line("rect", { x: x + edge.wide / 2, y: y + edge.wide / 2, width: Math.max(0, width - edge.wide), height: Math.max(0, height - edge.wide), rx }, edge);
  const ring = /^(rgb.*\)) 0px 0px 0px ([\d.]+)px inset$/.exec(look.boxShadow);
  if (ring) around({ wide: Number(ring[2]), stroke: ring[1] });
  if (edges.every((edge) => edge.wide === edges[0].wide)) around(edges[0]);
  else edges.forEach((edge, i) => line("path", { d: i % 2 ? `M${i === 1 ? x + width - edge.wide / 2 : x + edge.wide / 2} ${y}v${height}` : `M${x} ${i ? y + height - edge.wide / 2 : y + edge.wide / 2}h${width}` }, edge));
}

/** Text where it stands, a piece a line; what does not fit its box ends in dots there too. @param {Element} into @param {Text} node @param {number} left @param {number} top */
function putText(into, node, left, top) {
  const home = /** @type {Element} */ (node.parentElement);
  const look = getComputedStyle(home);
  const end = look.textOverflow === "ellipsis" ? home.getBoundingClientRect().right : Infinity;
  const range = document.createRange();
  /** @type {{ text: string, box: DOMRect }[]} */
  const lines = [];
  for (let i = 0; i < node.data.length; i++) {
    range.setStart(node, i);
    range.setEnd(node, i + 1);
    const box = range.getBoundingClientRect();
    if (!box.width && !/[\udc00-\udfff]/.test(node.data[i])) continue; // white space that shows nothing
    const last = lines[lines.length - 1];
    if (!last || Math.abs(last.box.top - box.top) > 2) lines.push({ text: node.data[i], box });
    else if (box.right < end + 0.5) last.text += node.data[i];
    else last.text = last.text.replace(/[^…]$/u, "…");
  }
  const font = FONT.map((name) => look.getPropertyValue(name));
  for (const { text, box } of lines) {
    const size = measured(text, `${font[3]} ${font[2]} ${font[1]} ${font[0]}`);
    const [above, below] = [size?.fontBoundingBoxAscent ?? 0, size?.fontBoundingBoxDescent ?? 0];
    const style = `white-space:pre;text-decoration:${look.textDecorationLine};${FONT.map((name, i) => `${name}:${font[i]}`).join(";")}`;
    put(into, "text", { x: box.left - left, y: box.top - top + (box.height - above - below) / 2 + above, fill: look.color, style }, text);
  }
}

/** @param {Element} into @param {Element} node @param {number} left @param {number} top the picture's corner on the page */
function draw(into, node, left, top) {
  const look = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  if (look.visibility === "hidden" || look.opacity === "0" || box.width < 2 && box.height < 2 || node.matches(".dl-save,.dl-editwrap,[data-fleeting]")) return;
  const [x, y] = [box.left - left, box.top - top];
  if (node instanceof SVGSVGElement) return putChart(into, node, x, y);
  const own = look.opacity === "1" ? into : put(into, "g", { opacity: look.opacity });
  putBox(own, look, { x, y, width: box.width, height: box.height });
  for (const child of node.childNodes) {
    if (child instanceof Text) putText(own, child, left, top);
    else if (child instanceof Element) draw(own, child, left, top);
  }
}

/**
 * A part of the page on a background of its own, with a title and a note.
 * @param {Element} node @param {string} title @param {string} note @returns {{ text: string, width: number, height: number }}
 */
export function standalone(node, title, note) {
  const box = node.getBoundingClientRect();
  const home = getComputedStyle(node.closest(".dl") ?? node);
  const words = /** @type {const} */ ([[title, 14, 600], [note, 11.5, 400]]).map(([text, size, weight]) => ({ text, size, weight, wide: measured(text, `${weight} ${size}px ${home.fontFamily}`)?.width ?? 0 }));
  const width = Math.ceil(Math.max(box.width, ...words.map((w) => w.wide)) + 2 * PAD);
  const height = Math.ceil(box.height + 2 * PAD + LINE + (note ? LINE : 0));
  const whole = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`, role: "img" })) whole.setAttribute(key, String(value));
  put(whole, "title", {}, note ? `${title}. ${note}` : title);
  put(whole, "rect", { width, height, fill: home.backgroundColor });
  words.forEach(({ text, size, weight }, i) => text && put(whole, "text", { x: PAD, y: i ? height - PAD : PAD + 12, fill: home.color, "font-family": home.fontFamily, "font-size": size, "font-weight": weight, opacity: i ? 0.8 : 1 }, text));
  draw(put(whole, "g", {}), node, box.left - PAD, box.top - PAD - LINE);
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
