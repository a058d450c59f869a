// The reducer: from events back to the state.  It is what engine/replay.py is in Python, under the same
// names, and a test holds the two equal.  Beyond that it can begin anywhere, from a state that does not show
// every copy: counts stay exact then, and what stands behind the first copy that is not known is not shown.
//
// Whatever a Map here holds is replaced when it changes, never written to, so that states can share it.

/** The consumer that has this tag on this channel. */
export const consumerKey = (channel, tag) => `${channel}:${tag}`;

/** How many copies of each queue and consumer a picture shows one by one, at most. */
export const SEATS = 12;

/** How many dead letters a state keeps in mind at least: those of one transaction, for example. */
const MOST_LETTERS = 200;

const DEFAULT = { type: "direct", durable: true, auto_delete: false, internal: false, arguments: {} };

/** The broker after the event `serial`. */
export class State {
  constructor() {
    this.serial = 0;
    this.time = 0;
    this.exchanges = new Map(); // by name
    this.queues = new Map(); // by name
    this.bindings = new Map(); // id -> {binding, taken}
    this.consumers = new Map(); // by consumerKey
    this.channels = new Map(); // by id
    this.connections = new Map(); // number -> name
    this.publishers = new Map(); // by name
    this.ledger = {};
    this.header = null; // of the message that was published last
    this.letters = new Map(); // headers of dead letters, by the serials of their deaths
    this.owner = {}; // who may write to a queue: this state, until it is cloned
  }

  /**
   * The state that was encoded by wire.snapshot, or by toJSON.
   * @param {any} encoded
   */
  static from(encoded) {
    const state = new State();
    state.serial = encoded.serial;
    state.time = encoded.time;
    state.ledger = { ...encoded.ledger };
    state.exchanges = mapBy(encoded.exchanges, (exchange) => exchange.name);
    const queues = encoded.queues.map((queue) => Queue.from(queue, state.owner));
    state.queues = mapBy(queues, (queue) => queue.name);
    state.bindings = new Map(encoded.bindings.map(([binding, taken]) => [binding.id, { binding, taken }]));
    for (const { held, ...consumer } of encoded.consumers) {
      // What it holds beyond these: of that the state knows the number, and that it was delivered after them.
      const hidden = consumer.unacked - held.length;
      const shown = state.queues.get(consumer.queue).holders.get(held.at(-1))?.tag ?? 0;
      state.consumers.set(consumerKey(consumer.channel, consumer.tag), { ...consumer, hidden, shown });
    }
    for (const { fetched, ...channel } of encoded.channels) state.channels.set(channel.id, channel);
    state.connections = new Map(encoded.connections);
    state.publishers = mapBy(encoded.publishers, (publisher) => publisher.name);
    return state;
  }

  /** An independent copy: events applied to one do not change the other. */
  clone() {
    const twin = new State();
    for (const name of Object.keys(this)) {
      twin[name] = this[name] instanceof Map ? new Map(this[name]) : this[name];
    }
    twin.ledger = { ...this.ledger };
    this.owner = {}; // the queues are shared now; whoever changes one makes a copy of it first
    twin.owner = {};
    return twin;
  }

  /**
   * Go on by one event.
   * @param {any[]} row as wire.event encodes it
   */
  apply(row) {
    const [serial, time, kind, message, copy, , target] = row;
    if (serial !== this.serial + 1) throw new Error(`event ${serial} does not follow event ${this.serial}`);
    this.time = time;
    if (copy) this.moveCopy(row);
    else if (message) this.moveMessage(row);
    else if (kind in HANDLERS) HANDLERS[kind](this, target, row[10]);
    this.serial = serial;
  }

  // ------------------------------------------------------------ what is seen

  /** The first seats of a queue, head first. */
  seatsOf(name, limit = Infinity) {
    return this.queues.get(name)?.seats(limit) ?? [];
  }

