// Sharing: an address that brings back these rounds, their forks and this place; and what an opened one has to say.
import { useEffect, useRef, useState } from "preact/hooks";
import { Failure } from "../draw/failure.js";
import { html } from "../draw/html.js";
import { Popup } from "../draw/popup.js";
import { addressOf, commandOf, linkIn, linkTo, pythonOf } from "../logic/permalink.js";
import { isBusy, sender, useTrait } from "../store.js";
import { SHARE as T } from "../strings.js";

/** @typedef {import("../store.js").Model} Model */

/** Into the clipboard; false where the browser does not let it. @param {HTMLInputElement | HTMLTextAreaElement} field */
async function copy(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    field.select(); // a page that is not served over https has no clipboard, but an old command
    return document.execCommand("copy");
  }
}

/** @param {{ id: string, label: string, text: string, rows: number }} props */
function Copied({ id, label, text, rows }) {
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const [said, setSaid] = useState("");
  const press = async () => setSaid(field.current && (await copy(field.current)) ? T.copied : T.byHand);
  return html`<div class="dl-copied"><label><span class="dl-label">${label}</span>
      <textarea readonly rows=${rows} spellcheck="false" ref=${field} data-testid=${`share-${id}`} value=${text} onFocus=${() => field.current?.select()}></textarea></label>
    <div class="dl-run"><button data-testid=${`copy-${id}`} onClick=${press}>${T.copy}</button><span role="status" data-testid=${`copied-${id}`}>${said}</span></div></div>`;
}

/** @param {{ model: Model }} props */
export function ShareButton({ model }) {
  const [trace] = useTrait(model, "trace");
  const [branches] = useTrait(model, "branches");
  const [cursor] = useTrait(model, "cursor");
  const [preferences] = useTrait(model, "preferences");
  const [status] = useTrait(model, "status");
  const button = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const [open, setOpen] = useState(false);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const content = () => {
    if (!trace) return null;
    const link = linkTo(trace, branches, cursor, preferences.tab);
    const models = [link.target, link.drafter].flatMap((m) => (m ? [`${m.name}${m.revision && ` @ ${m.revision}`}`] : []));
    return html`<p class="dl-menu-head">${T.title}</p><p class="dl-note">${T.holds(models.join(", "))}</p>
      <${Copied} id="link" label=${T.link} text=${addressOf(location.href, link)} rows=${3} />
      <${Copied} id="python" label=${T.python} text=${pythonOf(link)} rows=${5} />
      <${Copied} id="command" label=${link.forks.length ? T.commandPlain : T.command} text=${commandOf(link)} rows=${3} />
      <button data-testid="share-close" onClick=${close}>${T.close}</button>`;
  };
  return html`<span onKeyDown=${(/** @type {KeyboardEvent} */ e) => open && (e.stopPropagation(), e.key === "Escape" && close())}>
    <button class="dl-quiet" ref=${button} data-testid="share" aria-haspopup="dialog" aria-expanded=${open ? "true" : "false"} disabled=${!trace?.rounds.length || isBusy(status)} onClick=${() => setOpen(!open)}>${T.share}</button>
    ${open && button.current && html`<${Popup} anchor=${button.current} kind="menu" wide label=${T.title} onClose=${() => setOpen(false)}>${content()}<//>`}
  </span>`;
}

/** Opens the link in the page's address as soon as there are models, and says what came of it. @param {{ model: Model }} props */
export function OpenedLink({ model }) {
  const [status] = useTrait(model, "status");
  const [info] = useTrait(model, "info");
  const [waiting, setWaiting] = useState(() => linkIn(location.hash));
  useEffect(() => {
    const again = () => setWaiting(linkIn(location.hash));
    addEventListener("hashchange", again);
    return () => removeEventListener("hashchange", again);
  }, []);
  const free = status.state !== "loading" && !isBusy(status);
  useEffect(() => {
    if (!waiting || !free) return;
    sender(model)({ type: "restore", link: waiting });
    setWaiting("");
  }, [waiting, free]);
  const others = info?.made_by ?? [];
  if (status.where === "link" && status.error) return html`<${Failure} testid="link-error" before="${T.failed} " text=${status.error} />`;
  if (waiting) return html`<p class="dl-offer" role="status" data-testid="link-waits">${T.waits}</p>`;
  if (others.length) return html`<p class="dl-offer" role="status" data-testid="link-differs">${T.differs(others.map((m) => `${m.name} @ ${m.revision || m.kind}`).join(", "))}</p>`;
  return null;
}
