// The routing table: the same data as the graph, for narrow places and for whoever prefers rows.

import { emptiness } from "./empty.js";
import { Panel } from "./panel.js";
import { keyWords, label, lostNote, queueCounts, shown, thousands } from "./phrases.js";
import { Publishers } from "./publishers.js";
import { Roving } from "./roving.js";
import { row, table } from "./rows.js";
import { consumerKey } from "./state.js";
import { html } from "./svg.js";

const COLUMNS = ["from", "key", "to", "ready + unacked", "consumers"];

export class RoutingTable extends Panel {
  constructor(root, player) {
    super(root, player, ["frame", "selected"], { class: "sandbox-table" });
    this.publishers = new Publishers(player);
    this.empty = emptiness();
    this.place = html("div", {});
    this.roving = new Roving(this.place);
    this.root.append(this.publishers.root, this.empty, this.place);
    this.draw();
  }

  draw() {
    const { player } = this;
    if (!player.shown || this.root.hidden) return;
    this.publishers.draw([...player.shown.publishers.values()]);
    const rows = this.rows(player.shown);
    this.empty.hidden = rows.length > 0;
    this.place.hidden = !rows.length;
    const next = table(COLUMNS, rows);
    if (this.content?.isEqualNode(next)) return;
    this.content = next.cloneNode(true); // which has no Tab stop, other than what is shown
    this.roving.fill(next);
  }

  rows(state) {
    const bindings = [...state.bindings.values()];
    const reached = new Set(bindings.map(({ binding }) => targetOf(binding)));
    const rows = [];
    for (const exchange of state.exchanges.values()) {
      const ways = this.ways(exchange, bindings, state);
      const isKnown = exchange.published > 0 || !isSystem(exchange.name);
      if (!ways.length && isKnown && !reached.has(`exchange:${exchange.name}`)) {
        ways.push(this.row(`exchange:${exchange.name}`, exchange.name ? "nothing is bound" : "", null, state));
      }
      rows.push(...ways);
    }
    for (const { name, options } of state.queues.values()) {
      const { dead_letter_exchange: exchange, dead_letter_routing_key: key } = options;
      if (!reached.has(`queue:${name}`)) rows.push(this.row(null, "", `queue:${name}`, state));
      if (exchange === null) continue;
      const words = key === null ? "dead letters" : `dead letters, as ${shown(key)}`;
      rows.push(this.row(`queue:${name}`, words, `exchange:${exchange}`, state));
    }
    return rows;
  }

  /** Where messages go from an exchange: along its bindings, then to where they go that none of them takes. */
  ways(exchange, bindings, state) {
    const from = `exchange:${exchange.name}`;
    const alternate = exchange.options.arguments["alternate-exchange"];
    const rows = bindings
      .filter(({ binding }) => binding.source === exchange.name)
      .map(({ binding, taken }) => {
        const count = taken ? ` (${thousands(taken)})` : "";
        return this.row(from, `${keyWords(binding, exchange.options.type)}${count}`, targetOf(binding), state);
      });
    if (alternate !== undefined) rows.push(this.row(from, "if nothing matches", `exchange:${alternate}`, state));
    if (exchange.lost) rows.push(this.row(from, lostNote(exchange), null, state));
    return rows;
  }

  /** From a thing to another, by their ids; either may be missing. */
  row(from, words, to, state) {
    const queue = to?.startsWith("queue:") ? state.queues.get(nameOf(to)) : null;
    const consumers = [...state.consumers.values()].filter((consumer) => consumer.queue === queue?.name);
    const cells = [
      from === null ? "" : this.link(from),
      words,
      to === null ? "" : html("span", {}, this.link(to), isMissing(to, state) ? " (no such exchange)" : ""),
      queue ? queueCounts(queue, true) : "",
      html("span", {}, ...consumers.map(({ channel, tag }) => this.link(`consumer:${consumerKey(channel, tag)}`, tag))),
    ];
    const isSelected = this.player.selection !== null && [from, to].includes(this.player.selection);
    return row(cells, { "aria-selected": isSelected ? "true" : null });
  }

  link(id, name = nameOf(id)) {
    const choose = () => this.player.select(id);
    return html("button", { type: "button", class: "sandbox-link", click: choose }, html("bdi", {}, label(name || "default")));
  }
}

const nameOf = (id) => id.slice(id.indexOf(":") + 1);

const targetOf = ({ to_exchange: toExchange, destination }) => `${toExchange ? "exchange" : "queue"}:${destination}`;

/** RabbitMQ's own exchanges are shown when they are used. */
const isSystem = (exchange) => !exchange || exchange.startsWith("amq.");

const isMissing = (id, state) => /^exchange:./s.test(id) && !state.exchanges.has(nameOf(id));
