// What is selected: a queue, an exchange, a consumer or a channel, a message.  Looking changes nothing.

import { asText, clockTime, consumerStatus, eventWords, keyWords, label, seconds, shown, thousands } from "./phrases.js";
import { Panel } from "./panel.js";
import { row, table } from "./rows.js";
import { consumerKey } from "./state.js";
import { html } from "./svg.js";

const MOST = 50;

export class Inspector extends Panel {
  constructor(root, player) {
    const attributes = { class: "sandbox-inspector", role: "region", "aria-label": "Inspector" };
    super(root, player, ["frame", "selected", "status"], attributes);
    this.keys = new Map(); // what was typed to try on each exchange, and the answers
    this.verdicts = new Map();
    this.draw();
  }

  draw() {
    const { player, keyField: typed } = this;
    const parts = player.shown ? this.parts(player.selection ?? "", player.shown) : [];
    const next = html("div", {}, ...parts);
    if (this.content?.isEqualNode(next)) {
      this.keyField = typed;
      return;
    }
    const caret = typed && document.activeElement === typed ? typed.selectionStart : null;
    this.content = next;
    this.root.replaceChildren(next);
    if (caret === null || !this.keyField.isConnected) return;
    this.keyField.focus();
    this.keyField.setSelectionRange(caret, caret);
  }

  parts(selection, state) {
    const [kind, ...rest] = selection.split(":");
    const name = rest.join(":");
    if (kind === "queue" && state.queues.has(name)) return this.queue(state.queues.get(name), state);
    if (kind === "exchange" && state.exchanges.has(name)) return this.exchange(state.exchanges.get(name), state);
    if (kind === "message") return this.message(Number(name), state);
    if (kind === "consumer") {
      const consumer = state.consumers.get(name);
      if (consumer) return this.consumer(consumer, state);
    }
    if (kind === "channel" || kind === "hand") {
      const channel = state.channels.get(Number(name));
      if (channel) return this.channel(channel, state);
    }
    if (kind === "publisher" && state.publishers.has(name)) return this.publisher(state.publishers.get(name));
    const hint = selection ? `${label(name || kind)} is not there at this moment.` : "Select something in the graph: click it, or press Enter.";
    return [html("h4", {}, "Inspector"), html("p", { class: "sandbox-muted" }, hint)];
  }

  // ---------------------------------------------------------------- things

  queue(queue, state) {
    const seats = state.seatsOf(queue.name, MOST);
    const count = queue.ready + queue.unacked;
    const rows = seats.map((seat) => row(this.seatRow(seat)));
    const more = count > seats.length ? [html("p", { class: "sandbox-muted" }, `and ${thousands(count - seats.length)} more`)] : [];
    return [
      heading("Queue", queue.name),
      html("p", {}, `${thousands(queue.ready)} ready, ${thousands(queue.unacked)} unacked`),
      facts(optionRows(queue.options)),
      ...this.actions(
        ["Get", "get", { queue: queue.name }],
        ["Consume", "consume", { queue: queue.name, prefetch_count: 2 }],
        ["Purge", "purge", { queue: queue.name }],
        ["Delete", "delete", { kind: "queue", name: queue.name }],
      ),
      seats.length ? table(["message", "key", "age", "TTL left", "came back", "held by"], rows) : html("p", { class: "sandbox-muted" }, "empty"),
      ...more,
    ];
  }

  seatRow(seat) {
    const { time } = this.player;
    const left = seat.expires === null ? "" : seat.expires <= time ? "expired" : seconds(round(seat.expires - time));
    const holder = seat.unacked ? seat.consumer || `get, ch ${seat.channel}` : "";
    const signs = [seat.priority ? `priority ${seat.priority}` : "", seat.deaths ? `dead letter ${seat.deaths}` : ""].filter(Boolean);
    return [
      this.link(`message:${seat.message}`, `${seat.message}${signs.length ? ` (${signs.join(", ")})` : ""}`),
      seat.header ? shown(seat.header.routing_key) : "",
      seconds(round(time - seat.entered)),
      left,
      seat.redelivered ? String(seat.redelivered) : "",
      shown(holder),
    ];
  }

