import assert from "node:assert/strict";
import { test } from "node:test";
import { stepsOfRound } from "../src/logic/steps.js";
import { questionOf, scored } from "../src/views/predict.js";
import { round } from "./trace.js";

const SCHEDULE = { policy: "early-break", load: 9, length: 1 };
const asked = (r) => stepsOfRound(r).map((step) => questionOf({ id: 2, rounds: [r] }, step)).filter(Boolean);

test("each verdict is asked for, and the cut where a policy decided it", () => {
  const plain = round(0, ["accepted", "rejected", "discarded"], "residual");
  assert.deepEqual(asked(plain).map((q) => [q.kind, q.k, q.truth]), [["verdict", 1, 1], ["verdict", 2, 0]]);
  const cut = { ...round(0, ["accepted", "cut"], "bonus"), schedule: SCHEDULE };
  assert.deepEqual(asked(cut).map((q) => [q.kind, q.truth]), [["cut", 1], ["verdict", 1]]);
});

test("a cut by hand, or by a policy that sends all, is not asked for", () => {
  const cut = round(0, ["accepted", "cut"], "bonus");
  assert.deepEqual(asked({ ...cut, schedule: { ...SCHEDULE, length: 2 } }).map((q) => q.kind), ["verdict"]);
  assert.deepEqual(asked({ ...round(0, ["accepted"], "bonus"), schedule: { ...SCHEDULE, policy: "fixed" } }).map((q) => q.kind), ["verdict"]);
});

test("questions of a round have names of their own", () => {
  const names = asked({ ...round(0, ["accepted", "accepted", "cut"], "bonus"), schedule: { ...SCHEDULE, length: 2 } }).map((q) => q.name);
  assert.equal(new Set(names).size, 3);
});

test("the score keeps both kinds apart", () => {
  const guess = (kind, right) => ({ kind, right, guess: 0, truth: 0 });
  assert.equal(scored([]), "");
  assert.equal(scored([guess("verdict", true), guess("verdict", false)]), "verdicts 1 of 2 right");
  assert.equal(scored([guess("cut", true), guess("verdict", false)]), "verdicts 0 of 1 right · cuts 1 of 1 right");
});
