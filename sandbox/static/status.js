// What became of the last thing that was done by hand: the broker's own words, and what helps.

import { Panel } from "./panel.js";
import { shown } from "./phrases.js";
import { html } from "./svg.js";

export class StatusLine extends Panel {
  constructor(root, player) {
    super(root, player, [], { class: "sandbox-status", role: "status", "aria-live": "polite" });
    this.ends.push(player.on("told", (answer) => this.tell(answer)));
    this.root.append(html("span", { class: "sandbox-muted" }, "What is done by hand is answered here."));
  }

  tell(answer) {
    const sign = this.player.sprites.framed(answer.ok ? "confirmed" : "nacked");
    const text = answer.ok ? (answer.notes ?? []).join(" ") || "done" : answer.error;
    const notes = answer.ok ? [] : (answer.notes ?? []).map((note) => html("p", { class: "sandbox-muted" }, shown(note)));
    this.root.replaceChildren(sign, html("strong", {}, shown(text)), ...notes);
  }
}
