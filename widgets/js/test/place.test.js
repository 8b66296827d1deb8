import assert from "node:assert/strict";
import { test } from "node:test";
import { headPeaks, residualOf, rest } from "../src/logic/heads.js";
import { atStep, selected } from "../src/logic/place.js";
import { position, round, token } from "./trace.js";

const CURSOR = { branch: 0, round: 0, phase: "commit", k: 0, sub: "", serial: 0, at: 0, row: "" };
const COMMIT = { round: 0, phase: "commit", k: 0, sub: "" };

test("the place is the chosen one, else the step's own", () => {
  const r = round(0, ["accepted", "rejected", "discarded"], "residual");
  assert.deepEqual(selected(CURSOR, COMMIT, r), { row: "token", k: 2, byHand: false });
  assert.deepEqual(selected({ ...CURSOR, at: 3 }, COMMIT, r), { row: "token", k: 3, byHand: true });
  assert.deepEqual(selected({ ...CURSOR, at: 4, row: "u" }, COMMIT, r), { row: "u", k: 4, byHand: true });
  assert.equal(selected({ ...CURSOR, at: 9 }, COMMIT, r).byHand, false); // another round had that many
  assert.deepEqual(selected(CURSOR, { ...COMMIT, phase: "accept", k: 1 }, r), { row: "verdict", k: 1, byHand: false });
});

test("a step forgets what was chosen", () => {
  const moved = atStep({ ...CURSOR, at: 2, row: "u", branch: 3 }, { ...COMMIT, round: 1 });
  assert.deepEqual([moved.at, moved.row, moved.branch, moved.round], [0, "", 3, 1]);
});

test("all others have what the named ones leave", () => {
  const exact = (value) => ({ value, exact: true });
  assert.ok(Math.abs(rest([exact(0.5), exact(0.3), { value: 0.1, exact: false }]).value - 0.2) < 1e-12);
  assert.equal(rest([exact(1), exact(0.0000001)]).value, 0);
});

test("a residual's share is as recorded, or follows from p_t and p_d, or is not known", () => {
  const p = position(1, "rejected", { overlap: 0.8, residual: [{ token: token(5), value: 0.75 }] });
  const exact = (value) => ({ value, exact: true });
  assert.equal(residualOf(p, 5, exact(0.3), exact(0.1)).value, 0.75);
  assert.ok(Math.abs(residualOf(p, 6, exact(0.3), exact(0.25)).value - 0.25) < 1e-12);
  assert.equal(residualOf(p, 7, exact(0.1), exact(0.3)).value, 0);
  assert.equal(residualOf(position(1, "accepted", { overlap: 1 }), 7, exact(0.1), exact(0.1)), null);
});

test("where the head changes most comes first, with the token that gains", () => {
  const head = (values) => values.map((value, i) => ({ token: token(i + 1), value }));
  const quiet = position(1, "accepted", { base: head([0.5, 0.5]), draft: head([0.48, 0.52]), p_d: 0.48, p_base: 0.5 });
  const loud = position(2, "accepted", { token: token(2), base: head([0.9, 0.1]), draft: head([0.1, 0.9]), p_d: 0.9, p_base: 0.1 });
  const none = position(3, "accepted", { bias: null, base: [], draft: head([1]) });
  const r = { ...round(0, ["accepted"], "bonus"), positions: [quiet, loud, none] };
  const peaks = headPeaks([r], 5);
  assert.equal(peaks.length, 1);
  assert.equal(peaks[0].p.k, 2);
  assert.equal(peaks[0].most.token.id, 2);
  assert.ok(Math.abs(peaks[0].shift - 0.8) < 1e-12);
});
