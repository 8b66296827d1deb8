// The sentence of a step or of a cell: which words from strings.js, with which numbers.
import { translated } from "../language.js";
import { CAUSE, S, WHY } from "../strings.js";
import { firstEffect } from "./diff.js";
import { apart, fine, prob, quoteToken, signed, whole } from "./format.js";
import { refused } from "./tree.js";

/** @typedef {import("../contract").Round} Round */
/** @typedef {import("../contract").Position} Position */
/** @typedef {import("./steps.js").Step} Step */
/** @typedef {import("./diff.js").Shown} Shown */

/** Token before position k: the anchor or the draft token at k - 1. @param {Round} round @param {number} k */
export const before = (round, k) => (k === 1 ? round.anchor : round.positions[k - 2].token);

/** p_t / p_d of a position's own token. @param {Position} p */
export const quotient = (p) => (p.p_d > 0 ? (p.p_t ?? 0) / p.p_d : Infinity);

/** @param {import("../contract").Choice[]} list @param {number} n */
const listed = (list, n) => list.slice(0, n).map((c) => `${quoteToken(c.token.text)} ${signed(c.value)}`).join(", ");

/** @param {Round} round @param {number} k */
export function biasSentence(round, k) {
  const p = round.positions[k - 1];
  return WHY.bias(k, quoteToken(before(round, k).text), listed(p.biased_up, 2), listed(p.biased_down, 1));
}

/** @param {Position} p */
export function drawSentence(p) {
  const x = quoteToken(p.token.text);
  if (p.forced) return WHY.forced(p.k, x, fine(p.p_d));
  const [low, u, high] = apart(p.cdf[0], p.u_draft, p.cdf[1]);
  return WHY.draw(p.k, u, low, high, x, fine(p.p_d));
}

/** @param {Round} round */
const promptSentence = (round) =>
  WHY.prompt(quoteToken(round.anchor.text), round.context_length, round.gamma, round.tree?.nodes.length ?? 0);

/** @param {Round} round */
export function scheduleSentence(round) {
  if (round.schedule && round.schedule.length === round.verify_length) return translated(round.schedule.why);
  const next = round.positions[round.verify_length];
  if (!next) return WHY.scheduleAll(round.gamma);
  if (next.survival === null || round.schedule) return WHY.scheduleHand(round.verify_length);
  return WHY.scheduleCut(round.verify_length, prob(next.survival));
}

/** Why a position came out as it did. @param {Round} round @param {Position} p @param {boolean} withFinal */
export function verdictSentence(round, p, withFinal = false) {
  const x = quoteToken(p.token.text);
  if (p.verdict === "cut") return WHY.cut(x, round.verify_length);
  if (p.verdict === "discarded") return WHY.discarded(x, round.accepted + (round.final.token ? 1 : 0));
  const q = quotient(p);
  if (q >= 1) {
    const [t, d] = apart(p.p_t ?? 0, p.p_d);
    return WHY.acceptedSure(x, t, d, t === d);
  }
  const [u, r] = apart(p.u_accept ?? 0, q);
  if (p.verdict === "accepted") return WHY.accepted(x, u, r);
  const next = round.final.token;
  if (withFinal && next) return WHY.rejected(x, u, r, quoteToken(next.text), prob(round.final.u));
  return WHY.rejectedEarly(x, u, r, round.verify_length - p.k);
}

/** @param {Round} round */
export function finalSentence(round) {
  const { token, kind, u, position } = round.final;
  if (!token) return WHY.ended(quoteToken((round.emitted[round.emitted.length - 1] ?? round.anchor).text));
  const x = quoteToken(token.text);
  if (round.tree) {
    if (kind !== "residual") return WHY.treeBonus(round.accepted, prob(u), x);
    const [last, mass] = apart(round.tree.u_accept[round.accepted], refused(round.tree, position));
    return WHY.treeResidual(round.accepted, last, mass, prob(u), x);
  }
  if (round.gamma === 0) return WHY.plain(prob(u), x);
  return kind === "residual" ? WHY.residual(prob(u), x, position) : WHY.bonus(prob(u), x, position);
}

