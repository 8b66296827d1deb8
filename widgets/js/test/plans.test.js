import assert from "node:assert/strict";
import { test } from "node:test";
import { overridesOf } from "../src/logic/diff.js";
import { forkSentence } from "../src/logic/facts.js";
import { figures } from "../src/logic/format.js";
import { curveName, curvePoints, placesOf, queueOf, rateAt, redrawn, stopOf, sureOf, sweepOf } from "../src/logic/plans.js";
import { position, round } from "./trace.js";

const PLAN = {
  policy: "early-break", load: 1, start: 10, best: 3,
  schedule: { tokens: 4, length: 1, candidates: 6 },
  path: { n: [1, 2, 3, 4, 6], request: [1, 0, 1, 0, 0], k: [1, 1, 2, 2, 3], survival: [0.9, 0.8, 0.7, 0.6, 0.1], theta: [12, 14, 13, 12, 9] },
};

test("what is admitted is what stands before the stop, and of one's own what the plan sends", () => {
  assert.equal(stopOf(PLAN), 2);
  assert.deepEqual(placesOf(PLAN).map((p) => [p.n, p.own, p.admitted]), [[1, false, true], [2, true, true], [3, false, false], [4, true, false], [6, true, false]]);
  assert.equal(stopOf({ ...PLAN, policy: "threshold:0.5" }), null);
});

test("the queue shows the places next to the stop and one's own wherever they are", () => {
  assert.deepEqual(queueOf(PLAN, 1).map((p) => p.n), [2, 3, 4, 6]);
});

test("a curve drawn by hand is its own name", () => {
  const points = [[1, 123.456789], [64, 80], [512, 0.05]];
  assert.equal(curveName(points), "curve:1=123.46,64=80,512=0.05");
  assert.deepEqual(curvePoints(curveName(points)), [[1, 123.46], [64, 80], [512, 0.05]]);
  assert.equal(curvePoints("roofline:h100:qwen3-4b"), null);
  assert.deepEqual(redrawn([[1, 9], [2, 8]], 1, -4), [[1, 9], [2, 0.001]]);
});

test("between two points the time of a step grows in a straight line", () => {
  const points = [[1, 10], [3, 5]];
  assert.ok(Math.abs(rateAt(points, 2) - 1 / 0.15) < 1e-9);
  assert.deepEqual([1, 3, 99].map((b) => rateAt(points, b)), [10, 5, 5]);
});

const sure = (c) => (verdicts, kind) => {
  const r = round(0, verdicts, kind);
  r.positions = verdicts.map((v, i) => position(i + 1, v, { confidence: c[i] }));
  return r;
};

test("a threshold cuts at the first confidence below it, and tells nothing behind a cut of the round", () => {
  const whole = sure([0.9, 0.4, 0.8])(["accepted", "rejected", "discarded"], "residual");
  const cut = sure([0.9, 0.9, 0.9])(["accepted", "cut", "cut"], "bonus");
  assert.deepEqual([0, 0.5, 0.95].map((t) => sureOf(whole, t)), [3, 1, 0]);
  const silent = round(0, ["accepted"], "bonus", { position: { confidence: null } });
  const found = sweepOf([whole, cut, silent], [0, 0.5, 0.95]);
  assert.deepEqual([found.rounds, found.cut], [2, 1]);
  assert.deepEqual(found.points, [{ threshold: 0, verified: 2, accepted: 1 }, { threshold: 0.5, verified: 1, accepted: 1 }, { threshold: 0.95, verified: 0, accepted: 0 }]);
});

test("no rounds make no NaN", () => {
  assert.deepEqual(sweepOf([], [0]).points, [{ threshold: 0, verified: 0, accepted: 0 }]);
});

test("a changed confidence names the survival, the cut and the scheduler's reason", () => {
  const plan = { policy: "early-break", leaks: false, load: 60, source: "modelled", step_rate: "H100", tokens: 9, theta: 9, length: 1, why: "Admitting x_2 would lower Theta from 9 to 8." };
  const old = { ...sure([0.9, 0.8])(["accepted", "accepted"], "bonus"), schedule: { ...plan, length: 2 } };
  const now = { ...sure([0.9, 0.2])(["accepted", "cut"], "bonus"), schedule: plan };
  now.positions[1].survival = 0.18;
  const fork = { id: 1, parent: 0, round: 0, overrides: overridesOf({ confidence: { 2: 0.2 } }), rounds: [now] };
  assert.equal(forkSentence({ rounds: [old] }, fork), "You put c_2 from .80 to .20, which makes a_2 = .18; the cut moves from 2 to 1: admitting x_2 would lower Theta from 9 to 8.");
});

test("while all is verified, a confidence changes nothing, and it says why", () => {
  const old = sure([0.9])(["accepted"], "bonus");
  const now = { ...sure([0.2])(["accepted"], "bonus"), overrides: { confidence: { 1: 0.2 } } };
  const fork = { round: 0, overrides: overridesOf({ confidence: { 1: 0.2 } }), rounds: [now] };
  assert.match(forkSentence({ rounds: [old] }, fork), /; the round comes out the same: while all is verified, nobody asks/);
});

test("a drawn step rate is named by what it is", () => {
  const at = (title) => ({ ...sure([0.9])(["accepted"], "bonus"), schedule: { policy: "early-break", load: 0, step_rate: title, length: 1, why: "" } });
  const fork = { round: 0, overrides: overridesOf({ settings: { step_rate: "curve:1=9" } }), rounds: [at("a curve drawn by hand")] };
  assert.match(forkSentence({ rounds: [at("roofline of Qwen3-4B")] }, fork), /^You set the step rate from roofline of Qwen3-4B to a curve drawn by hand;/);
});

test("rates are told apart", () => {
  assert.deepEqual(figures(36250.41, 36250.44), ["36,250.41", "36,250.44"]);
  assert.deepEqual(figures(70.123, 75.9), ["70.1", "75.9"]);
  assert.deepEqual(figures(5, 5), ["5.00", "5.00"]);
});
