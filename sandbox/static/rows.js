// Tables of HTML, in which what is a text is only characters.

import { html } from "./svg.js";

/** @param {(string | Node)[]} cells */
export function row(cells, attributes = {}) {
  const content = (cell) => (typeof cell === "string" ? html("bdi", {}, cell) : cell);
  return html("tr", attributes, ...cells.map((cell) => html("td", {}, content(cell))));
}

/**
 * @param {string[]} names of the columns
 * @param {Node[]} rows
 */
export function table(names, rows) {
  const head = html("tr", {}, ...names.map((name) => html("th", { scope: "col" }, name)));
  return html("table", {}, html("thead", {}, head), html("tbody", {}, ...rows));
}
