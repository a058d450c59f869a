// What the picture says in words: counts, statuses, events, and what a screen reader is told.

import { consumerKey } from "./state.js";

export const counted = (number, noun) => `${thousands(number)} ${number === 1 ? noun : plural(noun)}`;
const plural = (noun) => (noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`);
export const thousands = (number) => number.toLocaleString("en-US");
export const seconds = (time) => `${thousands(Math.round(time * 1000) / 1000)} s`;

/** A time as it stands beside a moving picture: to a tenth. */
export const clockTime = (time) => `${time.toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 })} s`;

const LONGEST = 24;

/** A name in which every character can be seen and none has an effect, cut in the middle. */
export function label(name, longest = LONGEST) {
  const characters = [...shown(name)]; // some have two halves, which mean nothing alone
  const half = Math.floor(longest / 2);
  if (characters.length > longest) characters.splice(half, characters.length - 2 * half + 1, "…");
  return characters.join("");
}

/** Whether only a part of a node's name is drawn. */
export const isCut = (node) => /…/.test(node.label || label(node.name)) && node.kind !== "fold";

/** As texts.py writes it. */
export function shown(name) {
  return String(name).replace(/[\p{C}\p{Zl}\p{Zp}]|[^\S ]/gu, (char) => {
    const code = char.codePointAt(0);
    const [letter, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
    return SHORT[char] ?? `\\${letter}${code.toString(16).padStart(digits, "0")}`;
  });
}

const SHORT = { "\t": "\\t", "\n": "\\n", "\r": "\\r" };

export function queueCounts(queue, isNarrow) {
  const { ready, unacked } = queue;
  return isNarrow ? `${thousands(ready)} + ${thousands(unacked)}` : `${thousands(ready)} ready + ${thousands(unacked)} unacked`;
}

export const isFull = (consumer) =>
  consumer.prefetch > 0 && consumer.unacked >= consumer.prefetch && !consumer.no_ack;

/** How busy a consumer is, in few words; in a narrow picture on which channel, too. */
export function consumerStatus(consumer, isNarrow = false) {
  const { prefetch, unacked } = consumer;
  const parts = consumer.active ? [] : ["stand-by"];
  const shape = (words) => (isNarrow ? "" : `${words} · `); // what its shape says already
  if (consumer.no_ack) parts.push(`${shape("no ack")}${thousands(consumer.received)} received`);
  else if (!prefetch) parts.push(`${shape("no limit")}${thousands(unacked)} held`);
  else if (isFull(consumer)) parts.push(`full (${thousands(unacked)} of ${thousands(prefetch)})`);
  else if (unacked) parts.push(`${thousands(unacked)} of ${thousands(prefetch)}`);
  else if (consumer.active) parts.push("idle");
  if (consumer.exclusive) parts.push("exclusive");
  if (consumer.priority) parts.push(`priority ${consumer.priority}`);
  return (isNarrow ? [`ch ${consumer.channel}`, ...parts] : parts).join(" · ");
}

export function publisherNotes(publisher) {
  const notes = [`${thousands(publisher.published)} sent`];
  if (publisher.confirmed) notes.push(`${thousands(publisher.confirmed)} confirmed`);
  if (publisher.nacked) notes.push(`${thousands(publisher.nacked)} nacked`);
  if (publisher.returned) notes.push(`${thousands(publisher.returned)} returned`);
  return notes;
}

/** What is said of the messages that found no queue; shorter where there is no room. */
export function lostNote(exchange, isNarrow = false) {
  const isShort = isNarrow && (exchange.lost > 99 || exchange.options.arguments["alternate-exchange"] !== undefined);
  const why = exchange.name ? "no binding" : "no such queue";
  return `${thousands(exchange.lost)} lost${isShort ? "" : `: ${why}`}`;
}

/** Which messages a binding of an exchange of that type takes. */
export function keyWords(binding, type) {
  if (type === "fanout") return "everything";
  if (type !== "headers") return shown(binding.routing_key) || '""';
  const match = binding.arguments["x-match"] ?? "all";
  const pairs = Object.entries(binding.arguments).filter(([key]) => !key.startsWith("x-"));
  return `${shown(match)}: ${pairs.map(([key, value]) => `${shown(key)}=${shown(asText(value))}`).join(", ")}`;
}

/** A value of a table of headers or arguments. */
export const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));

const place = (name) => shown(name) || "the default exchange";

/** What happened, in a line of words. */
export function eventWords(row) {
  const [, , kind, message, , source, target, , , reason, what] = row;
  const why = reason ? `: ${shown(reason)}` : "";
  const number = `message ${message}`;
  switch (kind) {
    case "published":
      return `${shown(source[1])} published ${number} to ${place(target[1])} with key ${JSON.stringify(shown(what?.routing_key ?? ""))}`;
    case "routed":
      return `${number} went from ${place(source[1])} to ${shown(target[1])}`;
    case "refused":
      return `${shown(target[1])} refused ${number}${why}`;
    case "lost":
      return `${number} is lost at ${place(source[1])}${why}`;
    case "returned":
      return `${number} was returned to ${shown(target[1])}${why}`;
    case "confirmed":
      return `${number} is confirmed to ${shown(target[1])}`;
    case "nacked":
      return `${number} is nacked to ${shown(target[1])}${why}`;
    case "delivered":
      return `${number} was sent from ${shown(source[1])} to ${shown(target[3])}`;
    case "handed":
      return `${shown(target[3])} begins with ${number}`;
    case "fetched":
      return `${number} was fetched from ${shown(source[1])} by get`;
    case "sent":
      return `${number} was sent from ${shown(source[1])}${target[3] ? ` to ${shown(target[3])}` : ""}${why}`;
    case "acked":
      return `${number} of ${shown(source[1])} is acked${source[3] ? ` by ${shown(source[3])}` : ""}`;
    case "requeued":
      return `${number} is back in ${shown(target[1])}${why}`;
    case "rejected":
      return `${number} of ${shown(source[1])} was rejected${why}`;
    case "expired":
      return `${number} expired in ${shown(source[1])}${why}`;
    case "dropped":
      return `${number} was dropped from ${shown(source[1])}${why}`;
    case "dead_lettered":
      return `${number} died in ${shown(source[1])}: ${DEATHS[reason] ?? shown(reason)}; on as a dead letter`;
    case "purged":
    case "removed":
      return `${number} was removed from ${shown(source[1])}${why}`;
    case "bound":
      return `${shown(target[1])} is bound to ${place(source[1])}${what?.routing_key ? ` with ${JSON.stringify(shown(what.routing_key))}` : ""}`;
    case "unbound":
      return `${shown(target[1])} is no longer bound to ${place(source[1])}${why}`;
    case "exchange_declared":
      return `exchange ${shown(target[1])} is declared, ${what?.type ?? ""}`;
    case "queue_declared":
      return `queue ${shown(target[1])} is declared`;
    case "exchange_deleted":
      return `exchange ${shown(target[1])} is deleted${why}`;
    case "queue_deleted":
      return `queue ${shown(target[1])} is deleted${why}`;
    case "deleting":
      return `queue ${shown(target[1])} is being deleted${why}`;
    case "closing":
      return target[0] === "channel" ? `channel ${target[2]} is being closed${why}` : `${shown(target[1])} disconnects${why}`;
    case "channel_opened":
      return `channel ${target[2]} is open`;
    case "channel_closed":
      return `channel ${target[2]} is closed${why}`;
    case "prefetch_set":
      return `channel ${target[2]} has a prefetch of ${what}`;
    case "consumer_started":
      return `${shown(target[3])} consumes ${shown(target[1])} on channel ${target[2]}`;
    case "consumer_activated":
      return `${shown(target[3])} is the active consumer of ${shown(target[1])}`;
    case "consumer_cancelled":
      return `${shown(target[3])} no longer consumes ${shown(target[1])}${why}`;
    case "connected":
      return `${shown(target[1])} is connected`;
    case "disconnected":
      return `${shown(target[1])} is disconnected${why}`;
    case "restarted":
      return "the broker was restarted";
    default:
      return kind.replaceAll("_", " ");
  }
}

/** Why nothing can be done any more. */
export const GONE = "The broker or its kernel is gone.";

const DEATHS = { expired: "TTL", maxlen: "over the limit", rejected: "rejected" };

/** The terms of the ledger: which places each counts, and its name. */
export const MESSAGE_TERMS = [
  ["routed", "routed"],
  ["returned", "returned"],
  ["lost", "lost"],
  ["on_its_way", "on its way"],
];
export const COPY_TERMS = [
  ["ready", "ready"],
  ["unacked", "unacked"],
  ["done", "done"],
  ["dead_lettered", "dead-lettered"],
  ["expired", "expired"],
  ["dropped", "dropped"],
  ["refused", "refused"],
  ["removed", "removed"],
];

/** A node of the picture, for those who hear it. */
export function nodeWords(node, state, time) {
  switch (node.kind) {
    case "queue": {
      const queue = state.queues.get(node.name);
      if (!queue) return `Queue ${shown(node.name)}`;
      const options = queue.options;
      const dead = state.seatsOf(node.name, 100).filter((seat) => !seat.unacked && seat.expires !== null && seat.expires <= time);
      const parts = [`${thousands(queue.ready)} ready`];
      if (dead.length) parts.push(`${dead.length} of them expired but not at the head`);
      parts.push(`${thousands(queue.unacked)} unacked`);
      if (options.message_ttl !== null) parts.push(`TTL ${seconds(options.message_ttl)}`);
      if (options.max_length !== null) parts.push(`limit ${thousands(options.max_length)}`);
      if (options.dead_letter_exchange !== null) parts.push(`dead letters to ${place(options.dead_letter_exchange)}`);
      return `Queue ${shown(node.name)}, ${parts.join(", ")}`;
    }
    case "exchange": {
      const exchange = state.exchanges.get(node.name);
      if (!exchange) return `Exchange ${place(node.name)}`;
      const lost = exchange.lost ? `, ${lostNote(exchange)}` : "";
      return `Exchange ${place(node.name)}, ${exchange.options.type}, got ${counted(exchange.published, "message")}${lost}`;
    }
    case "consumer": {
      const consumer = state.consumers.get(consumerKey(node.channel, node.name));
      return `Consumer ${shown(node.name)} on channel ${node.channel}${consumer ? `, ${consumerStatus(consumer)}` : ""}`;
    }
    case "publisher": {
      const publisher = state.publishers.get(node.name);
      return `Publisher ${shown(node.name)}${publisher ? `, ${publisherNotes(publisher).join(", ")}` : ""}`;
    }
    case "hand":
      return `Fetched by get on channel ${node.channel}`;
    case "channel":
      return `Channel ${node.channel}`;
    default:
      return shown(node.label || node.name);
  }
}
