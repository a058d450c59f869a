// Where everything stands in the picture: seats, sockets, and the ways between them.  Coordinates are the layout's.

import { Kept } from "./kept.js";
import { SEATS, consumerKey } from "./state.js";

/** The measures of measures.py that a picture needs, in px. */
export const SEAT = 28;
export const LANE_HEIGHT = 30;
const PALM = 24;
const WIDE = { narrow: false, seats: SEATS, at_the_head: 5, sockets: 8, grasp: 8, gate: 12 };

/** The layout of a broker in which there is nothing. */
export const EMPTY = { width: 560, height: 96, nodes: [], edges: [] };

/** A layout with its nodes and edges by name. */
export class Geometry {
  /** @param {string[]} folded the ids of what is not drawn, because there is too much */
  constructor(layout, folded = []) {
    this.layout = layout;
    this.folded = folded;
    this.measures = layout.measures ?? WIDE;
    this.path = new Kept(); // of the message that is selected
    this.nodes = new Map(layout.nodes.map((node) => [node.id, node]));
    this.out = groupBy(layout.edges, (edge) => edge.source);
    this.into = groupBy(layout.edges, (edge) => edge.target);
    this.byBinding = new Map(
      layout.edges.flatMap((edge) => (edge.bindings ?? []).map((binding) => [binding, edge])),
    );
  }

  /** The way of one kind between two nodes, or undefined. */
  edge(kind, source, target) {
    return (this.out.get(source) ?? []).find((edge) => edge.kind === kind && edge.target === target);
  }

  /** How many seats a lane shows one by one, of so many copies; the rest is a bar. */
  seatsShown(node, copies) {
    const room = Math.min(this.measures.seats, Math.floor((node.width + 0.5) / SEAT));
    return copies <= room ? copies : Math.min(this.measures.at_the_head, Math.max(1, room - 2));
  }

  /** The middle of the seat with this index, counted from the head. */
  seatAt(node, index) {
    return [node.x + node.width - SEAT * (index + 0.5), node.y + node.height / 2];
  }

  /** Where a copy sits in its lane, or where it is within the bar. */
  seat(queue, position, state) {
    const node = this.nodes.get(`queue:${queue}`);
    const found = state.queues.get(queue);
    if (!node || !found) return null;
    const copies = found.ready + found.unacked;
    const shown = this.seatsShown(node, copies);
    const index = state.seatsOf(queue, shown).findIndex((seat) => seat.position === position);
    if (index >= 0) return this.seatAt(node, index);
    return shown < copies ? [node.x + SEAT, node.y + node.height / 2] : this.seatAt(node, shown);
  }

  /** The node that holds what a channel (and a consumer) holds. */
  holder(channel, consumer) {
    return this.nodes.get(`consumer:${channel}:${consumer}`) ?? this.nodes.get(`hand:${channel}`);
  }

  /** How many sockets a holder shows, of so many held. */
  socketsShown(node, held, prefetch) {
    const wanted = Math.max(held, prefetch);
    const start = node.kind === "hand" ? PALM : 0;
    const room = Math.max(1, Math.floor((node.width - start - 4) / SEAT));
    const most = node.kind === "hand" ? this.measures.grasp : this.measures.sockets;
    return wanted <= Math.min(room, most) ? wanted : Math.max(1, Math.min(this.measures.at_the_head, room - 2));
  }

  socketAt(node, index) {
    const start = node.kind === "hand" ? PALM : 0;
    return [node.x + start + 4 + SEAT * (index + 0.5), node.y + node.height / 2];
  }

  /** Where a held copy is, or where the next one would be. */
  socket(channel, consumer, copy, state) {
    const node = this.holder(channel, consumer);
    if (!node) return null;
    const tag = node.kind === "hand" ? "" : consumer;
    const held = state.heldBy(channel, tag, SEATS);
    const index = held.findIndex((seat) => seat.copy === copy);
    const view = state.consumers.get(consumerKey(channel, consumer));
    const shown = this.socketsShown(node, held.length + (index < 0 ? 1 : 0), view?.prefetch ?? 0);
    return this.socketAt(node, Math.min(index < 0 ? held.length : index, shown));
  }
}

function groupBy(items, key) {
  const groups = new Map();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}
