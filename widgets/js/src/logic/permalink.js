// Permalinks: what it takes to see the same rounds again, as a part of the address (see dspark_widgets/permalink.py), and as
// code for a terminal or a notebook.

/** @typedef {import("../contract").Trace} Trace */
/** @typedef {import("../contract").Branch} Branch */
/** @typedef {import("../contract").Cursor} Cursor */
/** @typedef {import("../contract").Permalink} Permalink */

export const VERSION = 1;
/** What an address has before a link. */
export const MARK = "#lab=";

/** @param {import("../contract").ModelInfo} info */
const named = ({ name, kind, revision }) => ({ name, kind, revision });

/**
 * The link to a trace, its forks and a place in them. Forks are numbered as they stand, whatever was deleted between them.
 * @param {Trace} trace @param {Branch[]} branches @param {Cursor} cursor @param {string} view the one that is open below the stepper @returns {Permalink}
 */
export function linkTo(trace, branches, cursor, view) {
  const ids = [0, ...branches.map((b) => b.id)];
  const numberOf = (/** @type {number} */ id) => Math.max(0, ids.indexOf(id));
  return {
    prompt: trace.prompt,
    settings: /** @type {any} */ (trace.settings),
    target: named(trace.target),
    drafter: trace.drafter && named(trace.drafter),
    forks: branches.map((b) => ({ parent: numberOf(b.parent), round: b.round, overrides: /** @type {any} */ (b.overrides) })),
    cursor: { ...cursor, branch: numberOf(cursor.branch), serial: 0 },
    version: VERSION,
    view: /** @type {Permalink["view"]} */ (view),
  };
}

/** JSON in base64url. @param {Permalink} link */
export function encode(link) {
  const bytes = new TextEncoder().encode(JSON.stringify(link));
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The link in an address's fragment, or "". @param {string} hash */
export const linkIn = (hash) => (hash.startsWith(MARK) ? hash.slice(MARK.length) : "");

/** The page's address with a link in it, and without what lets its reader in. @param {string} address @param {Permalink} link */
export function addressOf(address, link) {
  const url = new URL(address);
  url.searchParams.delete("token");
  url.hash = MARK.slice(1) + encode(link);
  return url.href;
}

/** A value as Python writes it; keys of digits are positions. @param {any} value @returns {string} */
function python(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const key = (/** @type {string} */ name) => (/^\d+$/.test(name) ? name : JSON.stringify(name));
  return `{${Object.entries(value).map(([name, item]) => `${key(name)}: ${python(item)}`).join(", ")}}`;
}

const isEmpty = (/** @type {any} */ value) => value === null || (typeof value === "object" && !Object.keys(value).length);

/** @param {Record<string, any>} fields */
const keywords = (fields) => Object.entries(fields).filter(([, value]) => !isEmpty(value)).map(([name, value]) => `${name}=${python(value)}`).join(", ");

const POCKET = "pocket/target";

/** The pair as ``load()`` takes it. @param {Permalink} link @returns {[string, string][]} */
function pair({ target, drafter }) {
  if (target.name !== POCKET) return [["target", target.name], ...(drafter ? [/** @type {[string, string]} */ (["drafter", drafter.name])] : [])];
  return drafter && drafter.kind !== "dspark" ? [["drafter", drafter.kind]] : [];
}

/** The same in Python. @param {Permalink} link */
export function pythonOf(link) {
  const forks = link.forks.length > 0;
  const models = pair(link).map(([name, value]) => `${name}=${python(value)}`).join(", ");
  const pinned = [link.target, link.drafter].flatMap((m) => (m?.revision ? `${m.name} @ ${m.revision}` : []));
  return [
    ...(pinned.length ? [`# made with ${pinned.join(", ")}`] : []),
    `from dspark_lab import ${forks ? "Overrides, " : ""}Settings, load`,
    "",
    `lab = load(${models})`,
    `settings = Settings(${keywords(link.settings)})`,
    `session = lab.session(${python(link.prompt)}, settings${link.drafter ? "" : ", drafter=False"}).run()`,
    ...link.forks.map((f, i) => `fork_${i + 1} = ${f.parent ? `fork_${f.parent}` : "session"}.fork(${f.round}, Overrides(${keywords(f.overrides)})).run()`),
  ].join("\n");
}

/** The original, without forks, for a terminal. @param {Permalink} link */
export function commandOf(link) {
  const quoted = (/** @type {string} */ text) => `'${text.replaceAll("'", "'\\''")}'`;
  const options = Object.entries(link.settings).filter(([, value]) => value !== null)
    .map(([name, value]) => `--${name.replaceAll("_", "-")} ${/^[\w.:+-]+$/.test(String(value)) ? value : quoted(String(value))}`);
  const models = [...pair(link).map(([name, value]) => `--${name} ${quoted(value)}`), ...(link.drafter ? [] : ["--no-drafter"])];
  return ["dspark-lab step", ...options, ...models, "--", quoted(link.prompt)].join(" ");
}
