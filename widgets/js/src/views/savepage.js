// The page as one file: its rounds and forks can be stepped through anywhere, without a kernel. Python makes it.
import { useEffect, useState } from "preact/hooks";
import { Act } from "../draw/act.js";
import { html } from "../draw/html.js";
import { download, fileName } from "../draw/save.js";
import { isBusy, isCutOff, sender, useTrait } from "../store.js";
import { S } from "../strings.js";

/** @param {{ model: import("../store.js").Model }} props */
export function SavePage({ model }) {
  const [trace] = useTrait(model, "trace");
  const [status] = useTrait(model, "status");
  const [asked, setAsked] = useState(false);
  useEffect(() => {
    /** @param {import("../contract").PageReply} message */
    const take = (message) => {
      if (message?.type !== "page") return;
      setAsked(false);
      download(`${fileName(trace?.prompt.slice(0, 40) ?? "")}.html`, new Blob([message.html], { type: "text/html" }));
    };
    if (asked) model.on("msg:custom", take);
    return () => model.off("msg:custom", take);
  }, [asked, model, trace]);
  if (model.still || isCutOff(status)) return null;
  return html`<${Act} class="dl-quiet dl-savetext" data-testid="save-page" title=${S.savePageHint} off=${isBusy(status)} onClick=${() => (setAsked(true), sender(model)({ type: "page" }))}>${S.savePage} ↓<//>`;
}
