// Changing one thing: a token, a draw, a confidence, the verify length, the temperature. Changes gather below the table until the fork.
import { useRef, useState } from "preact/hooks";
import { compare } from "../draw/bars.js";
import { Failure } from "../draw/failure.js";
import { Act } from "../draw/act.js";
import { html } from "../draw/html.js";
import { Icon } from "../draw/icons.js";
import { NumberInput } from "../draw/number.js";
import { written } from "../draw/pairs.js";
import { Rich } from "../draw/rich.js";
import { Popup } from "../draw/popup.js";
import { changes, overridesOf } from "../logic/diff.js";
import { quotient, settingName, settingOf, settingText } from "../logic/facts.js";
import { prob, quoteToken, showToken } from "../logic/format.js";
import { stages } from "../logic/steps.js";
import { S } from "../strings.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../logic/diff.js").Overrides} Overrides */
/** @typedef {import("../logic/steps.js").Known} Known */
/** @typedef {import("./changes.js").Changes} Edits */
/** @typedef {Edits["cells"]} CellEdits */
/** @typedef {"draft" | "accept" | "final"} Purpose */

/** Tokens that can be put at a position: the drafter's and, once verified, the target's. @param {Round} round @param {number} k */
const candidates = (round, k) => compare(round.positions[k - 1].target, round.positions[k - 1].draft, undefined, 10);

/** @param {{ round: Round, k: number, edits: CellEdits, onClose: () => void }} props */
function TokenMenu({ round, k, edits, onClose }) {
  const own = round.positions[k - 1].token.id;
  /** @param {number} id */
  const pick = (id) => () => {
    /** @type {Record<string, number>} */
    const tokens = { ...edits.tokens, [k]: id };
    if (id === own) delete tokens[k];
    edits.change({ tokens });
    onClose();
  };
  return html`<p class="dl-menu-head">${S.editTokenHead(k)}</p>
    <ul class="dl-menu-list">${candidates(round, k).map(
      ({ token, d, t }) => html`<li><button data-testid=${`pick-token-${token.id}`} aria-current=${token.id === own ? "true" : undefined} onClick=${pick(token.id)}>
        <span class="dl-tok">${showToken(token.text)}</span><span class="dl-num dl-c-draft"><${Rich} text="p_d" /> ${written(d)}</span>
        ${round.positions[k - 1].verified && html`<span class="dl-num dl-c-target"><${Rich} text="p_t" /> ${written(t)}</span>`}
      </button></li>`,
    )}</ul>`;
}

/** Value of a uniform as it was in the round. @param {Round} round @param {Purpose} purpose @param {number} k */
export const uniformOf = (round, purpose, k) =>
  purpose === "final" ? round.final.u : purpose === "draft" ? round.positions[k - 1].u_draft : round.positions[k - 1].u_accept;

/** @param {{ round: Round, purpose: Purpose, k: number, edits: CellEdits, onClose: () => void }} props */
function UniformMenu({ round, purpose, k, edits, onClose }) {
  const address = `${purpose}:${k}`;
  const value = edits.uniforms[address] ?? uniformOf(round, purpose, k) ?? 0.5;
  /** @param {number} next */
  const change = (next) => edits.change({ uniforms: { ...edits.uniforms, [address]: next } });
  const name = S.uniformNames[purpose](k);
  const limit = purpose === "accept" ? Math.min(1, quotient(round.positions[k - 1])) : null;
  return html`<p class="dl-menu-head">${S.editUniform(name)}</p>
    <div class="dl-menu-row">
      <input type="range" min="0" max="0.999" step="0.001" value=${value} aria-label=${name} onInput=${(/** @type {any} */ e) => change(Number(e.target.value))} />
      <${NumberInput} min="0" max="0.999999" step="0.01" value=${Number(value.toFixed(6))} aria-label=${`${name}, ${S.uniformValue}`} data-testid="uniform-value" onChange=${change} />
    </div>
    ${limit !== null && html`<p class="dl-note">${S.uniformHint(limit >= 1 ? "1" : limit.toFixed(3))}</p>`}
    <button data-testid="edit-done" onClick=${onClose}>${S.done}</button>`;
}

/** Confidences end before 0 and 1, where their logits would not. */
export const SURE = { min: 0.001, max: 0.999 };

/** The confidences with c_k put there by hand, or taken back. @param {Overrides["confidence"]} confidence @param {number} k @param {number | null} c @returns {Overrides["confidence"]} */
export function withConfidence(confidence, k, c) {
  const { [k]: _, ...others } = confidence;
  return c === null ? others : { ...others, [k]: Math.max(SURE.min, Math.min(SURE.max, c)) };
}

