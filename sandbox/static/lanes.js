// Queues, and the consumers and channels that hold what they took from them.

import { LANE_HEIGHT, SEAT } from "./geometry.js";
import { consumerStatus, isFull, label, queueCounts, thousands } from "./phrases.js";
import { SEATS, consumerKey } from "./state.js";
import { box, circle, rounded, shape, straight, words } from "./svg.js";

const NAME = 12;
const NOTE = 11;
const HEAD = 8; // from a name's baseline to what it names
const CHIP_LINE = 19;
const BAR = 20;
const DASH = [2.2, 2.2];

/**
 * A queue; its head is on the right, beside the consumers.
 * @param {import("./scene.js").Scene} scene
 */
export function lane(node, scene) {
  const { state, time, geometry, sprites, lifted } = scene;
  const queue = state.queues.get(node.name);
  const { x, y, width, height } = node;
  const middle = y + height / 2;
  const parts = [
    shape(box(x, y, width, height), { fill: "lane" }),
    shape(straight([[x, y], [x + width, y]]) + straight([[x, y + height], [x + width, y + height]]), { line: "ink" }),
    words(node.label, node.label_x ?? x, headline(node), { size: NAME, bold: true }),
    words(queueCounts(queue, scene.isNarrow), x + width, headline(node), { role: "muted", anchor: "end" }),
    ...chips(node),
    ...limit(node, queue),
  ];
  if (scene.flow) return [...parts, ...bar(node, queue, scene)];
  const copies = queue.ready + queue.unacked;
  const shown = geometry.seatsShown(node, copies);
  state.seatsOf(node.name, shown).forEach((seat, index) => {
    const [seatX] = geometry.seatAt(node, index);
    if (lifted.has(seat.copy)) {
      if (scene.returning.has(seat.copy)) parts.push(sprites.hollow(seat, seatX, middle));
    } else if (seat.unacked) parts.push(sprites.hollow(seat, seatX, middle));
    else parts.push(sprites.ready(seat, time, seatX, middle));
  });
  if (copies > shown) parts.push(...rest(node, queue, shown, scene));
  return parts;
}

const headline = (node) => node.y - HEAD - (node.chips_below ? CHIP_LINE : 0);

function chips(node) {
  const parts = [];
  let x = node.label_x ?? node.x;
  if (!node.chips_below) x += textWidth(node.label, NAME, true) + 5;
  for (const chip of node.chips ?? []) {
    const width = textWidth(chip, NOTE) + 10;
    parts.push(shape(box(x, node.y - HEAD - 12, width, 16, 4), { line: "edge", width: 1 }));
    parts.push(words(chip, x + width / 2, node.y - HEAD, { role: "muted", anchor: "middle" }));
    x += width + 5;
  }
  return parts;
}

/** A thick wall at the tail: no more than so many. */
function limit(node, queue) {
  const most = queue.options.max_length ?? null;
  if (most === null && queue.options.max_length_bytes === null) return [];
  const { x, y, height } = node;
  return [shape(straight([[x, y - 1], [x, y + height + 1]]), { line: "ink", width: 4 })];
}

/** Bars for all copies behind the first ones, with their exact numbers; a hollow one for the unacked. */
function rest(node, queue, shown, scene) {
  const seats = scene.state.seatsOf(node.name, shown);
  const all = queue.ready + queue.unacked - shown;
  const unacked = queue.unacked - seats.filter((seat) => seat.unacked).length;
  const both = [[unacked, true], [all - unacked, false]].filter(([count]) => count > 0);
  const bars = scene.isNarrow ? [[all, unacked === all]] : both;
  let right = node.x + node.width - SEAT * shown - 2;
  const width = (right - node.x - 8) / bars.length;
  return bars.flatMap(([count, isHollow]) => {
    right -= width;
    return many(right, node.y + node.height / 2, width, `+${thousands(count)}`, isHollow);
  });
}

/** In flow view a lane is one bar with the exact count. */
function bar(node, queue, scene) {
  const copies = queue.ready + queue.unacked;
  if (!copies) return [];
  const most = queue.options.max_length ?? scene.deepest;
  const width = Math.max(34, (node.width - 8) * Math.min(1, copies / Math.max(1, most)));
  return many(node.x + node.width - width - 2, node.y + node.height / 2, width, thousands(copies), !queue.ready);
}

/** Many copies as one, with words on it. */
export function many(x, y, width, text, isHollow) {
  const outline = box(x + 1, y - BAR / 2, Math.max(2, width - 2), BAR, 3);
  return [
    isHollow ? shape(outline, { line: "muted", width: 1.3, dash: DASH }) : shape(outline, { fill: "alive", line: "ink" }),
    words(text, x + width / 2, y + 4, { role: isHollow ? "muted" : "on_alive", anchor: "middle", bold: true }),
  ];
}

// ---------------------------------------------------------------- consumers

