import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { recallLook, rememberLook } from "../src/remember.js";
import { stillModel } from "../src/store.js";

const AUTO = { theme: "auto", language: "auto", predict: true, speed: 2, tab: "lens" };

/** A browser that keeps what it is given. @param {Record<string, string>} [kept] */
function storage(kept = {}) {
  globalThis.localStorage = { getItem: (name) => kept[name] ?? null, setItem: (name, value) => void (kept[name] = value) };
}
/** What a view of these preferences begins with. */
function begun(preferences) {
  const model = stillModel({ preferences });
  recallLook(model);
  return model.get("preferences");
}

afterEach(() => delete globalThis.localStorage);

test("a view begins in the language and theme that were chosen last, all else as it is", () => {
  storage();
  rememberLook({ ...AUTO, theme: "dark", language: "zh", tab: "race" });
  assert.deepEqual(begun(AUTO), { ...AUTO, theme: "dark", language: "zh" });
  rememberLook({ ...AUTO, theme: "dark" });
  assert.deepEqual(begun(AUTO), { ...AUTO, theme: "dark" }, "as the browser: the language is forgotten");
});

test("what Python asks for stays, and what the browser cannot mean is left out", () => {
  storage({ "dspark-lab.theme": "dark", "dspark-lab.language": "tlh" });
  assert.equal(begun({ ...AUTO, theme: "light" }).theme, "light");
  assert.equal(begun(AUTO).language, "auto");
});

test("without storage, or with nothing in it, nothing is changed", () => {
  assert.equal(begun(AUTO), AUTO);
  rememberLook({ ...AUTO, theme: "dark" });
  storage();
  assert.equal(begun(AUTO), AUTO);
  assert.equal(begun(undefined), undefined);
});
