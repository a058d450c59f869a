// Large topologies: a search, the neighbourhood of what was found, and lists of what is folded away.

import { Panel } from "./panel.js";
import { label, shown, thousands } from "./phrases.js";
import { Roving } from "./roving.js";
import { html } from "./svg.js";

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
    this.roving = new Roving(this.names);
    this.found = [];
    this.kind = null;
    this.root.append(html("div", { class: "sandbox-row" }, this.input, this.count), this.names);
    this.ends.push(player.on("unfold", (id) => this.unfold(id)));
    this.draw();
  }

  draw() {
    const geometry = this.player.shown && this.player.geometry();
    this.root.hidden = !geometry?.folded.length;
    if (this.root.hidden) return;
    const drawn = drawnThings(geometry).length;
    this.count.textContent = `${thousands(drawn)} of ${thousands(drawn + geometry.folded.length)} things are drawn`;
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
    const geometry = this.player.geometry();
    const all = wanted ? [...drawnThings(geometry), ...geometry.folded] : geometry.folded;
    const fits = (id) => (wanted ? nameOf(id).toLowerCase().includes(wanted) : id.startsWith(`${this.kind}:`));
    const byName = (a, b) => nameOf(a).length - nameOf(b).length || (nameOf(a) < nameOf(b) ? -1 : 1);
    const found = all.filter(fits).sort(byName);
    this.found = found.slice(0, MOST);
    const more = found.length > MOST ? [html("span", { class: "sandbox-muted" }, "type to narrow the list")] : [];
    this.names.hidden = false;
    this.roving.fill(...this.found.map((id) => this.button(id)), ...more);
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

const KINDS = ["publisher", "exchange", "queue", "consumer"];

const drawnThings = ({ layout }) => layout.nodes.filter(({ kind }) => KINDS.includes(kind)).map(({ id }) => id);

/** The name in an id; that of a consumer stands behind its channel. */
const nameOf = (id) => id.replace(/^(consumer:\d+|[a-z]+):/, "");