/** @param {Round} round */
function commitSentence(round) {
  const end = WHY.commitEnd[/** @type {"" | "eos" | "length"} */ (round.finished)] ?? "";
  return WHY.commit(round.emitted.length, round.cache_after_verify - round.cache_after_commit) + end;
}

/** The sentence of a step. @param {Step} step @param {Round} round */
export function stepSentence(step, round) {
  const { positions: p, gamma } = round;
  switch (step.phase) {
    case "prompt":
      return promptSentence(round);
    case "parallel":
      return WHY.parallel(gamma);
    case "sequential":
      return step.sub === "bias" ? biasSentence(round, step.k) : drawSentence(p[step.k - 1]);
    case "confidence":
      return WHY.confidence(prob(p[0].confidence), prob(p[gamma - 1].survival), gamma);
    case "schedule":
      return scheduleSentence(round);
    case "verify":
      if (round.tree) return WHY.treeVerify(round.tree.verify_length);
      return gamma ? WHY.verify(round.verify_length) : WHY.verifyPlain;
    case "accept":
      return step.sub === "final" ? finalSentence(round) : verdictSentence(round, p[step.k - 1]);
    default:
      return commitSentence(round);
  }
}

/** The sentence of a table cell that is known. @param {string} row @param {number} k @param {Round} round */
export function cellSentence(row, k, round) {
  if (k === 0) return promptSentence(round);
  if (k > round.gamma) return finalSentence(round);
  const p = round.positions[k - 1];
  if (row === "base") return WHY.parallel(round.gamma);
  if (row === "bias") return biasSentence(round, k);
  if (row === "draft" || row === "token") return drawSentence(p);
  if (row === "conf" || row === "survival") return scheduleSentence(round);
  return verdictSentence(round, p, true);
}

/** @param {import("../contract").Token | null | undefined} token */
const named = (token) => (token ? quoteToken(token.text) : CAUSE.nothing);

/** @param {string} name */
export const settingName = (name) => S.settings[/** @type {keyof typeof S.settings} */ (name)] ?? name;

/** What a setting was in a round; a round in which nothing was scheduled verified all, without a load. @param {Round} round @param {string} name */
export function settingOf(round, name) {
  if (name === "policy") return round.schedule?.policy ?? "fixed";
  if (name === "load") return round.schedule?.load ?? 0;
  return /** @type {any} */ (round)[name];
}

/** A setting's value in words. @param {string} name @param {unknown} value */
export const settingText = (name, value) =>
  (name === "policy" && S.policies[/** @type {keyof typeof S.policies} */ (value)]) || (name === "step_rate" && String(value).startsWith("curve:") ? S.drawn : String(value));

/** @param {number} a @param {number} b @returns {[string, string]} */
const apart2 = (a, b) => /** @type {[string, string]} */ (apart(a, b));

/** What the scheduler weighed. @param {import("../contract").Schedule} s */
export const scheduleFacts = (s) =>
  [S.policies[/** @type {keyof typeof S.policies} */ (s.policy)] ?? s.policy, s.leaks && S.leaks, s.load > 0 && S.loadOf(s.load), S.budget(whole(s.tokens), whole(s.theta), translated(s.source))]
    .filter(Boolean).join(" · ");

/** What that rests on. @param {import("../contract").Schedule} s */
export const scheduleGrounds = (s) => [S.rateOf(translated(s.step_rate), translated(s.source)), translated(s.note), s.background && S.loadFrom(translated(s.background))].filter(Boolean).join(" ");

