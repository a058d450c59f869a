// A view of a player that another model of this page has begun.  Self-contained: it is loaded once for each view.

const players = (globalThis[Symbol.for("kombu-sandbox.players")] ??= new Map());

/** The player of that name, as soon as there is one. */
function playerOf(name) {
  if (!players.has(name)) {
    let resolve;
    const promise = new Promise((done) => (resolve = done));
    players.set(name, { promise, resolve });
  }
  return players.get(name).promise;
}

/** Python follows only for what somebody sees. */
function tell(model, shown) {
  try {
    model.send({ shown });
  } catch {
    // there is no kernel any more
  }
}

export default {
  async render({ model, el }) {
    let hide = null;
    let isOver = false;
    tell(model, true);
    playerOf(model.get("player")).then(({ player, show }) => {
      if (!isOver) hide = show(el, player, model.get("parts"), model.get("scale"), model);
    });
    return () => {
      if (isOver) return;
      isOver = true;
      hide?.();
      tell(model, false);
    };
  },
};
