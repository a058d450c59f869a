// Presses of the forms' buttons.  While the kernel is busy a front end holds back what is typed, but not a press, and
// the two may even be handled out of order.  So a press carries with it what its form says.

import { GONE } from "./phrases.js";

export class Presses {
  /**
   * @param {HTMLElement} root stands beside the forms, in their region
   * @param {import("./player.js").Player} player
   * @param {any} model of the view, which knows the forms: the ids of their fields' and buttons' models
   */
  constructor(root, player, model) {
    this.root = root;
    this.player = player;
    this.model = model;
    this.ends = new AbortController();
    if (!model?.widget_manager?.get_model) return; // then the front end does as it does
    this.listen("click", (event) => this.click(event));
    this.listen("keydown", (event) => this.enter(event));
  }

  /** Before the front end does: from outside in. */
  listen(kind, listener) {
    document.addEventListener(kind, listener, { capture: true, signal: this.ends.signal });
  }

  end() {
    this.ends.abort();
  }

  click(event) {
    if (this.press(event.target.closest?.("button"))) event.stopPropagation();
  }

  /** Enter in a field of one line presses the first button of its form. */
  enter(event) {
    const field = event.target;
    if (event.key !== "Enter" || event.isComposing || !(field instanceof HTMLInputElement)) return;
    if (field.closest(".sandbox-view")) return; // not of a form
    let form = field.parentElement;
    while (form && !form.querySelector("button.mod-primary")) form = form.parentElement;
    field.dispatchEvent(new Event("change", { bubbles: true })); // a number is taken over when it is done with
    if (!this.press(form?.querySelector("button.mod-primary"))) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @returns {boolean} whether it is a button of our forms */
  press(button) {
    if (!button || !this.root.closest(".sandbox-region-forms")?.contains(button)) return false;
    for (const form of this.model.get("forms")) {
      const id = form.buttons.find((other) => button.classList.contains(`sandbox-press-${other}`));
      if (id && !button.disabled) this.send(form, id);
      if (id) return true;
    }
    return false;
  }

  async send({ fields }, press) {
    if (!this.player.alive) {
      this.refuse();
      return;
    }
    const models = await Promise.all(fields.map(([id]) => this.model.widget_manager.get_model(id)));
    const values = fields.map(([id, name], index) => [id, models[index].get(name)]);
    try {
      this.model.send({ press, values: Object.fromEntries(values) });
    } catch {
      this.player.end(); // there is no kernel any more
      this.refuse();
    }
  }

  refuse() {
    this.player.say("told", { ok: false, error: GONE });
  }
}
