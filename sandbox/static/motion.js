// Tokens on their way: for each event of a beat, along which line its token travels, and what it looks like.

import { rounded, shape, svg } from "./svg.js";

const FALL = 42; // px that a copy falls on its way out
const FLASH = 600; // ms that a sign stays which says what has happened

/** The layer of a picture in which tokens travel. */
export class Motion {
  /**
   * @param {SVGGElement} layer
   * @param {{player: import("./player.js").Player, geometry: import("./geometry.js").Geometry}} graph
   */
  constructor(layer, graph) {
    this.layer = layer;
    this.graph = graph;
    this.trips = [];
  }

  /** A beat begins. */
  begin(beat, isStill) {
    this.clear();
    const { geometry, player } = this.graph;
    const scene = { state: player.shown, geometry, sprites: player.sprites };
    for (const row of beat.rows) {
      const trip = way(row, scene);
      if (!trip || trip.points.length < 2) continue;
      const path = shape(rounded(trip.points, 10), {});
      path.setAttribute("visibility", "hidden");
      const token = trip.token;
      token.setAttribute("visibility", "hidden"); // until its first frame says where it is
      if (isStill) {
        path.setAttribute("visibility", "visible");
        path.setAttribute("class", "sandbox-still");
        this.layer.append(path);
        continue;
      }
      this.layer.append(path, token);
      this.trips.push({ path, token, length: path.getTotalLength(), fades: trip.fades });
    }
  }

  /** The part of the beat that has passed, 0 to 1. */
  travel(part) {
    const eased = part < 0.5 ? 2 * part * part : 1 - (2 - 2 * part) ** 2 / 2;
    for (const { path, token, length, fades } of this.trips) {
      const { x, y } = path.getPointAtLength(length * eased);
      token.setAttribute("transform", `translate(${x} ${y})`);
      token.setAttribute("visibility", "visible");
      if (fades) token.setAttribute("opacity", String(Math.min(1, 2.2 * (1 - part))));
    }
  }

  clear() {
    this.trips = [];
    for (const child of [...this.layer.children]) if (!child.dataset.flash) child.remove();
  }

  /** A sign that stays a moment: done, confirmed, nacked. */
  flash(row) {
    const { geometry } = this.graph;
    const { sprites, shown: state } = this.graph.player;
    const [, , kind, , copy, source, target] = row;
    let place = null;
    let sign = "confirmed";
    if (kind === "acked") place = geometry?.socket(source[2], source[3], copy, state);
    if (kind === "sent") place = geometry?.socket(target[2], target[3], copy, state) ?? headOf(geometry, source[1]);
    if (kind === "confirmed" || kind === "nacked") {
      const node = geometry?.nodes.get(`publisher:${target[1]}`);
      place = node && [node.x + node.width - 2, node.y + 4];
      sign = kind;
    }
    if (!place) return;
    const mark = svg("g", { transform: `translate(${place[0]} ${place[1]})`, "data-flash": "1", class: "sandbox-flash" });
    const outline = born(row, state)?.deaths ? "diamond" : "token";
    if (copy) mark.append(sprites.at(`${outline}_done`, 0, 0), sprites.at("tick", 0, 0));
    else mark.append(sprites.at(sign, 0, 0));
    this.layer.append(mark);
    setTimeout(() => mark.remove(), FLASH);
  }
}

