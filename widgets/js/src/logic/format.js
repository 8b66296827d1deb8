// How tokens and numbers are written. Everything here returns plain text; nothing is ever read as HTML.

/** @type {Record<string, string>} */
const NAMED = { "\n": "↵", "\t": "⇥", "\r": "␍" };
// Control, zero-width and bidirectional characters would hide or rearrange text.
// The two private-use characters mark tokens within sentences (TOKEN_START, TOKEN_END).
const HIDDEN = /[\ue000\ue001\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** @param {string} c */
const code = (c) => `⟨${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`;

/** A token on a chip: leading and trailing spaces, line ends and hidden characters made visible. @param {string} text */
export function showToken(text) {
  if (text === "") return "∅";
  const spaced = text.replace(/^ +| +$/g, (spaces) => "␣".repeat(spaces.length));
  return spaced.replace(HIDDEN, (c) => NAMED[c] ?? code(c));
}

/** A token in running text: as it reads, only hidden characters named; line ends stay and show a mark. @param {string} text */
export function flowToken(text) {
  return text.replace(HIDDEN, (c) => (c === "\n" ? "↵\n" : c === "\t" ? "⇥\t" : code(c)));
}

export const TOKEN_START = "\ue000";
export const TOKEN_END = "\ue001";

/** A token in a sentence, set apart by marks that `Rich` turns into type. @param {string} text */
export const plainly = (text) => text.replace(/[\ue000\ue001]/g, "");

/** @param {string} text */
export const quoteToken = (text) => TOKEN_START + showToken(text) + TOKEN_END;

/** A probability: .68, 1, 0, and "<.01" instead of a rounded nought. @param {number | null | undefined} value */
export function prob(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 1) return "1";
  if (value >= 0.9995) return ">.999";
  if (value > 0.99) return value.toFixed(3).slice(1);
  if (value === 0) return "0";
  if (value < 0.0005) return "<.001";
  return value.toFixed(value < 0.0095 ? 3 : 2).replace(/^0/, "");
}

/** A ratio of probabilities, which may be above 1. @param {number} value */
export const ratio = (value) => (value >= 100 ? ">99" : value >= 1 ? value.toFixed(2) : prob(value));

/** Rounded, but never to a 0 or a 1 that it is not. @param {number} value @param {number} digits @returns {string} */
function decimals(value, digits) {
  if (value === 0 || value === 1) return String(value);
  const text = value.toFixed(digits);
  if (Number(text) === 0) return value < 1e-6 ? "<.000001" : String(Number(value.toPrecision(1))).slice(1);
  if (value < 1 && text.startsWith("1")) return digits < 6 ? decimals(value, digits + 1) : ".999999";
  return text.replace(/^0\./, ".");
}

/**
 * Numbers that are to be compared, with as many digits as it takes to tell neighbours apart.
 * @param {number[]} values
 */
export function apart(...values) {
  for (let digits = 2; digits <= 7; digits++) {
    const written = values.map((value) => decimals(value, digits));
    if (written.every((text, i) => i === 0 || text !== written[i - 1] || values[i] === values[i - 1])) return written;
  }
  return values.map((value) => decimals(value, 8));
}

/** A probability in a formula: three significant digits. @param {number | null | undefined} value */
export function fine(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0 || value >= 0.9995) return prob(value);
  if (value >= 0.001) return Number(value.toPrecision(3)).toString().replace(/^0\./, ".");
  return value < 1e-6 ? "<.000001" : Number(value.toPrecision(2)).toFixed(7).replace(/0+$/, "").replace(/^0\./, ".");
}

/** A logit with its sign. @param {number} value */
export function signed(value) {
  const size = Math.abs(value);
  return size < 0.005 ? "±0" : (value < 0 ? "−" : "+") + size.toFixed(size < 0.05 ? 2 : 1);
}

/** @param {number} value @param {number} [digits] */
export const fixed = (value, digits = 1) => value.toFixed(digits);

/** Writers of numbers with so many decimals: each takes longer to make than to use a hundred times. @type {Intl.NumberFormat[]} */
const WRITERS = [];
/** @param {number} value @param {number} digits */
const grouped = (value, digits) => (WRITERS[digits] ??= new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })).format(value);

/** A count: 36,250. @param {number} value */
export const whole = (value) => grouped(Math.round(value), 0);

/** Rates of any size, with as many digits as it takes to tell neighbours apart. @param {number[]} values */
export function figures(...values) {
  const size = Math.max(...values.map(Math.abs), 1e-9);
  for (let digits = Math.max(0, 2 - Math.floor(Math.log10(size))); digits < 7; digits++) {
    const written = values.map((v) => grouped(v, digits));
    if (written.every((text, i) => i === 0 || text !== written[i - 1] || values[i] === values[i - 1])) return written;
  }
  return values.map(String);
}

/** Tokens a second. @param {{tokens: number, seconds: number}} run */
export const rate = (run) => (run.seconds > 0 ? run.tokens / run.seconds : 0);
