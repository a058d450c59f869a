// What a drawing function may see: the state at the playhead, where things stand, and what is in flight.

import { EMPTY, Geometry } from "./geometry.js";

/** @typedef {import("./state.js").State} State */

const KEEPS_SEAT = new Set(["requeued", "delivered", "fetched"]);

export class Scene {
  /** @param {import("./player.js").Player} player */
  constructor(player, isNarrow) {
    this.player = player;
    this.state = player.shown;
    this.geometry = player.geometry(isNarrow) ?? new Geometry(EMPTY);
    this.sprites = player.sprites;
    this.time = player.time;
    this.lifted = player.lifted;
    this.flow = player.flowing;
    this.isNarrow = isNarrow;
    this.returning = new Set(); // of the lifted, those that keep a seat: on their way to a consumer, or back
    for (const row of player.beat?.rows ?? []) if (KEEPS_SEAT.has(row[2])) this.returning.add(row[4]);
  }

  /** The depth of the deepest queue: the full length of a bar. */
  get deepest() {
    return Math.max(1, ...[...this.state.queues.values()].map((queue) => queue.ready + queue.unacked));
  }

  /** How often a line's bindings were taken, and in flow view how often a second. */
  traffic(line) {
    let taken = 0;
    for (const id of line.bindings ?? []) taken += this.state.bindings.get(id)?.taken ?? 0;
    const rate = this.flow ? (line.bindings ?? []).reduce((sum, id) => sum + this.player.rates.of(id), 0) : 0;
    return { taken, rate: Math.round(rate) };
  }

  /** What is lit while something is selected or filtered: ids of nodes, or null for everything. */
  get lit() {
    const { selection } = this.player;
    const isThere = selection && (selection.startsWith("message:") || this.geometry.nodes.has(selection));
    return isThere ? related(selection, this) : null; // what is gone dims nothing
  }
}

/** A node with everything upstream and downstream of it; a message with where its copies are. */
function related(selection, scene) {
  const { geometry, state } = scene;
  if (selection.startsWith("message:")) return keptPath(Number(selection.slice(8)), scene);
  const found = new Set([selection]);
  const walk = (edges, end) => {
    const waiting = [selection];
    while (waiting.length) {
      for (const edge of edges.get(waiting.pop()) ?? []) {
        const next = edge[end];
        if (next && !found.has(next)) waiting.push(next);
        found.add(next).add(edge);
      }
    }
  };
  walk(geometry.out, "target");
  const downstream = new Set(found);
  found.clear();
  found.add(selection);
  walk(geometry.into, "source");
  for (const item of downstream) found.add(item);
  for (const node of geometry.nodes.values()) {
    if (node.kind !== "channel") continue;
    const shares = [...found].some((id) => typeof id === "string" && id.startsWith(`consumer:${node.channel}:`));
    if (shares) found.add(node.id);
  }
  return found;
}

function keptPath(message, scene) {
  const { events } = scene.player;
  const facts = [message, scene.state.serial, events, events.length];
  return scene.geometry.path.of(facts, () => pathOf(message, scene));
}

/** Wherever a message and its copies have been up to the playhead, with the lines between. */
function pathOf(message, { player, geometry, state }) {
  const found = new Set();
  for (const row of player.events) {
    if (row[0] > state.serial) break;
    if (row[3] !== message) continue;
    const [, , kind, , , source, target, , , , what] = row;
    for (const place of [source, target]) for (const id of nodesOf(place, geometry)) found.add(id);
    if (kind === "published") found.add(geometry.edge("publish", `publisher:${source[1]}`, `exchange:${target[1]}`));
    if (kind === "dead_lettered") for (const edge of geometry.out.get(`queue:${source[1]}`) ?? []) edge.kind === "dead_letter" && found.add(edge);
    for (const binding of what?.bindings ?? []) {
      const edge = geometry.byBinding.get(binding.id);
      if (edge) found.add(edge).add(edge.source).add(edge.target);
    }
    if (target?.[3]) found.add(geometry.edge("consume", `queue:${source[1]}`, `consumer:${target[2]}:${target[3]}`));
  }
  return found;
}

/** The nodes of a place. */
function nodesOf([kind, name, channel, consumer], geometry) {
  if (kind === "publisher" || kind === "returned") return [`publisher:${name}`];
  if (kind === "exchange" || kind === "lost") return [`exchange:${name}`];
  const holder = channel ? geometry.holder(channel, consumer)?.id : null;
  return holder ? [`queue:${name}`, holder] : [`queue:${name}`];
}