  exchange(exchange, state) {
    const rows = [];
    for (const { binding, taken } of state.bindings.values()) {
      if (binding.source !== exchange.name) continue;
      const target = `${binding.to_exchange ? "exchange" : "queue"}:${binding.destination}`;
      rows.push(row([keyWords(binding, exchange.options.type), this.link(target, binding.destination), thousands(taken)]));
    }
    const { options } = exchange;
    const details = [["type", options.type]];
    const alternate = options.arguments["alternate-exchange"];
    if (alternate) details.push(["alternate exchange", alternate]);
    for (const flag of ["durable", "auto_delete", "internal"]) if (options[flag]) details.push([flag.replace("_", "-"), "yes"]);
    return [
      heading("Exchange", exchange.name || "default"),
      html("p", {}, `${thousands(exchange.published)} published here, ${thousands(exchange.lost)} lost, ${thousands(exchange.returned)} returned`),
      facts(details),
      rows.length ? table(["key", "to", "taken"], rows) : html("p", { class: "sandbox-muted" }, exchange.name ? "nothing is bound" : "leads to every queue by its name"),
      options.type === "headers" ? html("p", { class: "sandbox-muted" }, "It looks at headers, not at a key.") : this.keyForm(exchange),
    ];
  }

  /** Type a key: who would get it, and nothing is published. */
  keyForm(exchange) {
    const field = html("input", { type: "text", "aria-label": "Routing key to try" });
    field.value = this.keys.get(exchange.name) ?? "";
    field.addEventListener("input", () => this.keys.set(exchange.name, field.value));
    this.keyField = field;
    const off = this.player.whyOff;
    const verdict = html("p", { role: "status" }, this.verdicts.get(exchange.name) ?? "");
    const ask = async (event) => {
      event.preventDefault();
      const answer = await this.player.requests.who(exchange.name, field.value);
      this.verdicts.set(exchange.name, answer.ok ? answer.says : answer.error);
      this.draw();
    };
    return html(
      "form",
      { submit: ask, class: "sandbox-row" },
      html("label", {}, "Who would get the key ", field),
      html("button", { type: "submit", disabled: off !== "", title: off || null }, "Ask"),
      verdict,
    );
  }

  consumer(consumer, state) {
    const held = state.heldBy(consumer.channel, consumer.tag, MOST);
    const key = consumerKey(consumer.channel, consumer.tag);
    const isOurs = this.player.byHand.consumers.includes(key);
    const buttons = [["Receive", "receive", { consumer: key }], ["Cancel", "cancel", { consumer: key }], ["Close channel", "close_channel", { channel: consumer.channel }]];
    return [
      heading("Consumer", consumer.tag),
      html("p", {}, `of `, this.link(`queue:${consumer.queue}`, consumer.queue), ` on channel ${consumer.channel}: ${consumerStatus(consumer)}`),
      facts([["prefetch", consumer.no_ack ? "not counted: no ack" : consumer.prefetch ? String(consumer.prefetch) : "no limit"], ["was sent", thousands(consumer.received)]]),
      ...(isOurs ? this.actions(...buttons) : [html("p", { class: "sandbox-muted" }, "This consumer belongs to code: acknowledge there.")]),
      ...this.held(held, isOurs),
    ];
  }

  channel(channel, state) {
    const held = state.heldBy(channel.id, "", MOST);
    const isOurs = this.player.byHand.channels.includes(channel.id);
    return [
      heading("Channel", String(channel.id)),
      html("p", {}, `of ${shown(state.connections.get(channel.connection) ?? "a connection")}`),
      facts([["prefetch for new consumers", channel.prefetch ? String(channel.prefetch) : "no limit"]]),
      ...(isOurs ? this.actions(["Close channel", "close_channel", { channel: channel.id }]) : [html("p", { class: "sandbox-muted" }, "It is closed by the code that opened it.")]),
      ...this.held(held, isOurs),
    ];
  }

  /** Copies in somebody's hands, each with what can be done with it. */
  held(seats, isOurs) {
    if (!seats.length) return [html("p", { class: "sandbox-muted" }, "holds nothing")];
    const rows = seats.map((seat) => {
      const where = { channel: seat.channel, tag: seat.tag };
      const state = seat.handed ? "" : "sealed";
      const actions = this.buttons([["Ack", "ack", where], ["Requeue", "requeue", where], ["Reject", "reject", where]], seat.handed ? "" : "receive it first");
      return row([this.link(`message:${seat.message}`, String(seat.message)), String(seat.tag), state, isOurs ? actions : ""]);
    });
    return [table(["message", "tag", "", ""], rows)];
  }

