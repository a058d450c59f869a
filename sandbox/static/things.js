// Publishers, exchanges, what is folded away, and the lines between all of them.

import { textWidth } from "./lanes.js";
import { label, lostNote, publisherNotes, thousands } from "./phrases.js";
import { box, circle, rounded, shape, straight, words } from "./svg.js";

const NAME = 12;
const NOTE = 11;
const LINE = 15;
const SLANT = 13;
const PILL_HEIGHT = 28;

/** It is there before it was ever used, as the place where dead letters may go. */
const DEFAULT_EXCHANGE = { name: "", options: { type: "direct", internal: false, arguments: {} }, lost: 0 };
const TYPE_WIDTHS = { direct: 10, fanout: 12, topic: 21, headers: 12 };

/** A small circle, with what it sent below. */
export function publisher(node, scene) {
  const view = scene.state.publishers.get(node.name) ?? { published: 0 }; // its first message is on its way
  const x = node.x + node.width / 2;
  const middle = node.y + node.height / 2;
  const parts = [shape(circle(x, middle, node.width / 2), { fill: "page", line: "ink" })];
  if (node.label) parts.push(words(node.label, x, middle + 4, { anchor: "middle", bold: true }));
  else parts.push(scene.sprites.at("sender", x, middle));
  const notes = [...(node.label ? [] : [label(node.name)]), ...publisherNotes(view)];
  notes.forEach((note, index) => {
    const role = index === 0 && !node.label ? "ink" : "muted";
    const baseline = node.y + node.height + LINE * (index + 1);
    parts.push(words(note, x, baseline, { role, anchor: "middle" }));
    const sign = SIGNS[note.split(" ").at(-1)];
    if (index && sign) parts.push(scaled(scene.sprites, sign, x - textWidth(note, NOTE) / 2 - 10, baseline - 4));
  });
  return parts;
}

/** What stands before a publisher's counts: a sign, and how large. */
const SIGNS = { confirmed: ["confirmed", 0.75], nacked: ["nacked", 0.75], returned: ["return_arrow", 1] };

function scaled(sprites, [name, scale], x, y) {
  const sign = sprites.at(name, x, y);
  sign.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
  return sign;
}

/** A flat hexagon, or for the default exchange a pill; what was lost falls below it. */
export function exchange(node, scene) {
  const view = scene.state.exchanges.get(node.name) ?? DEFAULT_EXCHANGE;
  const parts = node.height === PILL_HEIGHT ? pill(node, view, scene) : hexagon(node, view, scene);
  if (view.lost) parts.push(...lost(node, view, scene));
  return parts;
}

function hexagon(node, view, scene) {
  const outline = (inset) => {
    const [left, right] = [node.x + inset * 1.3, node.x + node.width - inset * 1.3];
    const [top, bottom] = [node.y + inset, node.y + node.height - inset];
    const middle = node.y + node.height / 2;
    const slant = SLANT - inset / 3;
    return straight(
      [[left, middle], [left + slant, top], [right - slant, top], [right, middle], [right - slant, bottom], [left + slant, bottom]],
      true,
    );
  };
  const x = node.x + node.width / 2;
  const middle = node.y + node.height / 2;
  const { type, internal } = view.options;
  const start = x - (TYPE_WIDTHS[type] + 5 + textWidth(type, NOTE)) / 2;
  return [
    shape(outline(0), { fill: "page", line: "ink" }),
    ...(internal ? [shape(outline(3.5), { line: "ink", width: 1 })] : []),
    words(node.label, x, middle - 3, { size: NAME, anchor: "middle", bold: true }),
    scene.sprites.at(`type_${type}`, start + TYPE_WIDTHS[type] / 2, middle + 8),
    words(type, start + TYPE_WIDTHS[type] + 5, middle + 12, { role: "muted" }),
  ];
}

function pill(node, view, scene) {
  const { type } = view.options;
  const x = node.x + 12;
  const middle = node.y + node.height / 2;
  return [
    shape(box(node.x, node.y, node.width, node.height, node.height / 2), { fill: "page", line: "ink" }),
    scene.sprites.at(`type_${type}`, x + TYPE_WIDTHS[type] / 2, middle),
    words(node.label, x + TYPE_WIDTHS[type] + 6, middle + 4),
  ];
}

/** A token that can be chosen, and then means its message. */
function marked(token, message) {
  token.setAttribute("data-message", message);
  return token;
}

function lost(node, view, scene) {
  const x = node.x + node.width / 2;
  const bottom = node.y + node.height;
  return [
    shape(straight([[x, bottom + 2], [x, bottom + 18]]), { line: "lost", width: 2, dash: [2, 3] }),
    marked(scene.sprites.token(view.last_lost, x, bottom + 28, "lost"), view.last_lost),
    words(lostNote(view, scene.isNarrow), node.aside ?? x, bottom + 53, { anchor: node.aside === null ? "middle" : "start" }),
  ];
}

/** Many things as one: a pile, of which the uppermost says how many they are. */
export function fold(node) {
  const { x, y, width, height } = node;
  const pile = (inset) => straight([[x + inset, y + height + inset], [x + width - inset, y + height + inset]]);
  return [
    shape(box(x, y, width, height, 4), { fill: "page", line: "muted", width: 1.3 }),
    shape(pile(6) + pile(3), { line: "muted", width: 1.2 }),
    words(node.label, x + width / 2, y + height / 2 + 4, { anchor: "middle", bold: true }),
  ];
}

/** A line, with its key; its rate in flow view.  It is drawn from its end, so that dashes fall together. */
export function edge(line, scene) {
  const isDashed = line.kind === "alternate" || line.kind === "dead_letter";
  const { rate, taken } = scene.traffic(line);
  const path = rounded([...line.points].reverse());
  const parts = [shape(path, { line: "edge", width: lineWidth(line, rate, taken), dash: isDashed ? [5, 4] : null })];
  const end = line.points.at(-1);
  if (line.arrow_at) {
    const [x, y] = line.arrow_at;
    parts.push(scene.sprites.at(line.back ? "arrowhead_back" : "arrowhead", x + 3, y));
  } else if (line.kind === "binding") parts.push(scene.sprites.at("arrowhead", ...end));
  if (line.key && line.key_at) {
    const text = rate ? `${thousands(rate)}/s` : line.key;
    const role = line.kind === "binding" ? "ink" : "muted";
    parts.push(words(text, ...line.key_at, { anchor: line.key_anchor, bold: rate > 0, role }));
  }
  if (line.note_at) {
    parts.push(scene.sprites.at("open_end", ...end));
    parts.push(words(line.note, ...line.note_at, { anchor: line.key_anchor }));
  }
  return parts;
}

/** In flow view one of four steps of rate; else thinner if nothing has ever taken it. */
function lineWidth(line, rate, taken) {
  if (rate) return 2 + Math.min(3, Math.floor(Math.log10(rate)));
  if (line.kind !== "binding") return 1.5;
  return taken ? 2 : 1;
}
