import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { ENGLISH, speak } from "../src/language.js";
import { S } from "../src/strings.js";

afterEach(() => speak("en"));

test("another language is spoken where the words are read, and English comes back", () => {
  const held = S.themeNames;
  const english = S.language;
  speak("ja");
  assert.notEqual(S.language, english);
  assert.equal(S.themeNames, held, "parts stay the same objects");
  speak("zh");
  assert.notEqual(S.language, english);
  speak("en");
  assert.deepEqual(S, ENGLISH.S);
});