  /**
   * What a consumer holds, or (tag "") was fetched on the channel by get, in the order of delivery: the seats
   * before the first that is not known, each with its `queue`.
   */
  heldBy(channel, tag, limit = Infinity) {
    const consumer = this.consumers.get(consumerKey(channel, tag));
    const lastTag = consumer?.hidden ? consumer.shown : Infinity;
    const held = [];
    for (const name of tag ? [consumer?.queue] : this.queues.keys()) {
      const queue = this.queues.get(name);
      for (const [position, holder] of queue?.holders ?? []) {
        if (holder.channel !== channel || holder.consumer !== tag) continue;
        if (held.length >= limit || holder.tag > lastTag || !queue.copies.has(position)) return held;
        held.push({ ...queue.seat(position), queue: name });
      }
    }
    return held;
  }

  /** Whether a picture of so many seats of each queue and consumer would lack copies that are there. */
  needsMore(limit = SEATS) {
    const lacks = (known, all) => known.length < Math.min(limit, all);
    for (const queue of this.queues.values()) {
      if (!queue.complete && lacks(queue.seats(limit), queue.ready + queue.unacked)) return true;
    }
    for (const { channel, tag, queue, unacked } of this.consumers.values()) {
      if (this.queues.get(queue).complete) continue;
      if (lacks(this.heldBy(channel, tag, limit), unacked)) return true;
    }
    return false;
  }

  /** As wire.snapshot encodes it. */
  toJSON() {
    const held = (channel, tag) => this.heldBy(channel, tag).map((seat) => [seat.queue, seat.position]);
    return {
      serial: this.serial,
      time: this.time,
      exchanges: [...this.exchanges.values()],
      queues: [...this.queues.values()].map((queue) => queue.toJSON()),
      bindings: [...this.bindings.values()].map(({ binding, taken }) => [binding, taken]),
      consumers: [...this.consumers.values()].map(({ hidden, shown, ...consumer }) => ({
        ...consumer,
        held: held(consumer.channel, consumer.tag).map(([, position]) => position),
      })),
      channels: [...this.channels.values()].map((channel) => ({ ...channel, fetched: held(channel.id, "") })),
      connections: [...this.connections],
      publishers: [...this.publishers.values()],
      ledger: { ...this.ledger },
    };
  }

  // ------------------------------------------------------------ messages

  /** A message was published, found no queue, or was answered for. */
  moveMessage(row) {
    const [, , kind, message, , source, target] = row;
    if (kind === "published") {
      this.ledger.published += 1;
      this.ledger.on_its_way = 1;
      this.header = row[10];
      if (this.letters.size > MOST_LETTERS) this.letters.clear(); // all of them have arrived
      this.publish(source[1], target[1]);
    } else if (kind === "confirmed" || kind === "nacked") {
      count(this.publishers, target[1], kind);
    } else {
      this.ledger[kind] += 1;
      this.ledger.on_its_way = 0;
      if (kind === "returned") count(this.publishers, target[1], "returned");
      count(this.exchanges, source[1], kind, kind === "lost" ? { last_lost: message } : {});
    }
  }

  publish(publisher, exchange) {
    if (!exchange && !this.exchanges.has(exchange)) { // the default one is there without having been declared
      HANDLERS.exchange_declared(this, ["exchange", ""], DEFAULT);
    }
    count(this.exchanges, exchange, "published");
    const known = this.publishers.get(publisher) ?? {
      name: publisher, published: 0, returned: 0, confirmed: 0, nacked: 0, exchanges: [],
    };
    const exchanges = known.exchanges.includes(exchange) ? known.exchanges : [...known.exchanges, exchange];
    this.publishers.set(publisher, { ...known, published: known.published + 1, exchanges });
  }

  // ------------------------------------------------------------ copies

  /** A copy was born, was taken, came back, or left through a door. */
  moveCopy(row) {
    const [serial, , kind, , , source, target, position, , , what] = row;
    if (source[0] === "exchange") {
      this.birth(row);
      return;
    }
    const queue = this.own(source[1]);
    const [door, , channel, tag] = target;
    if (kind === "handed") {
      queue.hand(position);
      return;
    }
    this.take(queue, position, source);
    if (door === "unacked") {
      queue.hold(position, { channel, consumer: tag, tag: what, handed: kind === "fetched" });
      this.ledger.unacked += 1;
      count(this.consumers, consumerKey(channel, tag), "unacked");
    } else if (door === "ready") {
      queue.putBack(position);
      this.ledger.ready += 1;
    } else {
      queue.remove(position);
      this.ledger[door] += 1;
      if (kind === "dead_lettered") this.letters.set(serial, what);
    }
    if (tag && (kind === "delivered" || kind === "sent")) {
      count(this.consumers, consumerKey(channel, tag), "received");
    }
  }

