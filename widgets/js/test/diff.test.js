import assert from "node:assert/strict";
import { test } from "node:test";
import { align, assemble, changedFinal, changedRows, changes, emitted, firstEffect, merged, overridesOf } from "../src/logic/diff.js";
import { TRANSLATIONS, speak } from "../src/language.js";
import { forkSentence } from "../src/logic/facts.js";
import ja from "../src/strings.ja.js";
import { position, round, token } from "./trace.js";

const line = (parts) => parts.map((p) => ({ same: " ", a: "-", b: "+" })[p.kind] + p.token.id).join("");

test("aligned texts keep what they share and give both texts back", () => {
  const [a, b] = [[1, 2, 3, 4, 5], [1, 9, 3, 5, 6]].map((ids) => ids.map(token));
  const parts = align(a, b);
  assert.equal(line(parts), " 1-2+9 3-4 5+6");
  assert.deepEqual(parts.filter((p) => p.kind !== "b").map((p) => p.token.id), [1, 2, 3, 4, 5]);
  assert.deepEqual(parts.filter((p) => p.kind !== "a").map((p) => p.token.id), [1, 9, 3, 5, 6]);
});

test("equal, empty and one-sided texts align", () => {
  const a = [1, 2].map(token);
  assert.ok(align(a, a).every((p) => p.kind === "same"));
  assert.equal(line(align(a, [])), "-1-2");
  assert.equal(line(align([], a)), "+1+2");
  assert.deepEqual(align([], []), []);
});

test("a fork of a fork has the rounds of both before its own", () => {
  const original = [0, 1, 2].map((i) => round(i, ["accepted"], "bonus"));
  const first = { id: 1, name: "fork 1", parent: 0, round: 1, overrides: {}, rounds: [round(1, [], "bonus"), round(2, [], "bonus")] };
  const second = { id: 2, name: "fork 2", parent: 1, round: 2, overrides: {}, rounds: [round(2, ["accepted", "accepted"], "bonus")] };
  const shown = assemble(original, [first, second], "original");
  assert.deepEqual(shown.map((b) => b.rounds.map((r) => r.gamma)), [[1, 1, 1], [1, 0, 0], [1, 0, 2]]);
  assert.equal(emitted(shown[2].rounds).length, 6);
});

test("a fork that is being run comes last, with the rounds it has by then", () => {
  const original = [0, 1, 2].map((i) => round(i, ["accepted"], "bonus"));
  const growing = { id: 1, name: "fork 1", parent: 0, round: 1, overrides: {}, rounds: [round(1, [], "bonus")] };
  const shown = assemble(original, [], "original", growing);
  assert.deepEqual(shown.map((b) => [b.id, b.rounds.length, b.growing]), [[0, 3, false], [1, 2, true]]);
  assert.ok(assemble(original, [growing], "original").every((b) => !b.growing));
});

test("changes made by hand add up over forks of one round", () => {
  const old = overridesOf({ uniforms: { "accept:1": 0.1 }, verify_length: 3 });
  const both = merged(old, overridesOf({ uniforms: { "accept:1": 0.2, "draft:2": 0.3 }, tokens: { 1: 5 } }));
  assert.deepEqual(both.uniforms, { "accept:1": 0.2, "draft:2": 0.3 });
  assert.equal(both.verify_length, 3);
  assert.equal(changes(both), 4);
  assert.equal(changes(overridesOf({})), 0);
});

test("only rows that differ are marked", () => {
  const p = position(1, "rejected", { u_accept: 0.9 });
  assert.deepEqual([...changedRows(position(1, "accepted"), p)], ["u", "verdict"]);
  assert.equal(changedRows(p, p).size, 0);
  assert.equal(changedRows(p, undefined).size, 0);
});

test("the first effect is the leftmost", () => {
  const old = round(0, ["accepted", "rejected", "discarded"], "residual");
  const now = round(0, ["accepted", "accepted", "rejected"], "residual");
  assert.deepEqual(firstEffect(old, now), { what: "verdict", k: 2 });
  assert.deepEqual(firstEffect(old, old), { what: "none", k: 0 });
});

test("the sentence of a fork names the change, the comparison and the verdict", () => {
  const old = round(0, ["rejected", "discarded"], "residual");
  old.positions[0] = position(1, "rejected", { u_accept: 0.9 });
  const now = round(0, ["accepted", "rejected"], "residual");
  now.positions[0] = position(1, "accepted", { u_accept: 0.2 });
  const parent = { id: 0, name: "original", parent: null, round: 0, overrides: overridesOf({}), rounds: [old] };
  const fork = { id: 1, name: "fork 1", parent: 0, round: 0, overrides: overridesOf({ uniforms: { "accept:1": 0.2 } }), rounds: [now] };
  const plain = forkSentence(parent, fork).replace(/[\ue000\ue001]/g, "'");
  assert.equal(plain, "You set u_1 from .90 to .20; u = .20 < p_t/p_d = .80, so '␣t1' is now accepted.");
  TRANSLATIONS.ja = ja;
  speak("ja");
  assert.match(forkSentence(parent, fork), /^u_1 を .90 から .20 /, "a symbol stays a symbol where it comes first");
  speak("en");
  now.positions[0] = position(1, "accepted", { u_accept: 0.2, p_t: 0.002, p_d: 0.0000001 });
  assert.match(forkSentence(parent, fork), /; p_t = .002 ≥ p_d <.000001, so /);
});

test("a final token that differs says so, and rounding alone is no difference", () => {
  const [a, b] = [round(0, ["accepted"], "bonus"), round(0, ["accepted"], "bonus")];
  assert.deepEqual([...changedFinal(a, b)], []);
  assert.deepEqual([...changedFinal(a, undefined)], []);
  b.final = { ...b.final, u: 0.99, kind: "residual", token: token(9) };
  assert.deepEqual([...changedFinal(a, b)], ["token", "u", "verdict"]);
  const [p, q] = [position(1, "accepted", { p_t: 0.5 }), position(1, "accepted", { p_t: 0.5000004 })];
  assert.deepEqual([...changedRows(p, q)], []);
});
