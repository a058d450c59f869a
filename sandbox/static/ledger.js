// The ledger: nothing vanishes.  Each number is a button that filters the log and lights the copies.

import { COPY_TERMS, MESSAGE_TERMS, shown, thousands } from "./phrases.js";
import { Panel } from "./panel.js";
import { html } from "./svg.js";
import { openTab } from "./tabs.js";

export class LedgerLine extends Panel {
  constructor(root, player) {
    super(root, player, ["frame", "filtered"], { class: "sandbox-ledger", role: "group", "aria-label": "Ledger" });
    this.messages = html("span", { class: "sandbox-sum" });
    this.copies = html("span", { class: "sandbox-sum" });
    this.note = html("span", { class: "sandbox-note" });
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
    const signature = JSON.stringify([ledger, player.filter?.word, !ledger.published && suggestion(player.shown)]);
    if (signature === this.signature) return;
    this.signature = signature;
    if (!ledger.published) {
      this.messages.replaceChildren("nothing published yet");
      this.copies.replaceChildren(...this.invitation(suggestion(player.shown)));
      return;
    }
    const noun = ledger.copies === 1 ? "copy" : "copies";
    this.messages.replaceChildren(...this.sum(ledger, "published", "published", MESSAGE_TERMS));
    this.copies.replaceChildren(...this.sum(ledger, "copies", noun, COPY_TERMS));
  }

  /** What to do next: the line to type, and where there is a form, a button that leads to it. */
  invitation(code) {
    if (!code) return [];
    const lead = () => leadToForm(this.root.closest(".sandbox-dashboard"));
    const button = html("button", { type: "button", class: "sandbox-lead", click: lead }, "publish something");
    return [button, html("code", {}, code)];
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

  /** Show what it counts: in the picture, and in the log. */
  filterBy(filter) {
    this.player.filterBy(filter);
    if (this.player.filter) openTab(this.root, "Log");
  }

  term(word, count, name) {
    return html(
      "button",
      {
        type: "button",
        "data-term": word,
        "aria-pressed": String(this.player.filter?.word === word),
        title: `show in the log what is ${name}`,
        click: () => this.filterBy({ word, name }),
      },
      `${count} ${name}`,
    );
  }
}

/** Show the form that publishes, and go there. */
function leadToForm(dashboard) {
  openTab(dashboard, "Publish");
  requestAnimationFrame(() => dashboard.querySelector(".sandbox-publish-form input")?.focus());
}

/** A line that publishes a message which some queue gets, or nothing if there is no binding. */
function suggestion(state) {
  for (const { binding } of state.bindings.values()) {
    const type = state.exchanges.get(binding.source)?.options.type;
    if (!type || type === "headers" || binding.to_exchange) continue;
    const words = binding.routing_key.split(".").filter((word) => word !== "#" || type !== "topic");
    const key = words.map((word) => (word === "*" && type === "topic" ? "any" : word)).join(".");
    return `broker.publish("hello", exchange=${JSON.stringify(shown(binding.source))}, routing_key=${JSON.stringify(shown(key))})`;
  }
  return "";
}