  birth(row) {
    const [serial, time, kind, message, copy, , target, position, cause, , arrival] = row;
    this.ledger.copies += 1;
    if (this.ledger.on_its_way) { // the first copy of what was just published
      this.ledger.routed += 1;
      this.ledger.on_its_way = 0;
    }
    for (const binding of arrival.bindings) {
      const taken = this.bindings.get(binding.id)?.taken ?? 0;
      this.bindings.set(binding.id, { binding, taken: taken + 1 });
    }
    const queue = this.own(target[1]);
    const header = (cause ? this.letters.get(cause) : this.header) ?? null;
    if (kind === "refused") {
      this.ledger.refused += 1;
      if (queue.options.overflow === "reject-publish-dlx") this.letters.set(serial, header);
    } else {
      const { expires, priority, deaths } = arrival;
      queue.push({ position, copy, message, entered: time, expires, priority, deaths, header });
      this.ledger.ready += 1;
    }
  }

  /** A copy leaves the place where it was. */
  take(queue, position, [place, , channel, tag]) {
    this.ledger[place] -= 1;
    queue[place] -= 1;
    if (place === "ready") return;
    const holder = queue.holders.get(position);
    const key = holder ? consumerKey(holder.channel, holder.consumer) : consumerKey(channel, tag);
    const consumer = this.consumers.get(key);
    if (holder) {
      queue.holders.delete(position);
      count(this.consumers, key, "unacked", {}, -1);
    } else if (consumer?.hidden) { // or one of the same tag that has gone held it
      count(this.consumers, key, "unacked", { hidden: consumer.hidden - 1 }, -1);
    }
  }

  /** A queue that only this state has, to be changed. */
  own(name) {
    let queue = this.queues.get(name);
    if (queue.owner !== this.owner) {
      queue = queue.clone(this.owner);
      this.queues.set(name, queue);
    }
    return queue;
  }
}

/** What happens by the events that move nothing. */
const HANDLERS = {
  exchange_declared(state, [, name], options) {
    state.exchanges.set(name, { name, options, published: 0, lost: 0, returned: 0, last_lost: 0 });
  },
  exchange_deleted(state, [, name]) {
    state.exchanges.delete(name);
  },
  queue_declared(state, [, name], options) {
    state.queues.set(name, new Queue(name, options, state.owner));
  },
  queue_deleted(state, [, name]) {
    state.queues.delete(name);
    for (const [id, { binding }] of state.bindings) {
      const { source, destination } = binding; // of the default exchange: nobody unbinds it
      if (source === "" && destination === name) state.bindings.delete(id);
    }
  },
  bound(state, _place, binding) {
    state.bindings.set(binding.id, { binding, taken: 0 });
  },
  unbound(state, _place, binding) {
    state.bindings.delete(binding.id);
  },
  connected(state, [, name], number) {
    state.connections.set(number, name);
  },
  disconnected(state, _place, number) {
    state.connections.delete(number);
  },
  channel_opened(state, [, , id], connection) {
    state.channels.set(id, { id, connection, prefetch: 0 });
  },
  channel_closed(state, [, , id]) {
    state.channels.delete(id);
  },
  prefetch_set(state, [, , id], prefetch) {
    state.channels.set(id, { ...state.channels.get(id), prefetch });
  },
  consumer_started(state, [, , channel, tag], view) {
    state.consumers.set(consumerKey(channel, tag), { ...view, received: 0, unacked: 0, hidden: 0, shown: 0 });
  },
  consumer_activated(state, [, , channel, tag]) {
    const key = consumerKey(channel, tag);
    state.consumers.set(key, { ...state.consumers.get(key), active: true });
  },
  /** What it holds is its channel's from now on. */
  consumer_cancelled(state, [, , channel, tag]) {
    const key = consumerKey(channel, tag);
    const { holders } = state.own(state.consumers.get(key).queue);
    state.consumers.delete(key);
    for (const [position, holder] of holders) {
      const isIt = holder.channel === channel && holder.consumer === tag;
      if (isIt) holders.set(position, { ...holder, consumer: "" });
    }
  },
};

