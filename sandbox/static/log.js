// The log: one line per event in words, newest last.  A click puts the playhead there.

import { belongs } from "./doors.js";
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
    this.list = html("ol", { tabindex: "0", "aria-label": "Events" });
    this.root.append(html("div", { class: "sandbox-row" }, this.input, this.clear), this.list);
    this.draw();
  }

  draw() {
    const { player } = this;
    const events = (player.stretch ?? player.window)?.events ?? [];
    const { filter } = player;
    this.clear.hidden = !filter;
    this.clear.textContent = filter ? `only: ${filter.name} (show all)` : "";
    const rows = this.matching(events);
    const first = player.window && player.first > 1 ? [html("li", { class: "sandbox-muted" }, `events before ${player.first} are forgotten`)] : [];
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 30;
    const signature = `${rows.at(-1)?.[0]} ${rows.length} ${player.shown?.serial} ${this.input.value} ${filter?.word} ${player.flowing}`;
    if (signature === this.signature) return;
    this.signature = signature;
    this.list.replaceChildren(...(rows.length < MOST ? first : []), ...rows.map((row) => this.line(row)));
    if (player.flowing && !player.window) this.list.append(html("li", { class: "sandbox-muted" }, "flow view: the log goes on when it is calm"));
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
    const here = player.following ? null : this.list.querySelector("[aria-current]");
    if (here) this.reveal(here);
  }

  matching(events) {
    const { filter } = this.player;
    const wanted = this.input.value.trim().toLowerCase();
    const number = /^\d+$/.test(wanted) ? Number(wanted) : null;
    const found = [];
    for (let index = events.length - 1; index >= 0 && found.length < MOST; index -= 1) {
      const row = events[index];
      if (filter && !belongs(row, filter.word)) continue;
      if (number !== null ? row[3] !== number : wanted && !eventWords(row).toLowerCase().includes(wanted)) continue;
      found.push(row);
    }
    return found.reverse();
  }

  /** Scroll the list, and never the page, until a line of it is seen. */
  reveal(line) {
    const [frame, box] = [this.list, line].map((element) => element.getBoundingClientRect());
    this.list.scrollTop += Math.min(0, box.top - frame.top) + Math.max(0, box.bottom - frame.bottom);
  }

  line(row) {
    const isHere = row[0] === this.player.shown?.serial;
    const text = html("bdi", {}, eventWords(row));
    return html(
      "li",
      { "aria-current": isHere ? "step" : null },
      html(
        "button",
        { type: "button", click: () => this.player.seek(row[0]), title: "put the playhead after this event" },
        html("span", { class: "sandbox-muted" }, `${row[0]}  ${clockTime(row[1])}  `),
        text,
      ),
    );
  }
}