/** @param {{ round: Round, k: number, edits: CellEdits, onClose: () => void }} props */
function ConfidenceMenu({ round, k, edits, onClose }) {
  const own = round.positions[k - 1].confidence ?? 0.5;
  const value = edits.confidence[k] ?? own;
  const name = S.confidenceName(k);
  const change = (/** @type {number} */ next) => edits.change({ confidence: withConfidence(edits.confidence, k, next) });
  return html`<p class="dl-menu-head">${S.editUniform(name)}</p>
    <div class="dl-menu-row">
      <input type="range" ...${SURE} step="0.001" value=${value} aria-label=${name} onInput=${(/** @type {any} */ e) => change(Number(e.target.value))} />
      <${NumberInput} ...${SURE} step="0.01" value=${Number(value.toFixed(4))} aria-label=${`${name}, ${S.confidenceValue}`} data-testid="confidence-value" onChange=${change} />
    </div>
    <p class="dl-note">${S.confidenceHint(prob(own))}</p>
    <button data-testid="edit-done" onClick=${onClose}>${S.done}</button>`;
}

/** What a table cell lets be changed. @param {string} row @param {number} k @param {Round} round @param {Known} now */
function editOf(row, k, round, now) {
  const p = round.positions[k - 1];
  if (row === "token" && p && k <= now.draft) return { purpose: null, id: `edit-token-${k}` };
  if (row === "conf" && p && now.confidence && p.confidence !== null) return { purpose: null, id: `edit-conf-${k}` };
  if (row === "draft" && p && k <= now.draft) return { purpose: /** @type {Purpose} */ ("draft"), id: `edit-u-draft-${k}` };
  if (row === "u" && p && p.verified && k <= now.verdict) return { purpose: /** @type {Purpose} */ ("accept"), id: `edit-u-accept-${k}` };
  if (row === "u" && !p && round.final.token && now.final) return { purpose: /** @type {Purpose} */ ("final"), id: "edit-u-final-0" };
  return null;
}

