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

export default {
  async render({ model, el }) {
    let hide = null;
    let isOver = false;
    playerOf(model.get("player")).then(({ player, show }) => {
      if (!isOver) hide = show(el, player, model.get("parts"), model.get("scale"));
    });
    return () => {
      isOver = true;
      hide?.();
      hide = null;
    };
  },
};
