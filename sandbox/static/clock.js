// The broker's clock.  Only this bar moves it; the playhead moves the eye.

import { clockTime } from "./phrases.js";
import { html } from "./svg.js";

const SPEEDS = [1, 10, 60];
const BEAT = 250; // ms between two advances while it plays

export class ClockBar {
  constructor(root, player) {
    this.player = player;
    this.time = html("strong", {});
    this.name = html("span", { class: "sandbox-name" });
    const run = (name, args) => () => this.run(name, args);
    this.step = html("button", { type: "button", click: run("step") });
    this.more = html("button", { type: "button", click: run("advance", { seconds: 10 }) }, "+10 s");
    const number = { type: "number", min: "0", step: "any", value: "1", required: true };
    this.amount = html("input", { ...number, "aria-label": "seconds to advance" });
    this.advance = html("button", { type: "button", click: () => this.advanceBy(this.amount) }, "Advance");
    this.idle = html("button", { type: "button", click: run("run_until_idle") }, "Run until idle");
    this.speeds = SPEEDS.map((speed) =>
      html(
        "button",
        { type: "button", "aria-pressed": "false", click: () => this.play(speed), "aria-label": `Play at ${speed} times` },
        `${speed}x`,
      ),
    );
    this.by = html("span", { class: "sandbox-by" }, this.amount, " s", this.advance);
    this.manual = html("span", { class: "sandbox-buttons" }, this.step, this.more, this.by, this.idle, html("span", { class: "sandbox-by" }, "Play", ...this.speeds));
    this.real = html(
      "span",
      { class: "sandbox-muted" },
      "Real time. To move it by hand: sandbox.Broker(clock=sandbox.ManualClock())",
    );
    this.root = html(
      "div",
      { class: "sandbox-clock", role: "toolbar", "aria-label": "Clock" },
      this.name,
      html("span", { class: "sandbox-time" }, "Clock ", this.time),
      this.manual,
      this.real,
    );
    root.append(this.root);
    this.ends = [player.on("frame", () => this.draw()), player.on("status", () => this.draw())];
    this.ticking = setInterval(() => this.player.clock.kind === "wall" && !document.hidden && this.draw(), 1000);
    this.draw();
  }

  end() {
    for (const end of this.ends) end();
    clearInterval(this.ticking);
    this.speed = 0;
  }

  draw() {
    const { player } = this;
    const { kind, due, name } = player.clock;
    this.name.textContent = name ?? "";
    this.time.textContent = clockTime(player.now);
    const isManual = kind === "manual";
    this.manual.hidden = !isManual;
    this.real.hidden = isManual;
    const off = player.whyOff !== "";
    if (off) this.speed = 0; // nobody shall have to go back to live to stop it
    for (const button of [this.more, this.advance, this.idle, this.amount, ...this.speeds]) button.disabled = off;
    this.step.disabled = off || !due;
    this.step.textContent = due ? `Step: ${due.words}, ${clockTime(due.time)}` : "Step: nothing is due";
    this.speeds.forEach((button, index) => button.setAttribute("aria-pressed", String(this.speed === SPEEDS[index])));
  }

  run(name, args = {}) {
    return this.player.command(name, args);
  }

  /** By what was typed; if that is no time, the browser says so. */
  advanceBy(field) {
    if (field.reportValidity()) this.run("advance", { seconds: field.valueAsNumber });
  }

  /** Advance again and again, each time after the answer: a busy kernel only makes it slower. */
  async play(speed) {
    this.speed = this.speed === speed ? 0 : speed;
    this.draw();
    if (this.plays) return; // it will notice
    this.plays = true;
    while (this.speed) {
      const answer = await this.run("advance", { seconds: (this.speed * BEAT) / 1000 });
      if (!answer.ok) this.speed = 0;
      await new Promise((resolve) => setTimeout(resolve, BEAT));
    }
    this.plays = false;
    this.draw();
  }
}