/** One sentence: what the person changed in a fork, and its first effect. @param {Shown} parent @param {Shown} fork */
export function forkSentence(parent, fork) {
  const [old, now] = [parent.rounds[fork.round], fork.rounds[fork.round]];
  if (!old || !now) return "";
  const did = [];
  for (const [k, id] of Object.entries(fork.overrides.tokens)) {
    const p = now.positions[Number(k) - 1];
    const q = old.positions[Number(k) - 1];
    if (p && q && q.token.id !== id) did.push(CAUSE.token(Number(k), named(q.token), named(p.token)));
  }
  for (const [address, value] of Object.entries(fork.overrides.uniforms)) {
    const [purpose, k] = address.split(":");
    const q = old.positions[Number(k) - 1];
    const was = purpose === "draft" ? q?.u_draft : purpose === "accept" ? q?.u_accept : old.final.u;
    if (was === value) continue;
    const short = S.uniformShort[/** @type {keyof typeof S.uniformShort} */ (purpose)];
    const name = purpose === "final" ? short : `${short}_${k}`;
    const [a, b] = was === null || was === undefined ? ["–", prob(value)] : apart(was, value);
    did.push(CAUSE.uniform(name, a, b));
  }
  for (const [k, value] of Object.entries(fork.overrides.confidence)) {
    const [p, q] = [now.positions[Number(k) - 1], old.positions[Number(k) - 1]];
    if (p && q && q.confidence !== null && q.confidence !== value) did.push(CAUSE.confidence(Number(k), ...apart2(q.confidence, value), prob(p.survival)));
  }
  const { verify_length: length, settings } = fork.overrides;
  if (length !== null && length !== old.verify_length) did.push(CAUSE.verify(old.verify_length, length));
  for (const [name, value] of Object.entries(settings)) {
    const rate = name === "step_rate"; // a round names it by what it is, and has none where nothing was scheduled
    const [a, b] = rate ? [translated(old.schedule?.step_rate ?? ""), translated(now.schedule?.step_rate ?? "") || settingText(name, value)] : [settingText(name, settingOf(old, name)), settingText(name, value)];
    if (a !== b) did.push(a ? CAUSE.setting(settingName(name), a, b) : CAUSE.set(settingName(name), b));
  }
  return CAUSE.sentence(did.join(CAUSE.and), effect(old, now, length !== null, fork.overrides.tokens)).replace(/^[a-z](?!_)/, (c) => c.toUpperCase());
}

/** @param {Round} old @param {Round} now @param {boolean} byHand the cut is the reader's own @param {Record<string, number>} put tokens that are */
function effect(old, now, byHand, put) {
  const { what, k } = firstEffect(old, now);
  const [p, q] = [now.positions[k - 1], old.positions[k - 1]];
  if (what === "final") return CAUSE.final(named(old.final.token), named(now.final.token));
  if (what === "token" && k in put) return verdictClause(p);
  if (what === "token") {
    const drafts = CAUSE.token2(k, named(q?.token), named(p.token));
    return p.verdict === "accepted" || p.verdict === "rejected" ? CAUSE.then(drafts, verdictClause(p)) : drafts;
  }
  if (!byHand && old.verify_length !== now.verify_length) return CAUSE.cut(old.verify_length, now.verify_length, whyClause(now));
  if (what === "verdict") return verdictClause(p);
  return settingOf(now, "policy") === "fixed" && Object.keys(now.overrides?.confidence ?? {}).length ? CAUSE.unasked : CAUSE.none;
}

/** The scheduler's reason as a part of a sentence. @param {Round} round */
function whyClause(round) {
  if (!round.schedule || round.schedule.length !== round.verify_length) return "";
  return translated(round.schedule.why).replace(/[.。]$/, "").replace(/^[A-Z](?=[a-z])/, (c) => c.toLowerCase());
}

/** @param {Position} p */
function verdictClause(p) {
  const verdict = S.verdicts[/** @type {keyof typeof S.verdicts} */ (p.verdict)];
  const now = CAUSE.now(quoteToken(p.token.text), verdict);
  if (p.u_accept === null || p.verdict === "discarded" || p.verdict === "cut") return now;
  const q = quotient(p);
  if (q >= 1) return CAUSE.because(["p_t", "p_d"].map((name, i) => `${name} ${apart(p.p_t ?? 0, p.p_d)[i].replace(/^(?=[^<>])/, "= ")}`).join(" ≥ "), now);
  const [u, r] = apart(p.u_accept, q);
  return CAUSE.because(`u = ${u} ${p.verdict === "accepted" ? "<" : "≥"} p_t/p_d = ${r}`, now);
}
