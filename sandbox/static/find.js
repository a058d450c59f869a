// Large topologies: a search, the neighbourhood of what was found, and lists of what is folded away.

import { Panel } from "./panel.js";
import { label, shown } from "./phrases.js";
import { html } from "./svg.js";

const MANY = 40; // nodes, above which one searches first
const MOST = 100;

export class Find extends Panel {
  constructor(root, player) {
    super(root, player, ["frame", "status"], { class: "sandbox-find", hidden: true });
    this.input = html("input", {
      type: "search",
      placeholder: "find an exchange or a queue",
      "aria-label": "Find an exchange or a queue",
      input: () => this.list(),
      keydown: (event) => event.key === "Enter" && this.found[0] && this.choose(this.found[0]),
    });
    this.count = html("span", { class: "sandbox-muted" });
    this.names = html("div", { class: "sandbox-names", hidden: true });
    this.found = [];
    this.kind = null;
    this.root.append(html("div", { class: "sandbox-row" }, this.input, this.count), this.names);
    this.ends.push(player.on("unfold", (id) => this.unfold(id)));
    this.draw();
  }

  draw() {
    const state = this.player.shown;
    if (!state) return;
    const nodes = state.queues.size + state.exchanges.size;
    this.root.hidden = state.queues.size <= MANY && nodes <= MANY + 8; // 7 exchanges are there from the beginning
    if (this.root.hidden) return;
    const drawn = (this.player.geometry()?.layout.nodes ?? []).filter((node) => node.kind === "queue" || node.kind === "exchange");
    this.count.textContent = `${drawn.length} of ${nodes} exchanges and queues are drawn`;
  }

  /** Open a folded rest: all its names. */
  unfold(id) {
    this.kind = id.slice("fold:".length);
    this.input.value = "";
    this.list();
    this.names.querySelector("button")?.focus();
  }

  list() {
    const wanted = this.input.value.trim().toLowerCase();
    if (!wanted && !this.kind) {
      this.names.hidden = true;
      return;
    }
    const { queues, exchanges } = this.player.shown;
    const all = [
      ...[...exchanges.keys()].filter(Boolean).map((name) => `exchange:${name}`),
      ...[...queues.keys()].map((name) => `queue:${name}`),
    ];
    const drawn = this.player.geometry().nodes;
    const fits = (id) => (wanted ? nameOf(id).toLowerCase().includes(wanted) : id.startsWith(this.kind) && !drawn.has(id));
    const found = all.filter(fits);
    this.found = found.sort((a, b) => nameOf(a).length - nameOf(b).length || (nameOf(a) < nameOf(b) ? -1 : 1)).slice(0, MOST);
    const more = found.length >= MOST ? [html("span", { class: "sandbox-muted" }, "type to narrow the list")] : [];
    this.names.hidden = false;
    this.names.replaceChildren(...this.found.map((id) => this.button(id)), ...more);
    if (!this.found.length) this.names.textContent = `nothing is called ${shown(wanted)}`;
  }

  button(id) {
    const [kind] = id.split(":");
    return html("button", { type: "button", click: () => this.choose(id) }, `${kind} `, html("bdi", {}, label(nameOf(id))));
  }

  choose(id) {
    this.kind = null;
    this.input.value = "";
    this.names.hidden = true;
    this.player.send({ focus: id });
    if (this.player.selection !== id) this.player.select(id);
  }
}

const nameOf = (id) => id.slice(id.indexOf(":") + 1);
