// The player of the history: a playhead moves over events, and what is drawn is the state at the playhead.

import { HOP, SLOW_HOP, STILL_HOP, beatAfter, playingTime, travels } from "./beats.js";
import { Depths } from "./depths.js";
import { messagesOf } from "./doors.js";
import { Kept } from "./kept.js";
import { Lookers } from "./lookers.js";
import { GONE } from "./phrases.js";
import { Rates } from "./rates.js";
import { Requests } from "./requests.js";
import { Speaker } from "./speaker.js";
import { Sprites } from "./sprites.js";
import { State } from "./state.js";
import { Window } from "./window.js";

const HURRY = 1500; // ms of playing still to come, from which on it goes four times faster
const TOO_LATE = 4 * 6000; // ms of playing still to come, from which on nothing but numbers is shown
const MOST_AT_ONCE = 500; // events that nobody sees travel, between two frames
const NONE = [];

/**
 * Shown views subscribe to what it says:
 * `frame` (the state shown has changed), `status` (live, past, flow, closed),
 * `beat`, `travel` and `landed` (tokens begin to travel, have gone so far, are there), `passed` (an event has happened),
 * `selected`, `filtered`, `unfold` (a folded rest shall be listed),
 * `told` (an answer of the broker), `program` (what was done by hand).
 */
export class Player extends Speaker {
  /**
   * @param {(message: object) => void} send to Python
   * @param {{sprites: object}} look
   */
  constructor(send, look) {
    super();
    this.send = send;
    this.requests = new Requests(send);
    this.messages = new Kept(); // those that are chosen
    this.sprites = new Sprites(look.sprites);
    this.window = null;
    this.past = null; // a window that was asked for, while the playhead is before the first event of ours
    this.shown = null;
    this.following = true;
    this.flowing = false;
    this.beat = null;
    this.lifted = new Set(); // copies whose tokens travel: they are not at their places
    this.rates = new Rates();
    this.depths = new Depths();
    this.clock = { kind: "manual", now: 0, at: 0, due: null };
    this.open = true;
    this.alive = true;
    this.byHand = { channels: [], consumers: [], messages: [] };
    this.program = { lines: [] };
    this.selection = null;
    this.filter = null;
    this.slow = false;
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.lookers = new Lookers(this);
  }

  say(kind, value) {
    if (kind === "status") this.lookers.notice();
    super.say(kind, value);
  }

  // ---------------------------------------------------------------- what Python sends

  receive(message) {
    const handler = {
      start: this.begin,
      events: this.goOn,
      flow: this.flow,
      past: this.show,
      answer: this.answer,
      program: (update) => this.say("program", (this.program = update)),
      over: this.end,
    };
    handler[message.kind]?.call(this, message);
  }

  /** Ask Python for a start, once until it comes. */
  beginAnew() {
    if (this.waitsForStart) return;
    this.waitsForStart = true;
    this.send({ need: -1 });
  }

  note(update) {
    this.clock = { ...this.clock, ...update.clock, at: performance.now() };
    this.open = update.open ?? this.open;
    this.byHand = update.by_hand ?? this.byHand;
  }

  /** Begin anew, at the last event. */
  begin(update) {
    this.waitsForStart = false;
    this.note(update);
    this.window = new Window(update);
    this.first = update.first;
    this.last = this.window.last;
    this.depths.begin(update.depths, this.window);
    this.rates.count(this.last);
    if (this.flowing) this.leaveFlow();
    else if (!this.shown || this.following) this.jump(this.last);
    else {
      const isStepping = Boolean(this.beat);
      this.finishBeat();
      this.seek(isStepping ? this.shown.serial : this.wanted);
    }
  }

  /** More events. */
  goOn(update) {
    if (!this.window || update.after !== this.window.last) {
      this.beginAnew();
      return;
    }
    this.note(update);
    this.first = update.first;
    this.window.extend(update);
    this.last = this.window.last;
    this.depths.extend(update.events);
    this.rates.count(this.last);
    if (this.flowing) {
      const state = this.window.stateAt(this.last);
      this.rates.take(state);
      this.showFlow(state);
    } else if (this.following) this.play();
    else this.say("status");
    if (!update.events.length) this.say("frame");
  }

