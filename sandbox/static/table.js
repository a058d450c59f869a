// The routing table: the same data as the graph, for narrow places and for whoever prefers rows.

import { Panel } from "./panel.js";
import { label, queueCounts, shown, thousands } from "./phrases.js";
import { html } from "./svg.js";

export class RoutingTable extends Panel {
  constructor(root, player) {
    super(root, player, ["frame", "selected"], { class: "sandbox-table" });
    this.draw();
  }

  draw() {
    const { player } = this;
    if (!player.shown || this.root.hidden) return;
    const next = html("table", {}, head(["exchange", "key", "to", "ready + unacked", "consumers"]), html("tbody", {}, ...this.rows(player.shown)));
    if (!this.content?.isEqualNode(next)) {
      this.content = next;
      this.root.replaceChildren(next);
    }
  }

  rows(state) {
    const rows = [];
    const reached = new Set();
    for (const { binding, taken } of state.bindings.values()) {
      const { source, destination, to_exchange: toExchange } = binding;
      reached.add(destination);
      const target = `${toExchange ? "exchange" : "queue"}:${destination}`;
      rows.push(this.row(`exchange:${source}`, source || "default", binding.routing_key, taken, target, destination, state));
    }
    for (const name of state.queues.keys()) {
      if (!reached.has(name)) rows.push(this.row("", "", "", 0, `queue:${name}`, name, state));
    }
    return rows;
  }

  row(sourceId, source, key, taken, targetId, target, state) {
    const queue = targetId.startsWith("queue:") ? state.queues.get(target) : null;
    const consumers = [...state.consumers.values()].filter((consumer) => queue && consumer.queue === target);
    const cells = [
      sourceId ? this.link(sourceId, source) : "",
      html("span", {}, html("bdi", {}, shown(key)), taken ? ` (${thousands(taken)})` : ""),
      this.link(targetId, target),
      queue ? queueCounts(queue, true) : "",
      html("span", {}, ...consumers.map((consumer) => this.link(`consumer:${consumer.channel}:${consumer.tag}`, consumer.tag))),
    ];
    const isSelected = [sourceId, targetId].includes(this.player.selection);
    return html("tr", { "aria-selected": isSelected ? "true" : null }, ...cells.map((cell) => html("td", {}, cell)));
  }

  link(id, text) {
    return html("button", { type: "button", class: "sandbox-link", click: () => this.player.select(id) }, html("bdi", {}, label(text)));
  }
}

const head = (names) => html("thead", {}, html("tr", {}, ...names.map((name) => html("th", { scope: "col" }, name))));
