// What the widgets of one player share: the player itself, made from the model that Python talks to.

import { Player } from "./player.js";
import { show } from "./parts.js";

/** What views wait for, by the name that Python gave a player.  Each model loads a copy of this file. */
const players = (globalThis[Symbol.for("kombu-sandbox.players")] ??= new Map());

/**
 * Begin to play what the model receives.
 * @returns {() => void} what ends it, when the model is no more; it may be called more than once
 */
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
  model.on("msg:custom", (message) => player.receive(message));
  for (const kind of ["comm:close", "destroy"]) model.on(kind, () => player.end());
  const forgetKernel = watchKernel(model.widget_manager?.kernel, player);
  const begin = model.get("start");
  if (begin?.state) player.receive(begin);
  const ours = { promise: Promise.resolve({ player, show }), resolve: () => {} };
  players.get(name)?.resolve({ player, show });
  players.set(name, ours);
  player.beginAnew();
  return () => {
    player.end();
    forgetKernel();
    if (players.get(name) === ours) players.delete(name);
  };
}

/** The kernel's end is told in several ways, none of them by all front ends. */
function watchKernel(kernel, player) {
  const over = new Set(["restarting", "autorestarting", "dead", "terminating"]);
  const change = (_, status) => over.has(status) && player.end();
  const end = () => player.end();
  kernel?.statusChanged?.connect(change);
  kernel?.disposed?.connect(end);
  return () => {
    kernel?.statusChanged?.disconnect(change);
    kernel?.disposed?.disconnect(end);
  };
}
