import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedOf, startShared, stillModel, unhurried } from "../src/store.js";

const idle = () => new Promise((done) => setTimeout(done, 60));

test("views that come second are told of a new place later, and once", async () => {
  const model = stillModel({ cursor: 1, status: 1 });
  const [first, second, status] = [[], [], []];
  const late = unhurried(model);
  const own = () => second.push(late.get("cursor"));
  model.on("change:cursor", () => first.push(model.get("cursor")));
  late.on("change:cursor", own);
  late.on("change:status", () => status.push(late.get("status")));
  model.set("cursor", 2);
  model.set("cursor", 3);
  model.set("status", 2);
  assert.deepEqual([first, second, status], [[2, 3], [], [2]]);
  await idle();
  assert.deepEqual(second, [3]);
  late.set("cursor", 4); // what they set, all others are told at once
  assert.deepEqual(first, [2, 3, 4]);
  late.off("change:cursor", own);
  await idle();
  assert.deepEqual(second, [3]);
});

test("they share what views of the model share", () => {
  const model = stillModel({});
  startShared(model, { load: 3 });
  assert.deepEqual(sharedOf(unhurried(model)), { load: 3 });
});