/** The way of one event's token: its points, the token around (0, 0), and whether it fades on the way. */
function way(row, scene) {
  const [, , kind, message, copy, source, target, position] = row;
  const { state, geometry, sprites } = scene;
  const isDiamond = (row[10]?.deaths ?? born(row, state)?.deaths) > 0;
  const token = (meaning = "alive", diamond = isDiamond) => wrapped(sprites.token(message, 0, 0, meaning, diamond));
  const seatOf = (queue) => geometry.seat(queue, position, state) ?? headOf(geometry, queue);
  const origin = () =>
    source[0] === "unacked" ? geometry.socket(source[2], source[3], copy, state) ?? seatOf(source[1]) : seatOf(source[1]);
  const falls = (start, meaning) => ({
    points: start && [start, [start[0], start[1] + FALL]],
    token: token(meaning),
    fades: true,
  });
  let trip = null;
  switch (kind) {
    case "published":
      trip = { points: publishing(geometry, source[1], target[1]), token: token() };
      break;
    case "routed":
      trip = { points: routing(row, scene), token: token() };
      break;
    case "refused": {
      const there = routing(row, scene, true);
      const wall = there?.at(-1);
      trip = there && { points: [...there, [wall[0] - 26, wall[1] - 16], [wall[0] - 30, wall[1] + FALL]], token: token("lost"), fades: true };
      break;
    }
    case "lost":
      trip = falls(below(geometry, source[1]), "lost");
      break;
    case "returned":
      trip = { points: publishing(geometry, target[1], source[1])?.reverse(), token: wrapped(sprites.returned(message)) };
      break;
    case "delivered":
    case "fetched":
    case "sent": {
      const end = geometry.socket(target[2], target[3], copy, state);
      const start = seatOf(source[1]);
      trip = { points: start && [start, end ?? [start[0] + 60, start[1]]], token: token() };
      break;
    }
    case "requeued":
      trip = { points: [origin(), seatOf(target[1])], token: token() };
      break;
    case "dead_lettered":
      trip = { points: dying(row, origin(), geometry), token: token("alive", true) };
      break;
    case "expired":
      trip = falls(origin(), "dead");
      break;
    case "dropped": {
      const start = origin();
      const head = headOf(geometry, source[1]);
      trip = start && head && { points: [start, [head[0] + 30, head[1]], [head[0] + 30, head[1] + FALL]], token: token("lost"), fades: true };
      break;
    }
    case "rejected":
      trip = falls(origin(), "lost");
      break;
    case "purged":
    case "removed":
      trip = falls(origin(), "dead");
      break;
    default:
  }
  return trip?.points?.every(Boolean) ? trip : null;
}

/** What a copy that is already there was born with, if that is known. */
const born = ([, , , , copy, source, , position], state) =>
  copy && source[0] !== "exchange" ? state.queues.get(source[1])?.copies.get(position) : null;

const wrapped = (token) => svg("g", {}, token);

const middle = (node) => node.y + node.height / 2;

function headOf(geometry, queue) {
  const node = geometry?.nodes.get(`queue:${queue}`);
  return node && geometry.seatAt(node, 0);
}

function below(geometry, exchange) {
  const node = geometry.nodes.get(`exchange:${exchange}`);
  return node && [node.x + node.width / 2, node.y + node.height - 4];
}

/** From a publisher to an exchange. */
function publishing(geometry, publisher, exchange) {
  const edge = geometry.edge("publish", `publisher:${publisher}`, `exchange:${exchange}`);
  if (edge) return edge.points.map((point) => [...point]);
  const node = geometry.nodes.get(`exchange:${exchange}`);
  return node && [[node.x - 36, middle(node)], [node.x, middle(node)]];
}

/** From an exchange along the bindings that were taken to a queue's wall, and on to the seat. */
function routing(row, { geometry, state }, toTheWall = false) {
  const [, , , , , source, target, position, , , what] = row;
  const lane = geometry.nodes.get(`queue:${target[1]}`);
  if (!lane) return null;
  const edges = (what?.bindings ?? []).map((binding) => geometry.byBinding.get(binding.id)).filter(Boolean);
  const points = [];
  const start = geometry.nodes.get(`exchange:${source[1]}`);
  if (start) points.push([start.x + start.width / 2, middle(start)]);
  for (const edge of edges) points.push(...edge.points.map((point) => [...point]));
  if (!edges.length && !start) points.push([lane.x - 40, middle(lane)]);
  points.push([lane.x, middle(lane)]);
  if (!toTheWall) {
    const copies = state.queues.get(target[1]);
    const count = copies ? copies.ready + copies.unacked : 0;
    const shown = geometry.seatsShown(lane, count + 1);
    points.push(shown > count ? geometry.seatAt(lane, place(row, state, count)) : [lane.x + 28, middle(lane)]);
  }
  return points;
}

/** The seat that a new copy will have, counted from the head: behind all of its priority and above. */
function place(row, state, count) {
  const queue = state.queues.get(row[6][1]);
  if (!queue || queue.options.max_priority === null) return count;
  const priority = row[10]?.priority ?? 0;
  return state.seatsOf(row[6][1], 100).filter((seat) => seat.priority >= priority).length;
}

/** From its place along the return track to the dead-letter exchange. */
function dying(row, start, geometry) {
  const queue = `queue:${row[5][1]}`;
  const edge = (geometry.out.get(queue) ?? []).find((found) => found.kind === "dead_letter");
  if (!start) return null;
  return edge ? [start, ...edge.points.map((point) => [...point])] : [start, [start[0], start[1] + FALL]];
}

