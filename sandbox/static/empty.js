// A broker in which there is nothing yet: what to type.

import { html } from "./svg.js";

export const emptiness = () =>
  html(
    "div",
    { class: "sandbox-empty", hidden: true },
    html("p", {}, "Nothing is declared yet. Begin with"),
    html("code", {}, 'broker.exchange("orders", type="topic")'),
  );
