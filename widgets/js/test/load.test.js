import assert from "node:assert/strict";
import test from "node:test";
import { emitted, looksOf as looksOfLanes } from "../src/logic/lanes.js";
import { curveOf, kept, looksOf, promises, valueAt } from "../src/logic/load.js";

const point = (load, throughput, speed, more = {}) => ({ load, requests: load, throughput, speed, speed_p50: null, speed_p95: null, budget: 2, tau: 1.5, acceptance: 0.75, waste: 0.5, step_ms: 10, ...more });
const curve = (name, policy, points) => ({ name, drafter: "d", policy, gamma: 5, points, frontier: [] });
const slow = curve("mtp-1", "fixed", [point(1, 100, 100), point(4, 300, 75), point(16, 800, 50)]);
const fast = curve("dspark early-break", "early-break", [point(1, 200, 200), point(4, 500, 125), point(16, 900, 56)]);

test("between simulated loads the value lies on a straight line, beyond them there is none", () => {
  assert.equal(valueAt(slow, "throughput", 4), 300);
  assert.equal(valueAt(slow, "throughput", 10), 550);
  assert.equal(valueAt(slow, "throughput", 1), 100);
  assert.equal(valueAt(slow, "throughput", 17), null);
  assert.equal(valueAt(slow, "throughput", 0.5), null);
  assert.equal(valueAt(slow, "speed_p95", 10), null);
  assert.equal(valueAt({ ...slow, points: [] }, "speed", 1), null);
});

test("a promise is kept with the largest throughput that has the speed, or not at all", () => {
  assert.equal(kept(slow, 60)?.load, 4);
  assert.equal(kept(slow, 10)?.load, 16);
  assert.equal(kept(slow, 101), null);
  assert.equal(kept(fast, 101)?.throughput, 500);
});

test("promises are round, and some contender can keep each", () => {
  const found = promises([slow, fast], 5);
  assert.ok(found.length >= 3 && found.every((s) => s % 10 === 0), String(found));
  assert.ok(found.every((s) => kept(fast, s) !== null || kept(slow, s) !== null), String(found));
  assert.deepEqual(promises([{ ...slow, points: [] }], 5), []);
});

test("every contender has a look of its own", () => {
  const names = ["none", "mtp-1", "dspark early-break", "dspark lagged", "dspark fixed", "dspark fixed:2", "dspark threshold", "dspark global", "mine early-break"];
  const looks = Object.values(looksOf(names)).map((l) => `${l.look} ${l.mark}`);
  assert.equal(new Set(looks).size, names.length, looks.join(", "));
});

test("the page's policy has its curve where it was simulated", () => {
  assert.equal(curveOf([slow, fast], "early-break", true), fast);
  assert.equal(curveOf([slow, fast], "fixed", true), undefined); // MTP-1 always verifies its one token: that is not the page's draft
  const none = curve("none", "fixed:0", []);
  assert.equal(curveOf([none, fast], "early-break", false), none);
  const threshold = curve("dspark threshold", "threshold:0.5", []);
  assert.equal(curveOf([threshold], "threshold", true), threshold);
});

test("lanes of a race look apart, and a block's tokens are those that stayed", () => {
  const names = ["dspark", "dspark-gated", "dspark-rnn", "dflash", "medusa", "early-exit", "prompt-lookup", "eagle3", "mtp", "none"];
  const looks = Object.values(looksOfLanes(names)).map((l) => `${l.look} ${l.mark} ${l.dash}`);
  assert.equal(new Set(looks).size, names.length, looks.join(", "));
  assert.equal(emitted(["accepted", "accepted", "rejected", "residual", "discarded", "cut"].map((kind) => ({ kind }))), 3);
});
