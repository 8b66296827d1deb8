import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { MARK, addressOf, commandOf, encode, linkIn, linkTo, pythonOf } from "../src/logic/permalink.js";

/** Shared with tests/widgets/test_permalink.py, which reads the same text. */
const { text, link } = JSON.parse(readFileSync(new URL("permalink.json", import.meta.url), "utf8"));
const trace = { prompt: link.prompt, settings: link.settings, target: { ...link.target, parameters: 5, block_size: null }, drafter: { ...link.drafter, parameters: 1, block_size: 7 } };
const branches = link.forks.map((f, i) => ({ id: [1, 4][i], name: "", parent: [0, 1][f.parent], round: f.round, overrides: f.overrides, rounds: [] }));
const cursor = { ...link.cursor, branch: 4, serial: 12 };

test("a link holds what is shown, its forks numbered as they stand", () => {
  assert.deepEqual(linkTo(trace, branches, cursor, "scheduler"), link);
});

test("its text is what Python reads", () => {
  assert.equal(encode(link), text);
});

test("an address keeps its query, loses its token, and gives the link back", () => {
  const address = addressOf("http://127.0.0.1:8866/page/?theme=dark&token=secret#old", link);
  assert.equal(address, `http://127.0.0.1:8866/page/?theme=dark${MARK}${text}`);
  assert.equal(linkIn(new URL(address).hash), text);
  assert.equal(linkIn("#heading"), "");
});

test("the same in Python, forks and all", () => {
  assert.equal(pythonOf(link), [
    `# made with ${link.target.name} @ ${link.target.revision}, ${link.drafter.name} @ ${link.drafter.revision}`,
    "from dspark_lab import Overrides, Settings, load",
    "",
    "lab = load()",
    `settings = Settings(temperature=0.8, top_k=0, top_p=1, seed=7, max_new_tokens=48, tree=0, policy="fixed", load=0, step_rate="roofline:h100:qwen3-4b")`,
    `session = lab.session("Don't say \\"5 ÷ 2\\" 界\\n", settings).run()`,
    `fork_1 = session.fork(1, Overrides(tokens={3: 17}, uniforms={"accept:1": 0.25})).run()`,
    `fork_2 = fork_1.fork(2, Overrides(verify_length=0, settings={"temperature": 0.5})).run()`,
  ].join("\n"));
  const other = { ...link, forks: [], drafter: null, target: { name: "Qwen/Qwen3-4B", kind: "target", revision: "" } };
  assert.match(pythonOf(other), /^from dspark_lab import Settings, load\n\nlab = load\(target="Qwen\/Qwen3-4B"\)\n[^]*, settings, drafter=False\)\.run\(\)$/);
});

test("in a terminal the prompt stays one word, whatever is in it", () => {
  const command = commandOf({ ...link, drafter: { name: "pocket/dflash", kind: "dflash", revision: "1" } });
  assert.match(command, /^dspark-lab step --temperature 0\.8 .* --max-new-tokens 48 .* --drafter 'dflash' -- 'Don'\\''t say "5 ÷ 2" 界\n'$/);
  assert.match(commandOf({ ...link, drafter: null }), / --no-drafter -- /);
});