/** All that stands in one queue, by position; of some copies perhaps nothing but their number. */
class Queue {
  constructor(name, options, owner) {
    this.name = name;
    this.options = options;
    this.owner = owner;
    this.ready = 0;
    this.unacked = 0;
    this.copies = new Map(); // what they were born with
    this.holders = new Map(); // {channel, consumer, tag, handed} of those that are unacked
    this.returns = new Map(); // how often a copy came back, if it did
    this.end = null; // if some copies are not known: the last one that is known before them
  }

  static from({ name, options, ready, unacked, seats, beyond }, owner) {
    const queue = new Queue(name, options, owner);
    queue.ready = ready;
    queue.unacked = unacked;
    queue.end = seats.at(-1) ?? null;
    const all = [...seats, ...beyond];
    for (const { position, copy, message, entered, expires, priority, deaths, redelivered, header } of all) {
      queue.copies.set(position, { position, copy, message, entered, expires, priority, deaths, header });
      if (redelivered) queue.returns.set(position, redelivered);
    }
    const held = all.filter((seat) => seat.unacked).sort((a, b) => a.tag - b.tag); // as they were delivered
    for (const { position, channel, consumer, tag, handed } of held) {
      queue.holders.set(position, { channel, consumer, tag, handed });
    }
    return queue;
  }

  clone(owner) {
    const twin = Object.assign(new Queue(this.name, this.options, owner), this, { owner });
    twin.copies = new Map(this.copies);
    twin.holders = new Map(this.holders);
    twin.returns = new Map(this.returns);
    return twin;
  }

  /** Whether all copies are known. */
  get complete() {
    return this.copies.size === this.ready + this.unacked;
  }

  push(copy) {
    this.copies.set(copy.position, copy);
    this.ready += 1;
  }

  hold(position, holder) {
    this.holders.set(position, holder);
    this.unacked += 1;
  }

  hand(position) {
    const holder = this.holders.get(position);
    if (holder) this.holders.set(position, { ...holder, handed: true });
  }

  putBack(position) {
    this.returns.set(position, (this.returns.get(position) ?? 0) + 1);
    this.ready += 1;
  }

  remove(position) {
    this.copies.delete(position);
    this.returns.delete(position);
  }

  seat(position) {
    const { header, ...copy } = this.copies.get(position);
    const unacked = this.holders.has(position);
    const holder = unacked ? this.holders.get(position) : NOBODY;
    return { ...copy, redelivered: this.returns.get(position) ?? 0, unacked, ...holder, header };
  }

  /** The first seats, head first. */
  seats(limit) {
    const seats = [];
    for (const { position } of this.inOrder()) {
      if (seats.length >= limit) break;
      seats.push(this.seat(position));
    }
    return seats;
  }

  /** The copies before the first that is not known, head first: the highest priority before all others. */
  inOrder() {
    if (this.complete && this.options.max_priority === null) return this.copies.values();
    const known = [...this.copies.values()].filter((copy) => this.complete || this.isKnown(copy));
    return this.options.max_priority === null ? known : known.sort(byPriority);
  }

  /** Whether this is a place before all copies that are not known. */
  isKnown(copy) {
    if (this.end === null) return false;
    if (this.options.max_priority === null) return copy.position <= this.end.position;
    return byPriority(copy, this.end) <= 0;
  }

  toJSON() {
    const { name, options, ready, unacked, complete } = this;
    const seats = this.seats(Infinity);
    const shown = new Set(seats.map((seat) => seat.position));
    const held = [...this.holders.keys()].filter((position) => this.copies.has(position));
    const beyond = held.filter((position) => !shown.has(position)).map((position) => this.seat(position));
    return { name, options, ready, unacked, seats, beyond, complete };
  }
}

const NOBODY = { channel: 0, consumer: "", tag: 0, handed: false };

const byPriority = (a, b) => b.priority - a.priority || a.position - b.position;

const mapBy = (items, key) => new Map(items.map((item) => [key(item), item]));

/** One more of something, and perhaps other changes; what is not there (any more) has nothing to count. */
function count(things, key, name, changes = {}, by = 1) {
  const thing = things.get(key);
  if (thing) things.set(key, { ...thing, [name]: thing[name] + by, ...changes });
}
