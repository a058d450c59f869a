// The program: every action by hand as the Python line that does the same, to be copied.

import { Lines } from "./lines.js";
import { Panel } from "./panel.js";
import { shown } from "./phrases.js";
import { html } from "./svg.js";

export class ProgramText extends Panel {
  constructor(root, player) {
    super(root, player, ["program"], { class: "sandbox-program" });
    this.lines = new Lines("The program so far");
    this.all = html("button", { type: "button", click: () => this.copy(player.requests.program(), this.all) }, "Copy all");
    const about = html("span", { class: "sandbox-muted" }, "What you did by hand, as Python: also dashboard.code");
    this.root.append(html("div", { class: "sandbox-row" }, this.all, about), this.lines.root);
    this.draw();
  }

  draw() {
    this.lines.fill(...this.player.program.lines.map(([code, error]) => this.line(code, error)));
  }

  line(code, error) {
    const text = code.split("\n").map(shown).join("\n");
    const button = html("button", { type: "button", "aria-label": "Copy this line" }, "Copy");
    button.addEventListener("click", () => this.copy(code, button));
    const parts = error ? [html("s", {}, text), html("span", { class: "sandbox-muted" }, `  # ${shown(error)}`)] : [text];
    return html("li", {}, button, html("code", {}, ...parts));
  }

  /** @param {string | Promise<string>} text */
  async copy(text, button) {
    const name = button.textContent;
    try {
      await navigator.clipboard.writeText(await text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it and copy"; // the page may not touch the clipboard
      getSelection()?.selectAllChildren(button.parentElement?.querySelector("code") ?? this.lines.root);
    }
    setTimeout(() => (button.textContent = name), 1500);
  }
}
