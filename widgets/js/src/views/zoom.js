// A chart as Plotly's, which can be zoomed and panned: a widget of its own, shown within this view.
import { useEffect, useRef, useState } from "preact/hooks";
import { Failure } from "../draw/failure.js";
import { html } from "../draw/html.js";
import { Icon } from "../draw/icons.js";
import { sender, useTrait } from "../store.js";
import { ZOOM } from "../strings.js";
import { resolve, useTheme } from "../theme.js";

/** @typedef {import("../store.js").Model} Model */
/** @typedef {import("../contract").ZoomRequest["chart"]} ChartName */

/** Asks for a chart; undefined where no kernel could show one. @param {Model} model @returns {((chart: ChartName) => void) | undefined} */
export function useZoom(model) {
  const send = sender(model);
  return model.widget_manager && ((chart) => send({ type: "zoom", chart, dark: resolve(model.get("preferences").theme) === "dark" }));
}

/** The chart asked for. @param {{ model: Model, title: (chart: ChartName) => string }} props */
export function Zoomed({ model, title }) {
  const [zoomed] = useTrait(model, "zoomed");
  const [preferences] = useTrait(model, "preferences");
  const theme = useTheme(preferences.theme);
  const zoom = useZoom(model);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const [failed, setFailed] = useState("");
  const [there, setThere] = useState(false);
  const { chart = "", widget = "" } = zoomed ?? {};
  const name = /** @type {ChartName} */ (chart);
  useEffect(() => {
    if (chart) zoom?.(name); // its colours are Python's to choose
  }, [theme]);
  useEffect(() => {
    if (chart) box.current?.focus();
  }, [chart]);
  useEffect(() => {
    const manager = model.widget_manager;
    if (!widget || !manager) return;
    let gone = false;
    /** @type {any} */
    let view;
    setFailed("");
    manager
      .get_model(widget)
      .then((/** @type {any} */ own) => manager.create_view(own))
      .then((/** @type {any} */ made) => {
        if (gone) return made.remove();
        view = made;
        place.current?.append(made.el);
        setThere(true);
        dispatchEvent(new Event("resize")); // it takes its width from where it stands now
      })
      .catch((/** @type {unknown} */ error) => gone || setFailed(ZOOM.failed(String(error))));
    return () => {
      gone = true;
      view?.remove();
      setThere(false);
    };
  }, [model, widget]);
  if (!chart) return null;
  return html`<section class="dl-zoomed" data-testid="zoomed" data-chart=${chart} tabindex="-1" ref=${box} aria-label=${ZOOM.label(title(name))} onKeyDown=${(/** @type {KeyboardEvent} */ e) => e.stopPropagation()}>
    <p class="dl-note">${ZOOM.how} <button data-testid="zoom-close" onClick=${() => zoom?.("")}><${Icon} name="remove" /> ${ZOOM.close}</button></p>
    ${failed ? html`<${Failure} text=${failed} />` : !there && html`<p class="dl-note" role="status">${ZOOM.coming}</p>`}
    <div ref=${place}></div>
  </section>`;
}
