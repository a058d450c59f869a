// The ledger: nothing vanishes.  Each number is a button that filters the log and lights the copies.

import { COPY_TERMS, MESSAGE_TERMS, plain, thousands } from "./phrases.js";
import { Panel } from "./panel.js";
import { html } from "./svg.js";

export class LedgerLine extends Panel {
  constructor(root, player) {
    super(root, player, ["frame", "filtered"], { class: "sandbox-ledger", role: "group", "aria-label": "Ledger" });
    this.messages = html("span", { class: "sandbox-sum" });
    this.copies = html("span", { class: "sandbox-sum" });
    this.note = html("span", { class: "sandbox-note", role: "status" });
    this.root.append(html("div", {}, this.messages, this.copies), this.note);
    this.draw();
  }

  draw() {
    const { player } = this;
    if (!player.shown) return;
    const { ledger } = player.shown;
    this.note.textContent = player.flowing
      ? `flow view: ${thousands(Math.round(player.rates.rate))} events a second, numbers exact, tokens not drawn`
      : "";
    const signature = JSON.stringify([ledger, player.filter?.word]);
    if (signature === this.signature) return;
    this.signature = signature;
    if (!ledger.published) {
      this.messages.replaceChildren("nothing published yet");
      this.copies.replaceChildren();
      return;
    }
    const noun = ledger.copies === 1 ? "copy" : "copies";
    this.messages.replaceChildren(...this.sum(ledger, "published", "published", MESSAGE_TERMS));
    this.copies.replaceChildren(...this.sum(ledger, "copies", noun, COPY_TERMS));
  }

  sum(ledger, total, name, terms) {
    const parts = [this.term(total, ledger[total], name), " = "];
    for (const [word, said] of terms) {
      if (!ledger[word]) continue;
      if (parts.length > 2) parts.push(" + ");
      parts.push(this.term(word, ledger[word], said));
    }
    return parts.length > 2 ? parts : [...parts, "0"];
  }

  term(word, count, name) {
    return html(
      "button",
      {
        type: "button",
        "data-term": word,
        "aria-pressed": String(this.player.filter?.word === word),
        title: `show in the log what is ${name}`,
        click: () => this.player.filterBy({ word, name }),
      },
      `${plain(count)} ${name}`,
    );
  }
}
