// Which events play together, and how long that takes.  A publish takes no broker time, yet its token needs half a
// second to be seen: this is where the second of the two times comes from.

/** One hop takes so many milliseconds, however far it is. */
export const HOP = 350;
export const SLOW_HOP = 1200;
export const STILL_HOP = 400; // where nothing may move: a line is thick for so long, even if there is a hurry

/** The kinds that are seen to travel; all others change the picture at once. */
const TRAVELS = new Set([
  "published",
  "lost",
  "returned",
  "routed",
  "refused",
  "delivered",
  "fetched",
  "sent",
  "requeued",
  "rejected",
  "expired",
  "dropped",
  "dead_lettered",
  "purged",
  "removed",
]);

export const travels = (row) => TRAVELS.has(row[2]);

/** How many events one beat may have: the more tokens fly, the less is seen. */
const MOST = 60;

/**
 * The next events that play together: a message leaves its publisher by itself, then its copies travel at once.
 * No copy moves twice in one beat, and what is caused within it waits, so that the order of a life can be seen.
 * @param {(serial: number) => any[] | undefined} rowAt
 * @param {number} serial the last event that has been played
 * @returns {any[][]} rows, at least one
 */
export function beatAfter(rowAt, serial) {
  const first = rowAt(serial + 1);
  const rows = [first];
  if (!travels(first) || first[2] === "published") return rows;
  const moving = new Set([subject(first)]);
  const serials = new Set([first[0]]);
  for (let next = serial + 2; rows.length < MOST; next += 1) {
    const row = rowAt(next);
    if (!row || !travels(row) || row[2] === "published" || moving.has(subject(row)) || serials.has(row[8])) break;
    moving.add(subject(row));
    serials.add(row[0]);
    rows.push(row);
  }
  return rows;
}

const subject = (row) => (row[4] ? `copy ${row[4]}` : `message ${row[3]}`);

/** How long the events after `serial` would play at full length, counted no further than `enough` ms. */
export function playingTime(rowAt, serial, last, enough) {
  let time = 0;
  while (serial < last && time < enough) {
    const rows = beatAfter(rowAt, serial);
    if (travels(rows[0])) time += HOP;
    serial += rows.length;
  }
  return time;
}
