// What a term of the ledger is about: which events, and which messages.

/** The kinds of events behind each term. */
const KINDS = {
  published: ["published"],
  routed: ["routed"],
  returned: ["returned"],
  lost: ["lost"],
  on_its_way: ["published"],
  copies: ["routed", "refused"],
  ready: ["routed", "requeued"],
  unacked: ["delivered", "fetched", "handed"],
  done: ["acked", "sent"],
  dead_lettered: ["dead_lettered"],
  expired: ["expired"],
  dropped: ["dropped", "rejected"],
  refused: ["refused"],
  removed: ["purged", "removed"],
};

/** Whether an event belongs to a term. */
export const belongs = (row, word) => KINDS[word].includes(row[2]) && (word !== "routed" || !row[8]);

/** The numbers of the messages that a term counts: where they are now, or which way they went. */
export function messagesOf(word, state, events) {
  if (word !== "ready" && word !== "unacked") {
    return new Set(events.filter((row) => row[0] <= state.serial && belongs(row, word)).map((row) => row[3]));
  }
  const found = new Set();
  for (const name of state.queues.keys()) {
    for (const seat of state.seatsOf(name, 1000)) if (seat.unacked === (word === "unacked")) found.add(seat.message);
  }
  return found;
}
