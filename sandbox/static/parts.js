// The regions of a view, by name; each draws into an element until it is told to end.

import { Aloud } from "./aloud.js";
import { Band } from "./band.js";
import { ClockBar } from "./clock.js";
import { Find } from "./find.js";
import { Graph } from "./graph.js";
import { Inspector } from "./inspector.js";
import { LedgerLine } from "./ledger.js";
import { Log } from "./log.js";
import { ProgramText } from "./program.js";
import { Presses } from "./presses.js";
import { StatusLine } from "./status.js";
import { Strips } from "./strips.js";
import { PictureButtons } from "./picture.js";
import { html } from "./svg.js";
import { RoutingTable } from "./table.js";

const NARROWEST = 500; // px: below, rows instead of a graph

const PARTS = {
  clock: (root, player) => [new ClockBar(root, player)],
  graph: (root, player, scale) => [new Find(root, player), ...graphOrTable(root, player, scale), new Aloud(root, player)],
  ledger: (root, player) => [new LedgerLine(root, player)],
  band: (root, player) => [new Band(root, player)],
  depth: (root, player, scale) => [new Strips(root, player, scale)],
  inspector: (root, player) => [new Inspector(root, player)],
  log: (root, player) => [new Log(root, player)],
  program: (root, player) => [new ProgramText(root, player)],
  status: (root, player, scale, model) => [new StatusLine(root, player), new Presses(root, player, model)],
};

/**
 * Show regions one below the other.
 * @param {HTMLElement} element
 * @param {import("./player.js").Player} player
 * @param {string[]} names
 * @param {any} model of the view
 * @returns {() => void} what ends them; may be called again
 */
export function show(element, player, names, scale = 1, model = null) {
  const root = html("div", { class: "sandbox-view" });
  root.style.setProperty("--sandbox-scale", String(scale));
  element.append(root);
  const parts = names.flatMap((name) => PARTS[name](root, player, scale, model));
  return () => {
    for (const part of parts.splice(0)) part.end();
    root.remove();
  };
}

/** The graph, or the routing table where there is no room or somebody wants it. */
function graphOrTable(root, player, scale) {
  const button = html("button", { type: "button", "aria-pressed": "false", title: "the same as rows" }, "Routing table");
  const place = html("div", {});
  root.append(place);
  const buttons = new PictureButtons(root, player, button);
  const graph = new Graph(place, player, scale);
  const table = new RoutingTable(place, player);
  let wanted = false;
  const choose = () => {
    const width = root.clientWidth;
    const asTable = wanted || (width > 0 && width < NARROWEST);
    graph.root.style.display = asTable ? "none" : "";
    table.root.hidden = !asTable;
    button.setAttribute("aria-pressed", String(asTable));
    if (asTable) table.draw();
  };
  button.addEventListener("click", () => {
    wanted = !wanted;
    choose();
  });
  const sizes = new ResizeObserver(choose);
  sizes.observe(root);
  choose();
  return [graph, table, buttons, { end: () => sizes.disconnect() }];
}
