// What a drawing function may see: the state at the playhead, where things stand, and what is in flight.

/** @typedef {import("./state.js").State} State */

const KEEPS_SEAT = new Set(["requeued", "delivered", "fetched"]);

export class Scene {
  /** @param {import("./player.js").Player} player */
  constructor(player, isNarrow) {
    this.player = player;
    this.state = player.shown;
    this.geometry = player.geometry;
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
    return this.player.selection ? related(this.player.selection, this) : null;
  }
}

/** A node with everything upstream and downstream of it; a message with where its copies are. */
function related(selection, scene) {
  const { geometry, state } = scene;
  if (selection.startsWith("message:")) return placesOf(Number(selection.slice(8)), geometry, state);
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

function placesOf(message, geometry, state) {
  const found = new Set();
  for (const [name] of state.queues) {
    for (const seat of state.seatsOf(name, 1000)) {
      if (seat.message !== message) continue;
      found.add(`queue:${name}`);
      if (seat.unacked) found.add(geometry.holder(seat.channel, seat.consumer)?.id);
    }
  }
  return found;
}