/** @param {{ row: string, k: number, round: Round, now: Known, edits: CellEdits, onOpen: () => void }} props */
export function EditButton({ row, k, round, now, edits, onOpen }) {
  const button = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const [open, setOpen] = useState(false);
  const edit = editOf(row, k, round, now);
  if (!edit) return null;
  const { purpose } = edit;
  const place = purpose === "final" ? 0 : k;
  const sure = row === "conf";
  const value = purpose ? edits.uniforms[`${purpose}:${place}`] : sure ? edits.confidence[k] : edits.tokens[String(k)];
  const name = purpose ? S.editUniform(S.uniformNames[purpose](place)) : sure ? S.editUniform(S.confidenceName(k)) : S.editToken(k);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const shown = value === undefined ? "" : purpose || sure ? prob(value) : showToken(candidates(round, k).find((c) => c.token.id === value)?.token.text ?? String(value));
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    if (event.key === "Escape") close();
    if (event.key === "Escape" || event.key.startsWith("Arrow") || event.key === " ") event.stopPropagation();
  };
  return html`<span class="dl-editwrap" onClick=${(/** @type {Event} */ e) => e.stopPropagation()} onKeyDown=${keys}>
    ${shown && html`<span class="dl-pending">→ <span class="dl-tok">${shown}</span></span>`}
    <button ref=${button} class="dl-edit" tabindex="-1" data-testid=${edit.id} disabled=${!edits.live} aria-label=${name}
      title=${edits.live ? name : edits.why} aria-haspopup="dialog" aria-expanded=${open ? "true" : "false"} onClick=${() => (onOpen(), setOpen(!open))}><${Icon} name="edit" /></button>
    ${open && button.current && html`<${Popup} anchor=${button.current} kind="menu" label=${name} onClose=${() => setOpen(false)}>
      ${purpose ? html`<${UniformMenu} round=${round} purpose=${purpose} k=${place} edits=${edits} onClose=${close} />` : html`<${sure ? ConfidenceMenu : TokenMenu} round=${round} k=${k} edits=${edits} onClose=${close} />`}
    <//>`}
  </span>`;
}

/** The pending changes as a list of what, shown value, and the changes without it. @param {Round} round @param {Overrides} o */
export function pending(round, o) {
  const list = [];
  for (const [k, id] of Object.entries(o.tokens)) {
    const token = candidates(round, Number(k)).find((c) => c.token.id === id)?.token;
    const { [k]: _, ...tokens } = o.tokens;
    list.push({ what: `x_${k}`, value: token ? quoteToken(token.text) : String(id), without: { ...o, tokens } });
  }
  for (const [address, value] of Object.entries(o.uniforms)) {
    const [purpose, k] = address.split(":");
    const { [address]: _, ...uniforms } = o.uniforms;
    const name = S.uniformShort[/** @type {Purpose} */ (purpose)] + (k === "0" ? "" : `_${k}`);
    list.push({ what: name, value: prob(value), without: { ...o, uniforms } });
  }
  for (const [k, c] of Object.entries(o.confidence)) list.push({ what: `c_${k}`, value: prob(c), without: { ...o, confidence: withConfidence(o.confidence, Number(k), null) } });
  if (o.verify_length !== null) list.push({ what: S.verifyLength, value: String(o.verify_length), without: { ...o, verify_length: null } });
  for (const [name, value] of Object.entries(o.settings)) {
    const { [name]: _, ...settings } = o.settings;
    list.push({ what: settingName(name), value: settingText(name, value), without: { ...o, settings: name === "policy" ? { ...settings, policy: settingOf(round, name) } : settings } });
  }
  return list;
}

/** A policy of those offered, or the one that is set. @param {{ id: string, value: string, disabled?: boolean, onChange: (value: string) => void }} props */
export function PolicyChoice({ id, value, disabled, onChange }) {
  const names = S.offered.includes(value) ? S.offered : [...S.offered, value];
  return html`<select data-testid=${id} disabled=${disabled} value=${value} onChange=${(/** @type {any} */ e) => onChange(e.target.value)}>
    ${names.map((name) => html`<option value=${name} selected=${name === value}>${S.policies[/** @type {keyof typeof S.policies} */ (name)] ?? name}</option>`)}
  </select>`;
}

/** Without settings that are as they were. @param {Round} round @param {Overrides} o @returns {Overrides} */
export const really = (round, o) => ({ ...o, settings: Object.fromEntries(Object.entries(o.settings).filter(([name, value]) => settingOf(round, name) !== value)) });

/**
 * What was changed, each to be taken back, and the fork that runs it. ``value`` is what is forked with, where that is more than was changed.
 * @param {{ round: Round, edits: Edits, value?: Overrides, hint: string, id?: string, children?: any }} props
 */
export function Pending({ round, edits, value = edits.value, hint, id = "apply-fork", children }) {
  const { change, live, busy, forking, error } = edits;
  const made = really(round, value);
  const list = pending(round, made);
  return html`<div class="dl-whatif-row">${children}
      ${list.map((item) => html`<span class="dl-pendingchip" key=${item.what}><${Rich} text=${S.pending(item.what, item.value)} />
        <button class="dl-quiet" aria-label=${S.remove(item.what)} onClick=${() => change(item.without)}><${Icon} name="remove" /></button></span>`)}
      <span class="dl-grow"></span>
      ${list.length > 0 && html`<button onClick=${() => change(overridesOf(null))}>${S.clear}</button>`}
      <${Act} class="dl-primary" data-testid=${id} off=${!live || busy || changes(made) === 0} onClick=${() => edits.fork(made)}><${Icon} name="fork" /> ${forking ? S.forking : S.fork}<//>
    </div>
    ${error ? html`<${Failure} text=${error} />` : html`<p class="dl-note"><${Rich} text=${live ? hint : edits.why} /></p>`}`;
}

/** @param {{ round: Round, edits: Edits, secret: boolean }} props the cut is a ``secret`` while it is to be guessed */
export function WhatIf({ round, edits, secret }) {
  const { value, live } = edits;
  const verify = value.verify_length ?? round.verify_length;
  /** @param {number} length */
  const cut = (length) => () => edits.change({ verify_length: length === round.verify_length ? null : length });
  /** @param {string} name @param {number | string} next */
  const change = (name, next) => {
    const { [name]: _, ...others } = value.settings;
    edits.change({ settings: next === settingOf(round, name) ? others : { ...others, [name]: next } });
  };
  const policy = String(value.settings.policy ?? settingOf(round, "policy"));
  const load = Number(value.settings.load ?? settingOf(round, "load"));
  return html`<section class="dl-whatif" aria-label=${S.whatIf}>
    <h2 class="dl-label">${S.whatIf}</h2>
    <${Pending} round=${round} edits=${edits} hint=${stages(round).confidence ? S.forkHint : S.forkHintPlain}>
      ${round.gamma > 0 && !secret && html`<span class="dl-stepperbox" role="group" aria-label=${S.verifyLength}><${Icon} name="cut" /> ${S.verifyLength}
        <${Act} class="dl-icon" data-testid="verify-less" aria-label=${`${S.verifyLength} ${verify - 1}`} off=${!live || verify <= 0} onClick=${cut(verify - 1)}>−<//>
        <output class="dl-num" data-testid="verify-length">${verify}</output>
        <${Act} class="dl-icon" data-testid="verify-more" aria-label=${`${S.verifyLength} ${verify + 1}`} off=${!live || verify >= round.gamma} onClick=${cut(verify + 1)}>+<//>
        <span class="dl-note">${S.verifyOf(round.gamma)}</span></span>`}
      <label class="dl-stepperbox">${S.temperature} <${NumberInput} min="0" max="5" step="0.1" data-testid="fork-temperature" disabled=${!live}
        value=${value.settings.temperature ?? round.temperature} onChange=${(/** @type {number} */ next) => change("temperature", next)} /> <span class="dl-note">${S.fromHere}</span></label>
      ${stages(round).confidence && html`<label class="dl-stepperbox">${S.policy} <${PolicyChoice} id="fork-policy" value=${policy} disabled=${!live} onChange=${(/** @type {string} */ next) => change("policy", next)} /></label>
        <label class="dl-stepperbox" title=${S.loadName}>${S.load} <input type="range" min="0" max="256" step="1" data-testid="fork-load" disabled=${!live} value=${Math.min(256, load)} aria-label=${S.loadName}
          onInput=${(/** @type {any} */ e) => change("load", Number(e.target.value))} /> <output class="dl-num">${load}</output></label>`}
    <//>
  </section>`;
}
