// A stretch of the history: the state before it, its events, and how the picture was laid out along it.

import { EMPTY, Geometry } from "./geometry.js";
import { State } from "./state.js";

const MOST_EVENTS = 20000;
const CHECKPOINT = 250;

/** The events `first` to `last`, of which any state can be rebuilt. */
export class Window {
  /** @param {any} update with the encoded `state`, `events` after it, and `layouts` */
  constructor(update) {
    this.checkpoints = [State.from(update.state)];
    this.events = [];
    this.layouts = [];
    this.extend(update);
  }

  get start() {
    return this.checkpoints[0].serial;
  }

  get last() {
    return this.start + this.events.length;
  }

  has(serial) {
    return this.start <= serial && serial <= this.last;
  }

  /** @returns {any[] | undefined} */
  row(serial) {
    return this.events[serial - this.start - 1];
  }

  extend({ events = [], layouts = [] }) {
    for (const row of events) this.events.push(row);
    for (const [serial, wide, narrow, folded] of layouts) this.layouts.push({ serial, wide, narrow, folded });
    if (this.events.length > MOST_EVENTS) this.forget(MOST_EVENTS / 2);
  }

  /** Fold the oldest events into the state before the first. */
  forget(count) {
    const start = this.stateAt(this.start + count);
    this.checkpoints = [start, ...this.checkpoints.filter((state) => state.serial > start.serial)];
    this.events = this.events.slice(count);
    const current = this.layouts.findLastIndex((layout) => layout.serial <= start.serial);
    this.layouts = this.layouts.slice(Math.max(0, current));
  }

  /** The state after an event of this window. */
  stateAt(serial) {
    const place = this.checkpoints.findLastIndex((state) => state.serial <= serial);
    const state = this.checkpoints[place].clone();
    while (state.serial < serial) {
      state.apply(this.row(state.serial + 1));
      if (state.serial % CHECKPOINT === 0 && state.serial > this.checkpoints.at(-1).serial) {
        this.checkpoints.push(state.clone());
      }
    }
    return state;
  }

  /** The layout that holds at a moment: the latest that is not later, or else the first one. */
  geometryAt(serial, isNarrow) {
    let place = this.layouts.findLastIndex((layout) => layout.serial <= serial);
    if (place < 0) place = 0;
    const layout = this.layouts[place];
    if (!layout) return new Geometry(EMPTY);
    const size = isNarrow && layout.narrow ? "narrow" : "wide";
    layout.geometry ??= {};
    return (layout.geometry[size] ??= new Geometry(layout[size], layout.folded));
  }
}