  /** Too much to send each event: the state alone. */
  flow(update) {
    this.note(update);
    const state = State.from(update.state);
    this.rates.take(state);
    this.last = state.serial;
    this.first = update.first;
    this.depths.jump(state);
    this.rates.count(this.last);
    this.waitsForStart = false; // whatever became of the answer: the page is told of the present
    this.flowLayout = update.layouts?.length ? new Window(update) : this.flowLayout;
    this.window = null;
    if (this.following) this.showFlow(state);
    else this.say("status");
  }

  /** A stretch of the past that was asked for. */
  show(update) {
    const { start, last } = (this.past = new Window(update));
    if (this.following) return;
    // What is forgotten by now does not come, however often one asks for it.
    this.seek(Math.max(start, Math.min(this.wanted, last)));
  }

  answer(update) {
    this.note(update);
    this.requests.end(update);
    if (update.says === undefined) this.say("told", update);
    this.say("status");
  }

  // ---------------------------------------------------------------- the playhead

  /** Whether the playhead stands before the last event because somebody put it there. */
  get inThePast() {
    return !this.following && this.shown !== null && this.shown.serial < this.last;
  }

  /** Where the playhead is in time: while a beat plays, already at the time of what happens. */
  get playheadTime() {
    return this.following && this.beat ? this.beat.rows[0][1] : this.shown.time;
  }

  get time() {
    if (!this.shown) return 0;
    if (this.inThePast || (this.shown.serial < this.last && !this.flowing)) return this.shown.time;
    return this.now;
  }

  /** The broker's time: that of its last word, and if it is real time, what has passed since. */
  get now() {
    const { kind, now, at } = this.clock;
    return kind === "wall" && this.open && this.alive ? now + (performance.now() - at) / 1000 : now;
  }

  /** Where things stand at the playhead, in a wide picture or in a narrow one. */
  geometry(isNarrow = false) {
    if (this.flowing && !this.window) return this.flowLayout?.geometryAt(Infinity, isNarrow);
    const stretch = this.stretch ?? this.window;
    const serial = this.beat ? this.beat.rows.at(-1)[0] : this.shown.serial;
    return stretch?.geometryAt(serial, isNarrow);
  }

  /** The events around the playhead that are known. */
  get events() {
    return (this.stretch ?? this.window)?.events ?? NONE;
  }

  row(serial) {
    return this.stretch?.row(serial) ?? this.window?.row(serial);
  }

  /** Put the playhead after an event; the picture follows at once. */
  seek(serial) {
    this.wanted = Math.max(0, Math.min(serial, this.last));
    this.following = false;
    this.flowing = false;
    this.stopBeat();
    const stretch = [this.window, this.past].find((found) => found?.has(this.wanted));
    if (!stretch) {
      this.send({ need: this.wanted });
      return;
    }
    this.jump(this.wanted, stretch);
  }

  jump(serial, stretch = this.window) {
    this.stopBeat();
    this.stretch = stretch;
    this.shown = stretch.stateAt(serial);
    this.say("frame");
    this.say("status");
    if (this.following && this.shown.needsMore()) this.beginAnew();
  }

  /** Follow the last event again. */
  follow() {
    this.following = true;
    this.waitsForStart = false;
    this.stopBeat();
    if (this.window) this.jump(this.window.last);
    else this.beginAnew();
  }

  /** Freeze the picture, or follow. */
  freeze() {
    if (!this.following) this.follow();
    else this.seek(this.shown?.serial ?? 0);
  }

  /** By so many events; one forward is seen to travel. */
  step(count) {
    if (!this.shown) return;
    this.following = false;
    if (count === 1 && this.shown.serial < this.last && this.row(this.shown.serial + 1)) {
      this.finishBeat();
      const row = this.row(this.shown.serial + 1);
      if (row) this.startBeat([row]);
      return;
    }
    this.seek(this.shown.serial + count);
  }

  // ---------------------------------------------------------------- playing

  play() {
    if (this.beat || this.flowing) return;
    const rowAt = (serial) => this.window.row(serial);
    this.stretch = this.window;
    const behind = playingTime(rowAt, this.shown.serial, this.last, TOO_LATE);
    if (behind >= TOO_LATE || document.hidden) {
      if (document.hidden) this.jump(this.last);
      else this.enterFlow();
      return;
    }
    this.hurry = behind > HURRY;
    for (let count = 0; this.shown.serial < this.last && count < MOST_AT_ONCE; count += 1) {
      const rows = beatAfter(rowAt, this.shown.serial);
      if (travels(rows[0])) {
        this.startBeat(rows);
        return;
      }
      this.land(rows);
    }
    this.showLanded();
    if (this.shown.serial < this.last) requestAnimationFrame(() => this.following && this.play());
  }

