// What happens, told to a screen reader: one summary every two seconds at most, every ten in flow view.

import { counted, shown } from "./phrases.js";
import { html } from "./svg.js";

const PAUSE = 2000;
const FLOW_PAUSE = 10000;

export class Aloud {
  constructor(root, player) {
    this.player = player;
    this.region = html("div", { class: "sandbox-aloud", "aria-live": "polite" });
    this.passed = [];
    root.append(this.region);
    this.ends = [
      player.on("passed", (row) => this.passed.push(row) && this.later()),
      player.on("frame", () => player.flowing && this.later()),
    ];
  }

  end() {
    for (const end of this.ends) end();
    clearTimeout(this.timer);
  }

  later() {
    this.timer ??= setTimeout(() => this.tell(), this.player.flowing ? FLOW_PAUSE : PAUSE);
  }

  tell() {
    this.timer = null;
    const text = this.player.flowing ? this.numbers() : summary(this.passed);
    this.passed = [];
    if (text) this.region.textContent = text;
  }

  numbers() {
    const { ledger } = this.player.shown;
    return `${counted(ledger.published, "message")} published, ${ledger.ready} ready, ${ledger.unacked} unacked`;
  }
}

/** "3 messages to eu, 1 lost" */
function summary(rows) {
  const counts = new Map();
  const add = (text) => counts.set(text, (counts.get(text) ?? 0) + 1);
  for (const [, , kind, , , source, target] of rows) {
    if (kind === "routed") add(`to ${shown(target[1])}`);
    else if (kind === "delivered" || kind === "sent") add(`sent to ${shown(target[3] || "a get")}`);
    else if (SAID[kind]) add(`${SAID[kind]} ${shown(source?.[1] ?? "")}`.trim());
  }
  return [...counts].slice(0, 6).map(([text, count]) => `${counted(count, "message")} ${text}`).join(", ");
}

const SAID = {
  lost: "lost at",
  returned: "returned from",
  acked: "done of",
  requeued: "back from",
  expired: "expired in",
  dead_lettered: "dead-lettered from",
  dropped: "dropped from",
  rejected: "rejected from",
  refused: "refused at",
};
