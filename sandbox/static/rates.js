// How fast events come, over the last two seconds: when it is too fast for tokens, and when calm again.

const SPAN = 2000; // ms
const CALM = 10; // events a second

export class Rates {
  constructor() {
    this.samples = [];
    this.taken = []; // how often each binding had been taken, at some moments
  }

  /** A state in flow view: how often each binding was taken by now. */
  take(state) {
    const now = performance.now();
    this.taken.push([now, new Map([...state.bindings].map(([id, { taken }]) => [id, taken]))]);
    while (this.taken.length > 2 && this.taken[1][0] < now - SPAN) this.taken.shift();
  }

  /** How often a second a binding is taken. */
  of(binding) {
    if (this.taken.length < 2) return 0;
    const [[began, first], [ended, last]] = [this.taken[0], this.taken.at(-1)];
    const span = Math.max(ended, performance.now()) - began;
    return (((last.get(binding) ?? 0) - (first.get(binding) ?? 0)) * 1000) / Math.max(span, 250);
  }

  /** The last event is that one, now. */
  count(serial) {
    const now = performance.now();
    this.samples.push([now, serial]);
    while (this.samples.length > 2 && this.samples[1][0] < now - SPAN) this.samples.shift();
  }

  /** Events a second. */
  get rate() {
    const now = performance.now();
    const recent = this.samples.filter(([at]) => at >= now - SPAN);
    if (!recent.length) return 0;
    const before = this.samples[this.samples.length - recent.length - 1] ?? recent[0];
    return ((recent.at(-1)[1] - before[1]) * 1000) / SPAN;
  }

  get calm() {
    return this.rate < CALM;
  }
}
