// What Python is asked, and will answer: commands, and questions that change nothing.

import { GONE } from "./phrases.js";

export class Requests {
  /** @param {(message: object) => void} send to Python */
  constructor(send) {
    this.send = send;
    this.waiting = new Map();
    this.count = 0;
  }

  /** Let the broker do something. */
  command(name, args = {}) {
    return this.begin({ do: name, args });
  }

  /** Who would get a message with this key, and why; nothing is published. */
  who(exchange, routing_key) {
    return this.begin({ who: { exchange, routing_key } });
  }

  /** The whole program of what was done by hand. */
  async program() {
    return (await this.begin({ copy: "program" })).says;
  }

  begin(message) {
    const id = (this.count += 1);
    const answer = new Promise((resolve) => this.waiting.set(id, resolve));
    this.send({ ...message, id });
    return answer;
  }

  /** An answer has come. */
  end(answer) {
    this.waiting.get(answer.id)?.(answer);
    this.waiting.delete(answer.id);
  }

  /** No answer will come any more. */
  endAll() {
    for (const id of [...this.waiting.keys()]) this.end({ id, ok: false, error: GONE });
  }
}
