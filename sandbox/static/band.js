// What the picture shows if it is not the broker as it is now: the past, a step, or a broker that is gone.

import { clockTime, eventWords } from "./phrases.js";
import { html } from "./svg.js";

export class Band {
  constructor(root, player) {
    this.player = player;
    this.text = html("span", { role: "status" });
    const button = (label, click, title) => html("button", { type: "button", click, title }, label);
    this.back = button("Back to live", () => player.follow(), "follow the last event again (End)");
    this.previous = button("Previous event", () => player.step(-1), "Comma");
    this.next = button("Next event", () => player.step(1), "Full stop");
    this.coming = html("span", { class: "sandbox-coming" });
    this.root = html(
      "div",
      { class: "sandbox-band", hidden: true },
      this.text,
      html("span", { class: "sandbox-buttons" }, this.previous, this.next, this.back),
      this.coming,
    );
    root.append(this.root);
    this.ends = [player.on("status", () => this.draw()), player.on("frame", () => this.draw())];
    this.draw();
  }

  end() {
    for (const end of this.ends) end();
  }

  draw() {
    const { player } = this;
    const isOver = !player.alive || !player.open;
    const isBehind = !player.following && player.shown;
    this.root.hidden = !isOver && !isBehind;
    if (isOver) this.say(player.alive ? "This broker is closed: the picture stays as it was." : ENDED);
    else if (isBehind) {
      const { shown, last } = player;
      const there = `You look at event ${shown.serial} (${clockTime(shown.time)}).`;
      this.say(shown.serial < last ? `${there} The broker is at event ${last}.` : `${there} The picture is frozen.`);
      const row = player.row(shown.serial + 1);
      this.coming.textContent = row ? `next: ${eventWords(row)}` : "";
    }
    for (const part of [this.back, this.previous, this.next, this.coming]) part.hidden = !isBehind;
    this.previous.disabled = player.shown?.serial < player.first;
    this.next.disabled = player.shown?.serial >= player.last;
  }

  say(text) {
    if (this.text.textContent !== text) this.text.textContent = text;
  }
}

const ENDED = "The broker or its kernel is gone: the picture stays as it was. Run the cell again for a new one.";
