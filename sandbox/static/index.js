// What the widgets of one player share: the player itself, made from the model that Python talks to.

import { Player } from "./player.js";
import { show } from "./parts.js";

/** What views wait for, by the name that Python gave a player.  Each model loads a copy of this file. */
const players = (globalThis[Symbol.for("kombu-sandbox.players")] ??= new Map());

/** Begin to play what the model receives. */
export function play(model) {
  const name = model.get("name");
  const send = (message) => {
    try {
      model.send(message);
    } catch {
      player.end(); // there is no kernel any more
    }
  };
  const player = new Player(send, model.get("look"));
  const receive = (message) => player.receive(message);
  model.on("msg:custom", receive);
  for (const kind of ["comm:close", "destroy"]) model.on(kind, () => player.end());
  watchKernel(model, player);
  const begin = model.get("start");
  if (begin?.state) player.receive(begin);
  players.get(name)?.resolve({ player, show });
  players.set(name, { promise: Promise.resolve({ player, show }), resolve: () => {} });
  player.beginAnew();
}

/** The kernel's end is told in several ways, none of them by all front ends. */
function watchKernel(model, player) {
  const kernel = model.widget_manager?.kernel;
  const over = new Set(["restarting", "autorestarting", "dead", "terminating"]);
  kernel?.statusChanged?.connect((_, status) => over.has(status) && player.end());
  kernel?.disposed?.connect(() => player.end());
}