  publisher(publisher) {
    const rows = ["published", "confirmed", "nacked", "returned"].map((word) => [word, thousands(publisher[word])]);
    return [heading("Publisher", publisher.name), facts(rows), html("p", {}, `to ${publisher.exchanges.map((name) => shown(name) || "the default exchange").join(", ")}`)];
  }

  /** The life line of a message: each step, and why. */
  message(number, state) {
    const { player } = this;
    const life = player.events.filter((row) => row[3] === number);
    const birth = life.find((row) => row[2] === "published");
    const header = birth?.[10] ?? this.headerOf(number, state);
    const steps = life.slice(-MOST).map((row) =>
      html("li", { "aria-current": row[0] === state.serial ? "step" : null, class: row[0] > state.serial ? "sandbox-muted" : null },
        html("button", { type: "button", click: () => player.seek(row[0]) }, `${clockTime(row[1])}  `, html("bdi", {}, eventWords(row)))),
    );
    return [
      heading("Message", String(number)),
      ...(header ? [facts(headerRows(header)), html("pre", { class: "sandbox-body" }, shownBody(header))] : []),
      html("h5", {}, "Its life"),
      steps.length ? html("ol", { class: "sandbox-life" }, ...steps) : html("p", { class: "sandbox-muted" }, "its events are forgotten"),
    ];
  }

  headerOf(number, state) {
    for (const name of state.queues.keys()) {
      const seat = state.seatsOf(name, 1000).find((found) => found.message === number);
      if (seat?.header) return seat.header;
    }
    return null;
  }

  // ---------------------------------------------------------------- parts

  /** Buttons for a thing, and if they are off, why. */
  actions(...actions) {
    const { whyOff } = this.player;
    return [this.buttons(actions), ...(whyOff ? [html("p", { class: "sandbox-muted" }, whyOff)] : [])];
  }

  /** @param {string} why these are off even if others are not */
  buttons(actions, why = "") {
    const off = this.player.whyOff || why;
    const buttons = actions.map(([name, verb, args]) => {
      const click = () => this.player.command(verb, args);
      return html("button", { type: "button", disabled: off !== "", title: off || null, click }, name);
    });
    return html("span", { class: "sandbox-buttons" }, ...buttons);
  }

  link(selection, text) {
    return html("button", { type: "button", class: "sandbox-link", click: () => this.player.selection !== selection && this.player.select(selection) }, html("bdi", {}, label(text)));
  }
}

const round = (time) => Math.round(time * 10) / 10;

const heading = (kind, name) => html("h4", {}, `${kind} `, html("bdi", {}, shown(name)));

function facts(rows) {
  return html("dl", {}, ...rows.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, html("bdi", {}, shown(value)))]));
}

function optionRows(options) {
  const times = [["message_ttl", "TTL"], ["expires", "expires when unused for"]];
  const rows = times.filter(([key]) => options[key] !== null).map(([key, name]) => [name, seconds(options[key])]);
  const numbers = [["max_length", "limit"], ["max_length_bytes", "limit in bytes"], ["max_priority", "highest priority"]];
  rows.push(...numbers.filter(([key]) => options[key] !== null).map(([key, name]) => [name, thousands(options[key])]));
  if (options.max_length !== null || options.max_length_bytes !== null) rows.push(["overflow", options.overflow]);
  if (options.dead_letter_exchange !== null) rows.push(["dead letters to", options.dead_letter_exchange || "the default exchange"]);
  if (options.dead_letter_routing_key !== null) rows.push(["with the key", options.dead_letter_routing_key]);
  for (const flag of ["durable", "exclusive", "auto_delete", "single_active_consumer"]) {
    if (options[flag]) rows.push([flag.replaceAll("_", " "), "yes"]);
  }
  return rows;
}

function headerRows(header) {
  const rows = [["exchange", header.exchange || "the default exchange"], ["routing key", header.routing_key]];
  if (header.more_keys.length) rows.push(["also", header.more_keys.join(", ")]);
  if (header.ttl !== null) rows.push(["TTL", seconds(header.ttl)]);
  for (const [name, value] of Object.entries(header.properties)) rows.push([name, asText(value)]);
  for (const [name, value] of Object.entries(header.headers)) rows.push([`header ${shown(name)}`, asText(value)]);
  return rows;
}

const shownBody = (header) => header.body.split("\n").map(shown).join("\n");
