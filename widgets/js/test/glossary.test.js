import assert from "node:assert/strict";
import { test } from "node:test";
import { ENTRIES, IDS, explain } from "../src/draw/glossary.js";
import { STOPS, bestStep } from "../src/logic/tour.js";
import { GLOSSARY, S, TOUR } from "../src/strings.js";
import { rowsOf } from "../src/views/table.js";
import { search } from "../src/views/glossary.js";
import { position, round, token } from "./trace.js";

test("every term has its words, and every row of the table its term", () => {
  assert.deepEqual([...IDS].sort(), Object.keys(GLOSSARY).sort());
  for (const id of IDS) assert.equal(GLOSSARY[id].filter(Boolean).length, 2, id);
  const rows = IDS.map((id) => ENTRIES[id].row).filter(Boolean);
  for (const row of rowsOf(round(0, ["accepted"], "bonus"))) assert.ok(rows.includes(row), row);
});

test("a term is found by its name, its symbol and its meaning", () => {
  assert.deepEqual(search(""), IDS);
  assert.ok(search("p_d").includes("draft") && search("PD").includes("draft"));
  assert.ok(search("survival").includes("survival"));
  assert.ok(search("χ²").includes("chi"));
  assert.deepEqual(search("no such thing"), []);
});

test("an entry shows its formula before live lines, and its meaning unless there is a note", () => {
  const eq = explain("conf", ["live"], {});
  assert.deepEqual([eq.lines.length, eq.lines[1], eq.ref, eq.note], [2, "live", "eq. 7", GLOSSARY.conf[1]]);
  assert.equal(explain("conf", [], { note: "now" }).note, "now");
});

test("the tour has 8 to 12 stops, each with its words", () => {
  assert.ok(STOPS.length >= 8 && STOPS.length <= 12);
  assert.deepEqual(STOPS.map((s) => s.id).sort(), Object.keys(TOUR.stops).sort());
});

test("the tour's moments are those of the trace", () => {
  const plain = round(0, ["accepted", "accepted"], "bonus");
  const turned = round(1, ["accepted", "rejected", "discarded"], "residual");
  assert.deepEqual(bestStep("verdict", [plain, turned]), { round: 1, phase: "accept", k: 2, sub: "" });
  assert.deepEqual(bestStep("verdict", [plain]), { round: 0, phase: "accept", k: 1, sub: "" });
  assert.equal(bestStep("verdict", []), null);
  assert.equal(bestStep("head", [round(0, ["accepted"], "bonus", { position: { bias: null } })]), null);
  const head = (values) => values.map((value, i) => ({ token: token(i + 1), value }));
  const loud = position(2, "accepted", { token: token(2), base: head([0.9, 0.1]), draft: head([0.1, 0.9]), p_d: 0.9, p_base: 0.1 });
  assert.deepEqual(bestStep("head", [{ ...plain, positions: [plain.positions[0], loud] }]), { round: 0, phase: "sequential", k: 2, sub: "draw" });
  assert.equal(bestStep("confidence", [plain]).phase, "confidence");
});
