import assert from "node:assert/strict";
import { test } from "node:test";
import { compare, withMark } from "../src/draw/bars.js";
import { apart, fine, flowToken, prob, quoteToken, showToken, signed } from "../src/logic/format.js";
import { token } from "./trace.js";

test("nothing invisible stays invisible", () => {
  assert.equal(showToken("  a "), "␣␣a␣");
  assert.equal(showToken("\n\n"), "↵↵");
  assert.equal(showToken("\u202e\u200b\u0000"), "⟨202E⟩⟨200B⟩⟨0000⟩");
  assert.equal(showToken("\ufffd"), "\ufffd");
  assert.equal(showToken(""), "∅");
  assert.equal(flowToken("a\nb"), "a↵\nb");
  assert.equal(quoteToken("\ue001x"), "\ue000⟨E001⟩x\ue001");
});

test("a probability is never rounded to certainty or to nothing", () => {
  const written = [1, 0.99999, 0.995, 0.68, 0.0123, 0.004, 0.0001, 0, null].map(prob);
  assert.deepEqual(written, ["1", ">.999", ".995", ".68", ".01", ".004", "<.001", "0", "–"]);
  assert.equal(fine(0.00213), ".00213");
  assert.equal(fine(0), "0");
  assert.equal(fine(1), "1");
  assert.deepEqual([0.99989, 0.9994, 0.655].map(fine), [">.999", ".999", ".655"]);
});

test("compared numbers get the digits that tell them apart", () => {
  assert.deepEqual(apart(0.684, 0.314), [".68", ".31"]);
  assert.deepEqual(apart(0.6841, 0.6849), [".684", ".685"]);
  assert.deepEqual(apart(0.2, 0.99999), [".20", ".99999"]);
  assert.deepEqual(apart(0.9992, 0.655), [".999", ".66"], "not .99, which it is not");
  assert.deepEqual(apart(0.9999999, 0.5), [".999999", ".50"]);
  assert.deepEqual(apart(0.0001, 0.95), [".0001", ".95"]);
  assert.deepEqual(apart(0.5, 0.5), [".50", ".50"]);
});

test("biases keep their sign", () => assert.deepEqual([1.94, -0.31, 0.02, -0.001].map(signed), ["+1.9", "−0.3", "+0.02", "±0"]));

test("a drawn token shows even where it is not among the first", () => {
  const head = [0.5, 0.2, 0.1].map((value, i) => ({ token: token(i), value }));
  const mark = { token: token(8), value: 0.01 };
  assert.deepEqual(withMark(head, 3, mark).map((c) => c.token.id), [0, 1, 8]);
});

test("a token outside a head is only bounded, unless the head is everything", () => {
  const target = [{ token: token(1), value: 0.6 }, { token: token(2), value: 0.1 }];
  const draft = [{ token: token(3), value: 1 }];
  const rows = compare(target, draft, { token: token(3), t: 0.02, d: 1 });
  const row = (id) => rows.find((r) => r.token.id === id);
  assert.deepEqual(row(3).t, { value: 0.02, exact: true });
  assert.deepEqual(row(1).d, { value: 0, exact: true });
  assert.equal(compare(target, [{ token: token(3), value: 0.9 }]).find((r) => r.token.id === 3).t.exact, false);
});

test("a small number beside others is rounded, not cut", () => {
  assert.deepEqual(apart(0.001657, 0.5), [".002", ".50"]);
});
