// Who looks at this page's pictures of a broker.  Python follows only for what is seen.

export class Lookers {
  /** @param {import("./player.js").Player} player */
  constructor(player) {
    this.player = player;
    this.page = String(crypto.getRandomValues(new Uint32Array(1))[0]); // one of several, perhaps
    this.views = 0;
    this.narrow = 0; // of the views
    this.inThePast = false; // as Python was told
  }

  /** One more view, which tells when it becomes narrow, or wide, and when it goes. */
  attach() {
    this.views += 1;
    this.tell();
    let wasNarrow = false;
    return {
      narrow: (value) => {
        this.narrow += value - wasNarrow;
        wasNarrow = value;
        this.tell();
        this.player.say("frame");
      },
      detach: () => {
        this.views -= 1;
        this.narrow -= wasNarrow;
        this.tell();
      },
    };
  }

  /** The playhead has moved: perhaps into the past, or back. */
  notice() {
    if (this.player.inThePast !== this.inThePast) this.tell();
  }

  tell() {
    const { page, views, narrow, player } = this;
    this.inThePast = player.inThePast;
    if (player.alive) player.send({ page, views, narrow: narrow > 0, past: this.inThePast });
  }
}
