import assert from "node:assert/strict";
import test from "node:test";
import { linearTicks, logTicks, makeAxis, makeScale, move, nearest, plain, spots, tabled } from "../src/logic/scale.js";

test("ticks are round numbers within the axis, about as many as asked for", () => {
  assert.deepEqual(linearTicks(0, 100, 5), [0, 20, 40, 60, 80, 100]);
  assert.deepEqual(linearTicks(0.13, 0.42, 3), [0.2, 0.3, 0.4]);
  assert.deepEqual(linearTicks(0, 0.3, 3), [0, 0.1, 0.2, 0.3]); // and not 0.30000000000000004
  for (const [low, high] of [[0, 1], [-3, 17], [1234, 98765], [0.0001, 0.00042]]) {
    const ticks = linearTicks(low, high, 5);
    assert.ok(ticks.length >= 3 && ticks.length <= 7, `${low} to ${high}: ${ticks}`);
    assert.ok(ticks.every((t) => t >= low - 1e-9 && t <= high + 1e-9));
  }
});

test("a logarithmic axis has powers of its base, and of ten's the halves where they fit", () => {
  assert.deepEqual(logTicks(1, 256, 9, 2), [1, 2, 4, 8, 16, 32, 64, 128, 256]);
  assert.deepEqual(logTicks(1, 256, 5, 2), [1, 4, 16, 64, 256]);
  assert.deepEqual(logTicks(1, 100, 7, 10), [1, 2, 5, 10, 20, 50, 100]);
  assert.deepEqual(logTicks(1, 1e6, 4, 10), [1, 100, 1e4, 1e6]);
  assert.deepEqual(logTicks(3, 90, 6, 10), [5, 10, 20, 50]);
});

test("an axis widens to round numbers, but not beyond an end that is given", () => {
  assert.deepEqual(makeAxis([3, 97], {}, 5).domain, [0, 100]);
  assert.deepEqual(makeAxis([3, 97], { min: 3 }, 5).domain, [3, 100]);
  assert.deepEqual(makeAxis([3, 97], { log: 10 }, 5).domain, [3, 97]);
  const [low, high] = makeAxis([5, 5], {}, 5).domain;
  assert.ok(low < 5 && high > 5);
  assert.deepEqual(makeAxis([], {}, 5).domain, [0, 1]);
  assert.ok(makeAxis([0, 0, NaN, 4, 9], { log: 10 }, 5).domain[0] === 4); // what has no logarithm is left out
});

test("scales go there and back", () => {
  for (const log of [0, 2, 10]) {
    const scale = makeScale([2, 200], [40, 400], log);
    assert.equal(Math.round(scale(2)), 40);
    assert.equal(Math.round(scale(200)), 400);
    assert.ok(Math.abs(scale.invert(scale(17)) - 17) < 1e-9);
  }
  assert.equal(Math.round(makeScale([1, 100], [0, 100], 10)(10)), 50);
});

test("numbers are written with what digits they need", () => {
  assert.deepEqual([12345.6, 350.4, 42.25, 4.256, 0.05, 0].map(plain), ["12,346", "350", "42.3", "4.26", "0.05", "0"]);
});

const two = [
  { name: "a", points: [{ x: 1, y: 10 }, { x: 2, y: null }, { x: 4, y: 30 }] },
  { name: "guide", still: true, points: [{ x: 1, y: 0 }] },
  { name: "b", points: [{ x: 1, y: 12 }, { x: 2, y: 14 }] },
];

test("only points that are there are read out", () => {
  assert.deepEqual(spots(two), [{ s: 0, i: 0 }, { s: 0, i: 2 }, { s: 2, i: 0 }, { s: 2, i: 1 }]);
  assert.deepEqual(nearest(two, (p) => [p.x, p.y ?? 0], 1, 0), { s: 0, i: 0 });
  assert.deepEqual(nearest(two, (p) => [p.x, p.y ?? 0], 3, 14), { s: 2, i: 1 });
  assert.equal(nearest([], () => [0, 0], 0, 0), null);
});

test("arrows walk along a series and across to the next", () => {
  const at = { s: 0, i: 0 };
  assert.deepEqual(move(two, null, "ArrowRight"), at);
  assert.deepEqual(move(two, at, "ArrowRight"), { s: 0, i: 2 });
  assert.deepEqual(move(two, { s: 0, i: 2 }, "ArrowRight"), { s: 0, i: 2 });
  assert.deepEqual(move(two, { s: 0, i: 2 }, "ArrowDown"), { s: 2, i: 1 });
  assert.deepEqual(move(two, at, "ArrowUp"), { s: 2, i: 0 });
  assert.deepEqual(move(two, at, "End"), { s: 0, i: 2 });
  assert.equal(move(two, at, "x"), null);
  assert.equal(move([], null, "End"), null);
});

test("a table has a row for each x that series share, else one a point", () => {
  assert.deepEqual(tabled([two[0], two[2]]), { pivot: true, rows: [{ name: "", x: 1, ys: [10, 12] }, { name: "", x: 2, ys: [null, 14] }, { name: "", x: 4, ys: [30, null] }] });
  const apart = tabled([{ name: "a", points: [{ x: 1, y: 1 }, { x: 2, y: 2 }] }, { name: "b", points: [{ x: 1.5, y: 1 }, { x: 2.5, y: null }] }]);
  assert.equal(apart.pivot, false);
  assert.deepEqual(apart.rows.map((r) => [r.name, r.x, ...r.ys]), [["a", 1, 1], ["a", 2, 2], ["b", 1.5, 1]]);
});
