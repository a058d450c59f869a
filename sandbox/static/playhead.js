// The keys that move the playhead, the same in every region.

/** @returns {Record<string, () => void>} what each key does */
export const playheadKeys = (player) => ({
  ".": () => player.step(1),
  ",": () => player.step(-1),
  PageDown: () => player.step(10),
  PageUp: () => player.step(-10),
  Home: () => player.seek(player.first - 1),
  End: () => player.follow(),
  " ": () => player.freeze(),
});
