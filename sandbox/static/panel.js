// A region made of HTML that follows the player: drawn once a frame at most, and never under a pressed pointer.

import { html } from "./svg.js";

export class Panel {
  /**
   * @param {HTMLElement} root
   * @param {import("./player.js").Player} player
   * @param {string[]} kinds of what the player says that let it draw anew
   * @param {object} attributes of its element
   */
  constructor(root, player, kinds, attributes) {
    this.player = player;
    this.root = html("div", { "data-lm-suppress-shortcuts": "true", ...attributes });
    root.append(this.root);
    this.ends = kinds.map((kind) => player.on(kind, () => this.later()));
    // What is replaced between the press and the release of a button would lose the click.
    this.listen(this.root, "pointerdown", () => (this.isPressed = true));
    const release = () => {
      if (!this.isPressed) return;
      this.isPressed = false;
      setTimeout(() => this.later());
    };
    for (const kind of ["pointerup", "pointercancel"]) this.listen(window, kind, release);
    this.listen(this.root, "keydown", (event) => event.stopPropagation()); // keys typed here are not the notebook's
  }

  listen(target, kind, listener) {
    target.addEventListener(kind, listener);
    this.ends.push(() => target.removeEventListener(kind, listener));
  }

  /** What is shown of the player; nothing, unless a region says what. */
  draw() {}

  later() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      if (!this.isPressed && this.ends.length) this.draw();
    });
  }

  end() {
    for (const end of this.ends) end();
    this.ends = [];
  }
}
