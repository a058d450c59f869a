// The log: one line per event in words, newest last.  A click puts the playhead there.

import { belongs } from "./doors.js";
import { Lines } from "./lines.js";
import { Panel } from "./panel.js";
import { clockTime, eventWords } from "./phrases.js";
import { html } from "./svg.js";

const MOST = 200;

export class Log extends Panel {
  constructor(root, player) {
    super(root, player, ["frame", "status", "filtered"], { class: "sandbox-log" });
    this.input = html("input", {
      type: "search",
      placeholder: "queue, message number or word",
      "aria-label": "Filter the log",
      input: () => this.draw(),
    });
    this.clear = html("button", { type: "button", click: () => player.filterBy(null) });
    this.lines = new Lines("Events");
    this.root.append(html("div", { class: "sandbox-row" }, this.input, this.clear), this.lines.root);
    this.draw();
  }

  draw() {
    const { filter, events, first, flowing, following, shown, window } = this.player;
    this.clear.hidden = !filter;
    this.clear.textContent = filter ? `only: ${filter.name} (show all)` : "";
    const ends = [first, events[0]?.[0], events.at(-1)?.[0]];
    const signature = JSON.stringify([...ends, shown?.serial, this.input.value, filter?.word, flowing, following, Boolean(window)]);
    if (signature === this.signature) return;
    this.signature = signature;
    const rows = this.matching(events);
    const isWhole = rows.length < MOST && window && first > 1;
    this.lines.fill(
      ...(isWhole ? [note(`events before ${first} are forgotten`)] : []),
      ...rows.map((row) => this.line(row)),
      ...(flowing && !window ? [note("flow view: the log goes on when it is calm")] : []),
    );
    const here = following ? null : this.lines.root.querySelector("[aria-current]");
    if (here) this.lines.reveal(here);
  }

  matching(events) {
    const { chosen, filter } = this.player;
    const wanted = this.input.value.trim().toLowerCase();
    const number = /^\d+$/.test(wanted) ? Number(wanted) : null;
    const found = [];
    for (let index = events.length - 1; index >= 0 && found.length < MOST; index -= 1) {
      const row = events[index];
      if (filter && !(belongs(row, filter.word) && chosen.has(row[3]))) continue;
      if (number !== null ? row[3] !== number : wanted && !eventWords(row).toLowerCase().includes(wanted)) continue;
      found.push(row);
    }
    return found.reverse();
  }

  line(row) {
    const isHere = row[0] === this.player.shown?.serial;
    const text = html("bdi", {}, eventWords(row));
    return html(
      "li",
      { "aria-current": isHere ? "step" : null },
      html(
        "button",
        { type: "button", "data-key": row[0], click: () => this.player.seek(row[0]), title: "put the playhead after this event" },
        html("span", { class: "sandbox-muted" }, `${row[0]}  ${clockTime(row[1])}  `),
        text,
      ),
    );
  }
}

const note = (text) => html("li", { class: "sandbox-muted" }, text);
