import assert from "node:assert/strict";
import { test } from "node:test";
import { stepSentence } from "../src/logic/facts.js";
import { stepsOfRound } from "../src/logic/steps.js";
import { drafts, refused, walked } from "../src/logic/tree.js";
import { round, token } from "./trace.js";

const node = (id, parent, k, verdict, p_t = 0.2) => ({ parent, k, token: token(id), p_d: 0.5, p_t, verdict });
const tree = {
  nodes: [node(1, -1, 1, "rejected"), node(2, 0, 2, "discarded"), node(3, -1, 1, "accepted"), node(4, 2, 2, "rejected", 0.3), node(5, 2, 2, "rejected", 0.1)],
  verify_length: 5,
  u_accept: [0.3, 0.75],
};
const drawn = { ...round(0, [], "residual"), tree, accepted: 1, final: { ...round(0, [], "residual").final, position: 2 } };

test("nodes come depth first, siblings in their order", () => {
  assert.deepEqual(walked(tree).map((n) => n.token.id), [1, 2, 3, 4, 5]);
  assert.deepEqual(walked({ ...tree, nodes: [tree.nodes[0], node(9, -1, 1, "cut"), node(2, 0, 2, "cut")] }).map((n) => n.token.id), [1, 2, 9]);
});

test("only the children tried last are refused", () => {
  assert.equal(refused(tree, 2).toFixed(6), "0.400000");
  assert.ok(drafts(drawn) && !drafts(round(0, [], "bonus")));
});

test("a tree's round goes from its anchor to its last draw, and says what happened", () => {
  const steps = stepsOfRound(drawn);
  assert.deepEqual(steps.map((s) => s.phase), ["prompt", "verify", "accept", "commit"]);
  const said = steps.map((s) => stepSentence(s, drawn));
  assert.match(said[0], /tree of 5 nodes is drafted/);
  assert.match(said[1], /5 nodes, each attending to its own path/);
  assert.match(said[2], /1 node accepted\. Then u = \S*75\S* ≥ \S*40?\S*, all that p_t gives/);
});
