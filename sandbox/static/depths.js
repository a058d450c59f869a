// How deep each queue was, event by event: one series of points per queue, thinned so that a whole run fits.

const MOST_POINTS = 600;

/** Points are [serial, time, ready, unacked]: how deep a queue was from that event on. */
export class Depths {
  constructor() {
    this.series = new Map();
    this.peaks = new Map(); // the most that was ever in each
    this.marks = new Map(); // [serial, time, kind] of what was lost to a queue: ticks on its baseline
  }

  /** What Python knows, up to the end of the window. */
  begin(series, window) {
    this.series = new Map(Object.entries(series));
    this.peaks = new Map(Object.entries(series).map(([name, points]) => [name, Math.max(0, ...points.map(depth))]));
    this.marks = new Map();
    for (const row of window.events) this.mark(row);
  }

  /** The window goes on. */
  extend(rows) {
    for (const row of rows) {
      this.mark(row);
      this.follow(row);
    }
  }

  follow(row) {
    const [serial, time, kind, , copy, source, target] = row;
    if (kind === "queue_declared") this.add(target[1], [serial, time, 0, 0]);
    if (!copy || kind === "handed") return;
    const born = source[0] === "exchange";
    const queue = born ? target[1] : source[1];
    const last = this.series.get(queue)?.at(-1) ?? [0, 0, 0, 0];
    const change = (place) => [place === "ready" ? 1 : 0, place === "unacked" ? 1 : 0];
    const [outReady, outUnacked] = born ? [0, 0] : change(source[0]);
    const [inReady, inUnacked] = change(target[0]);
    this.add(queue, [serial, time, last[2] - outReady + inReady, last[3] - outUnacked + inUnacked]);
  }

  /** All queues are as deep as this state says. */
  jump(state) {
    for (const [name, queue] of state.queues) {
      const last = this.series.get(name)?.at(-1);
      if (!last || last[2] !== queue.ready || last[3] !== queue.unacked) {
        this.add(name, [state.serial, state.time, queue.ready, queue.unacked]);
      }
    }
  }

  add(queue, point) {
    const points = this.series.get(queue) ?? [];
    points.push(point);
    this.peaks.set(queue, Math.max(this.peak(queue), depth(point)));
    this.series.set(queue, points.length > MOST_POINTS ? thinned(points) : points);
  }

  mark(row) {
    const kind = row[6]?.[0];
    if (kind !== "dropped" && kind !== "expired" && kind !== "refused" && kind !== "dead_lettered") return;
    const marks = this.marks.get(row[6][1]) ?? [];
    marks.push([row[0], row[1], kind === "dead_lettered" ? "diamond" : "cross"]);
    this.marks.set(row[6][1], marks.slice(-MOST_POINTS));
  }

  /** The most that was ever in a queue. */
  peak(queue) {
    return this.peaks.get(queue) ?? 0;
  }
}

const depth = (point) => point[2] + point[3];

/** About half of the points, with the deepest and the shallowest of every four. */
function thinned(points) {
  const kept = [points[0]];
  for (let start = 1; start < points.length - 1; start += 4) {
    const group = points.slice(start, Math.min(start + 4, points.length - 1));
    const low = group.reduce((a, b) => (depth(b) < depth(a) ? b : a));
    const high = group.reduce((a, b) => (depth(b) > depth(a) ? b : a));
    kept.push(...(low === high ? [low] : [low, high].sort((a, b) => a[0] - b[0])));
  }
  return [...kept, points.at(-1)];
}
