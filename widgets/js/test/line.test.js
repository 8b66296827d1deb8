import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { cutOff, watchLine } from "../src/line.js";
import { stillModel } from "../src/store.js";

/** A page whose kernel answers while `python` is up, and whose server says `word`; time passes by `wait`. */
function page() {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setInterval"] });
  const world = { time: 1000, word: /** @type {any} */ ("alive"), python: true, hidden: false, pings: 0 };
  const listeners = new Set();
  const model = {
    ...stillModel({}),
    on: (_, take) => listeners.add(take),
    off: (_, take) => listeners.delete(take),
    send: (message) => {
      world.pings += 1;
      if (world.python) listeners.forEach((take) => take({ type: message.type === "ping" ? "pong" : "" }));
    },
  };
  const told = [];
  const end = watchLine(model, (fault) => told.push(fault), { now: () => world.time, ask: async () => world.word, hidden: () => world.hidden });
  const wait = async (seconds) => {
    for (let i = 0; i < seconds; i++) {
      world.time += 1000;
      mock.timers.tick(1000);
      await new Promise((done) => setImmediate(done));
    }
  };
  return { world, told, wait, end };
}

test("a kernel that answers is asked again and again, and nothing is told", async () => {
  const { world, told, wait, end } = page();
  await wait(60);
  assert.deepEqual(told, []);
  assert.ok(world.pings >= 10 && world.pings <= 16, `${world.pings} questions in a minute`);
  end();
});

test("a busy kernel is never called dead", async () => {
  const { world, told, wait, end } = page();
  world.python = false;
  await wait(12);
  assert.deepEqual(told, []);
  await wait(10);
  assert.deepEqual(told, ["silent"]);
  world.python = true;
  await wait(15);
  assert.deepEqual(told, ["silent", ""]);
  end();
});

test("a server that is gone is told soon, and taken back when it answers again", async () => {
  const { world, told, wait, end } = page();
  Object.assign(world, { python: false, word: "server" });
  await wait(8);
  assert.deepEqual(told, ["server"]);
  Object.assign(world, { python: true, word: "alive" });
  await wait(20);
  assert.deepEqual(told, ["server", ""]);
  end();
});

test("why a kernel ended is told once, and then nobody is asked", async () => {
  for (const word of ["died", "idle", "left", "closed", "unknown"]) {
    const { world, told, wait, end } = page();
    Object.assign(world, { python: false, word });
    await wait(8);
    const { pings } = world;
    await wait(60);
    assert.deepEqual([told, world.pings], [[word], pings]);
    end();
  }
});

test("in a notebook there is no server to ask: only silence shows", async () => {
  const { world, told, wait, end } = page();
  Object.assign(world, { python: false, word: "" });
  await wait(30);
  assert.deepEqual(told, ["silent"]);
  end();
});

test("a hidden page asks nothing", async () => {
  const { world, told, wait, end } = page();
  Object.assign(world, { hidden: true, python: false, word: "died" });
  await wait(100);
  assert.deepEqual([told, world.pings], [[], 0]);
  end();
});

test("a model that is cut off shows what it has and sends nothing", () => {
  const sent = [];
  const model = { ...stillModel({ status: { state: "running", text: "round 3", error: "", where: "" }, run: 4 }), send: (m) => sent.push(m) };
  const cut = cutOff(model);
  assert.deepEqual([cut.get("status").state, cut.get("status").text, cut.get("run")], ["lost", "", 4]);
  cut.send({ type: "stop" });
  cut.set("cursor", { round: 2 });
  assert.deepEqual([sent, model.get("cursor"), model.get("status").state], [[], { round: 2 }, "running"]);
});
