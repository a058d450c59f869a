// Publishers, exchanges, what is folded away, and the lines between all of them.

import { textWidth } from "./lanes.js";
import { lostNote, publisherNotes, thousands } from "./phrases.js";
import { box, circle, rounded, shape, straight, words } from "./svg.js";

const NAME = 12;
const NOTE = 11;
const LINE = 15;
const SLANT = 13;
const PILL_HEIGHT = 28;
const TYPE_WIDTHS = { direct: 10, fanout: 12, topic: 21, headers: 12 };

/** A small circle, with what it sent below. */
export function publisher(node, scene) {
  const view = scene.state.publishers.get(node.name) ?? { published: 0 }; // its first message is on its way
  const x = node.x + node.width / 2;
  const middle = node.y + node.height / 2;
  const parts = [shape(circle(x, middle, node.width / 2), { fill: "page", line: "ink" })];
  if (node.label) parts.push(words(node.label, x, middle + 4, { anchor: "middle", bold: true }));
  else parts.push(scene.sprites.at("sender", x, middle));
  const notes = [...(node.label ? [] : [node.note ?? node.name]), ...publisherNotes(view)];
  notes.forEach((note, index) => {
    const role = index === 0 && !node.label ? "ink" : "muted";
    parts.push(words(note, x, node.y + node.height + LINE * (index + 1), { role, anchor: "middle" }));
  });
  return parts;
}

/** A flat hexagon, or for the default exchange a pill; what was lost falls below it. */
export function exchange(node, scene) {
  const view = scene.state.exchanges.get(node.name);
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

function lost(node, view, scene) {
  const x = node.x + node.width / 2;
  const bottom = node.y + node.height;
  return [
    shape(straight([[x, bottom + 2], [x, bottom + 18]]), { line: "lost", width: 2, dash: [2, 3] }),
    scene.sprites.token(view.last_lost, x, bottom + 28, "lost"),
    words(lostNote(view), x, bottom + 53, { anchor: "middle" }),
  ];
}

/** What is folded away: a stack with how many. */
export function fold(node) {
  const { x, y, width, height } = node;
  return [
    shape(box(x + 4, y - 4, width, height, 4), { fill: "page", line: "edge", width: 1 }),
    shape(box(x, y, width, height, 4), { fill: "page", line: "ink" }),
    words(node.label, x + width / 2, y + height / 2 + 4, { anchor: "middle", bold: true }),
  ];
}

/** A line, with its key; its rate in flow view. */
export function edge(line, scene) {
  const dashed = line.kind === "alternate" || line.kind === "dead_letter";
  const { rate, taken } = scene.traffic(line);
  const width = rate ? 2 + Math.min(3, Math.floor(Math.log10(rate) + 1)) : line.kind === "binding" && !taken ? 1 : dashed ? 1.3 : 2;
  const path = shape(rounded(line.points), { line: "edge", width, dash: dashed ? [4, 3] : null });
  const parts = [path];
  if (line.arrow_at) parts.push(scene.sprites.at(line.back ? "arrowhead_back" : "arrowhead", ...tip(line.arrow_at)));
  else if (line.kind === "binding" || line.kind === "alternate" || line.kind === "dead_letter") {
    const end = line.points.at(-1);
    if (line.target) parts.push(scene.sprites.at("arrowhead", ...end));
    else parts.push(scene.sprites.at("open_end", ...end));
  }
  if (line.key && line.key_at) {
    const text = rate ? `${thousands(Math.round(rate))}/s` : line.key;
    parts.push(words(text, ...line.key_at, { anchor: line.key_anchor ?? "end", bold: Boolean(rate), role: dashed ? "muted" : "ink" }));
  }
  return parts;
}

const tip = ([x, y]) => [x + 3, y];
