import assert from "node:assert/strict";
import { test } from "node:test";
import { streamed } from "../src/store.js";
import { round } from "./trace.js";

const none = { run: -1, rounds: [], fork: null };
const made = (/** @type {number[]} */ ...ids) => ids.map((i) => round(i, [], "plain"));
const told = (run, start, ids, fork = null) => ({ type: "rounds", run, start, rounds: made(...ids), fork });
const branch = (id) => ({ id, name: `fork ${id}`, parent: 0, round: 4, overrides: {}, rounds: [] });

test("rounds of a run add up, and another run begins anew", () => {
  const first = streamed(none, told(1, 0, [0]));
  const both = streamed(first, told(1, 1, [1, 2]));
  assert.deepEqual(both.rounds.map((r) => r.index), [0, 1, 2]);
  assert.deepEqual(streamed(both, told(2, 0, [0])).rounds.length, 1);
});

test("a message that does not follow on what is there is told apart", () => {
  assert.equal(streamed(none, told(1, 1, [1])), null);
  assert.equal(streamed(streamed(none, told(1, 0, [0])), told(2, 1, [1])), null);
  assert.equal(streamed(none, told(1, 2, [6], branch(1))), null);
});

test("a fork grows beside the run's rounds, and the next fork takes its place", () => {
  const run = streamed(none, told(1, 0, [0, 1]));
  const fork = streamed(streamed(run, told(1, 0, [4], branch(1))), told(1, 1, [5, 6], branch(1)));
  assert.deepEqual([fork.rounds.length, fork.fork.id, fork.fork.rounds.map((r) => r.index)], [2, 1, [4, 5, 6]]);
  const next = streamed(fork, told(1, 0, [2], branch(2)));
  assert.deepEqual([next.fork.id, next.fork.rounds.map((r) => r.index)], [2, [2]]);
});