  startBeat(rows) {
    if (!travels(rows[0])) {
      this.land(rows);
      this.showLanded();
      return;
    }
    const quick = this.hurry && this.following ? HOP / 4 : HOP;
    const length = this.slow ? SLOW_HOP : this.still.matches ? STILL_HOP : quick;
    this.beat = { rows, length, began: null };
    this.lifted = new Set(rows.map((row) => row[4]).filter(Boolean));
    this.say("beat", this.beat);
    this.say("frame");
    requestAnimationFrame((time) => this.tick(this.beat, time));
  }

  tick(beat, time) {
    if (beat !== this.beat || beat === null) return;
    beat.began ??= time; // a frame's time may be earlier than the clock's when the beat began
    const part = (time - beat.began) / beat.length;
    if (part < 1) {
      this.say("travel", part);
      requestAnimationFrame((later) => this.tick(beat, later));
      return;
    }
    this.finishBeat();
    this.showLanded();
    if (this.following) this.play();
  }

  finishBeat() {
    if (!this.beat) return;
    const { rows } = this.beat;
    this.stopBeat();
    this.land(rows);
  }

  stopBeat() {
    if (!this.beat) return;
    this.beat = null;
    this.lifted = new Set();
    this.say("landed");
  }

  /** The events have happened, in the picture too. */
  land(rows) {
    for (const row of rows) {
      this.say("passed", row);
      this.shown.apply(row);
    }
    if (!this.following) this.wanted = this.shown.serial;
  }

  /** What has landed is to be seen, and perhaps copies that were behind it. */
  showLanded() {
    if (this.following && this.shown.needsMore()) this.beginAnew();
    this.say("frame");
    this.say("status");
  }

  // ---------------------------------------------------------------- flow: numbers instead of tokens

  enterFlow() {
    this.flowing = true;
    this.showFlow(this.window.stateAt(this.last));
  }

  showFlow(state) {
    this.stopBeat();
    this.flowing = true;
    this.stretch = null;
    this.shown = state;
    this.say("frame");
    this.say("status");
    this.flowTimer ??= setInterval(() => this.mayLeaveFlow(), 250);
  }

  mayLeaveFlow() {
    if (!this.flowing) this.stopFlowTimer();
    else if (this.rates.calm) {
      if (this.window) this.leaveFlow();
      else this.beginAnew();
      this.stopFlowTimer();
    } else this.say("frame");
  }

  stopFlowTimer() {
    clearInterval(this.flowTimer);
    this.flowTimer = null;
  }

  leaveFlow() {
    this.flowing = false;
    this.stopFlowTimer();
    if (this.following) this.jump(this.last);
    else this.seek(this.wanted ?? this.last);
  }

  // ---------------------------------------------------------------- commands and selection

  /** Let the broker do something by hand; its answer comes later. */
  command(name, args) {
    return this.requests.command(name, args);
  }

  /** Why nothing can be done by hand; "" if it can. */
  get whyOff() {
    if (!this.alive) return GONE;
    if (!this.open) return "This broker is closed.";
    return this.inThePast ? "You look at the past: go back to live to do something." : "";
  }

  /** @param {string | null} id of a node, or "message:7" */
  select(id) {
    this.selection = id === this.selection ? null : id;
    this.say("selected", this.selection);
    this.say("frame");
  }

  /** Show in the log, and light in the picture, what a term of the ledger counts; the same again, or null: all. */
  filterBy(filter) {
    this.filter = filter && this.filter?.word === filter.word ? null : filter;
    this.say("filtered");
    this.say("frame");
  }

  // ---------------------------------------------------------------- who looks, and at what

  /** A view looks from now on, until it is detached. */
  attach() {
    return this.lookers.attach();
  }

  /** The messages that the chosen term of the ledger counts, or null. */
  get chosen() {
    if (!this.filter) return null;
    const { filter, shown, events } = this;
    const facts = [filter.word, shown, shown.serial, events, events.length];
    return this.messages.of(facts, () => messagesOf(filter.word, shown, events));
  }

  /** The kernel, or the broker, is gone: the picture stays. */
  end() {
    if (!this.alive) return;
    this.alive = false;
    this.requests.endAll();
    this.say("status");
  }
}
