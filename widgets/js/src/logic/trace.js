// A branch as a trace of its own, as Python writes it.

/** @typedef {import("../contract").Trace} Trace */

/**
 * What ``Trace.load`` reads: the branch's rounds, the settings that its first round had, and where it left its parent.
 * @param {Trace} trace @param {import("./diff.js").Shown} branch @returns {Trace}
 */
export const traceOf = (trace, branch) => ({
  ...trace,
  settings: { ...trace.settings, ...branch.rounds[0]?.overrides?.settings },
  rounds: branch.rounds,
  forked_at: branch.parent === null ? trace.forked_at : branch.round,
});
