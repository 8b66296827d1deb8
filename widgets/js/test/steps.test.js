import assert from "node:assert/strict";
import { test } from "node:test";
import { allSteps, endOf, known, locate, phasesOf, startOf, stepsOfRound } from "../src/logic/steps.js";
import { forkSentence, scheduleFacts, scheduleSentence, settingOf } from "../src/logic/facts.js";
import { overridesOf } from "../src/logic/diff.js";
import { round } from "./trace.js";

const name = (s) => [s.phase, s.k || "", s.sub].filter(Boolean).join(" ");

test("a rejection ends the judged positions, and the residual is the last draw", () => {
  const steps = stepsOfRound(round(0, ["accepted", "rejected", "discarded"], "residual"));
  const accept = steps.filter((s) => s.phase === "accept").map(name);
  assert.deepEqual(accept, ["accept 1", "accept 2", "accept 2 final"]);
});

test("each position has a step for its bias and one for its draw", () => {
  const steps = stepsOfRound(round(0, ["accepted", "accepted"], "bonus")).filter((s) => s.phase === "sequential");
  assert.deepEqual(steps.map(name), ["sequential 1 bias", "sequential 1 draw", "sequential 2 bias", "sequential 2 draw"]);
});

test("a drafter without a head, without confidence, skips those phases", () => {
  const plain = round(0, ["accepted"], "bonus", { position: { p_base: null, bias: null, confidence: null } });
  assert.deepEqual([...phasesOf(plain)], ["prompt", "sequential", "schedule", "verify", "accept", "commit"]);
});

test("without a draft only the target's draw is left", () => {
  assert.deepEqual(stepsOfRound(round(0, [], "bonus")).map(name), ["prompt", "verify", "accept 1 final", "commit"]);
});

test("an accepted end of sequence has no final draw", () => {
  const steps = stepsOfRound(round(0, ["accepted", "discarded"], "none"));
  assert.deepEqual(steps.slice(-2).map(name), ["accept 1", "commit"]);
});

test("stepping reveals and never hides within a round", () => {
  for (const r of [round(0, ["accepted", "rejected", "discarded", "cut"], "residual"), round(0, [], "bonus"), round(0, ["cut", "cut"], "bonus")]) {
    let before = null;
    for (const step of stepsOfRound(r)) {
      const now = known(step, r);
      if (before) for (const key of Object.keys(now)) assert.ok(Number(now[key]) >= Number(before[key]), `${key} at ${name(step)}`);
      before = now;
    }
    assert.equal(before.draft, r.gamma);
    assert.equal(before.verdict, r.gamma);
  }
});

test("discarded positions are known with the rejection that discards them", () => {
  const r = round(0, ["accepted", "rejected", "discarded"], "residual");
  const at = (k) => known({ round: 0, phase: "accept", k, sub: "" }, r).verdict;
  assert.deepEqual([at(1), at(2)], [1, 3]);
});

test("every step is found again by its place", () => {
  const steps = allSteps([round(0, ["accepted", "rejected"], "residual"), round(1, [], "bonus"), round(2, ["accepted", "accepted"], "bonus")]);
  steps.forEach((step, i) => assert.equal(locate(steps, step), i));
});

test("a place that a fork lacks is the nearest before it", () => {
  const steps = allSteps([round(0, ["rejected", "discarded"], "residual")]);
  assert.equal(name(steps[locate(steps, { round: 0, phase: "accept", k: 2, sub: "" })]), "accept 1 final");
  assert.equal(locate(steps, { round: 9, phase: "prompt", k: 0, sub: "" }), steps.length - 1);
});

test("a phase that a round lacks starts at the next one", () => {
  const steps = allSteps([round(0, [], "bonus")]);
  assert.equal(steps[startOf(steps, 0, "sequential")].phase, "verify");
  assert.equal(steps[endOf(steps, 0)].phase, "commit");
});

const PLAN = { policy: "early-break", leaks: false, load: 60, source: "modelled", tokens: 269, theta: 36250.4, length: 1, why: "Admitting x_2 would lower Theta." };

test("a scheduled cut gives the scheduler's own reason, one by hand does not", () => {
  const cut = { ...round(0, ["accepted", "cut"], "bonus"), schedule: PLAN };
  assert.equal(scheduleSentence(cut), PLAN.why);
  assert.match(scheduleSentence({ ...round(0, ["cut", "cut"], "bonus"), schedule: PLAN }), /^Cut after 0: the rest is never sent/);
  assert.equal(scheduleFacts(PLAN), "Algorithm 1 · load 60 · B = 269 tokens in the step · Θ = 36,250 tokens/s expected, by a modelled step rate");
  assert.match(scheduleFacts({ ...PLAN, policy: "mine", leaks: true, load: 0 }), /^mine · leaks/);
});

test("a round that nothing scheduled was verified whole, without a load", () => {
  const plain = round(0, ["accepted"], "bonus");
  assert.deepEqual([settingOf(plain, "policy"), settingOf(plain, "load"), settingOf(plain, "temperature")], ["fixed", 0, 1]);
  const now = { ...round(0, ["cut"], "bonus"), schedule: PLAN };
  const fork = { round: 0, overrides: overridesOf({ settings: { policy: "early-break", load: 60 } }), rounds: [now] };
  assert.match(forkSentence({ rounds: [plain] }, fork), /^You set the policy from verify all to Algorithm 1 and you set the load from 0 to 60;/);
});