/** A consumer, which is its sockets: as many as its prefetch, an open tray, or a chute. */
export function consumer(node, scene) {
  const { state } = scene;
  const view = state.consumers.get(consumerKey(node.channel, node.name));
  const { x, y, width, height } = node;
  const parts = [
    words(node.label, x, y - HEAD, { size: NAME, bold: true }),
    status(consumerStatus(view, scene.isNarrow), node, scene),
  ];
  if (view.no_ack) return [...parts, ...chute(node, view, scene)];
  parts.push(view.prefetch ? pill(x, y, width, height, view.active) : tray(node, view.active));
  parts.push(...sockets(node, state.heldBy(node.channel, node.name, SEATS), view.unacked, view.prefetch, scene));
  if (isFull(view)) parts.push(scene.sprites.at("gate", x - scene.geometry.measures.gate, y + height / 2));
  return parts;
}

/** What stands below a consumer or a hand. */
function status(text, { x, y, height }, { isNarrow, geometry }) {
  const fits = isNarrow ? fitted(text, NOTE, geometry.measures.longest_note) : label(text, 60);
  return words(fits, x, y + height + 14, { role: "muted" });
}

const pill = (x, y, width, height, active) =>
  shape(box(x, y, width, height, LANE_HEIGHT / 2), { fill: "page", line: "ink", dash: active ? null : [5, 4] });

/** Open above: there is no limit. */
function tray({ x, y, width, height }, active) {
  const corners = [[x, y], [x, y + height], [x + width, y + height], [x + width, y]];
  return shape(rounded(corners, 8), { line: "ink", dash: active ? null : [5, 4] });
}

/** Open on both sides: what comes is done at once. */
function chute({ x, y, width, height }, view, scene) {
  const slopes = [[y, 4], [y + height, -4]];
  const sides = slopes.map(([edge, slope]) => straight([[x, edge], [x + 16, edge + slope], [x + width, edge + slope]]));
  const parts = [shape(sides.join(""), { line: "ink", dash: view.active ? null : [5, 4] })];
  if (view.received) {
    parts.push(shape(circle(x + width - 16, y + height / 2, 8), { fill: "done", line: "ink" }));
    parts.push(scene.sprites.at("tick", x + width - 16, y + height / 2));
  }
  return parts;
}

/** Copies side by side, the sockets that are left, and a bar for what does not fit. */
function sockets(node, held, count, prefetch, scene) {
  const { geometry, sprites, lifted } = scene;
  const middle = node.y + node.height / 2;
  const shown = geometry.socketsShown(node, count, prefetch);
  const parts = [];
  for (let index = 0; index < shown; index += 1) {
    const [x] = geometry.socketAt(node, index);
    const seat = held[index];
    if (seat && !lifted.has(seat.copy)) parts.push(sprites.held(seat, x, middle));
    else if (prefetch || seat) parts.push(sprites.at("socket", x, middle));
  }
  const folded = Math.max(count, prefetch) - shown;
  if (folded > 0) {
    const [x] = geometry.socketAt(node, shown);
    const more = Math.max(0, count - shown);
    const start = x - SEAT / 2;
    const text = `+${thousands(more || folded)}`;
    parts.push(...many(start, middle, node.x + node.width - start - 4, text, !more));
  }
  return parts;
}

/** What was fetched by get on one channel: no consumer, only a hand. */
export function hand(node, scene) {
  const held = scene.state.heldBy(node.channel, "", SEATS);
  const { x, y, width, height } = node;
  const queues = [...new Set(held.map((seat) => seat.queue))];
  const from = queues.length === 1 ? `from ${label(queues[0])}` : `from ${queues.length} queues`;
  const note = held.length ? from : "nothing held";
  return [
    words(node.label, x, y - HEAD, { size: NAME, bold: true }),
    status(scene.isNarrow ? `ch ${node.channel} · ${note}` : note, node, scene),
    scene.sprites.at("palm", x + 10, y + height / 2),
    pill(x + 24, y, width - 24, height, true),
    ...sockets(node, held, held.length, 0, scene),
  ];
}

/** A bracket around all that shares a channel, and would go back to its queue if it closed. */
export function channel({ x, y, width, height, label: name }) {
  const corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]];
  return [
    shape(straight(corners), { line: "edge", width: 1.2 }),
    words(name, x + width + 6, y + height / 2 + 4, { role: "muted" }),
  ];
}

// ---------------------------------------------------------------- measuring

const canvas = typeof document === "undefined" ? null : document.createElement("canvas").getContext("2d");
let family = "";

/** How wide a text is in the picture's font, which the page decides. */
export function textWidth(text, size, bold = false) {
  canvas.font = `${bold ? "bold " : ""}${size}px ${family || "sans-serif"}`;
  return canvas.measureText(text).width;
}

/** A text cut in the middle until it fits. */
function fitted(text, size, room) {
  const characters = [...text];
  let cut = text;
  for (let kept = characters.length - 1; kept > 0 && textWidth(cut, size) > room; kept -= 1) {
    const end = characters.slice(characters.length - Math.floor(kept / 2));
    cut = [...characters.slice(0, Math.ceil(kept / 2)), "…", ...end].join("");
  }
  return cut;
}

/** The font in which to measure: that of an element of the picture. */
export function measureIn(element) {
  family = getComputedStyle(element).fontFamily;
}

