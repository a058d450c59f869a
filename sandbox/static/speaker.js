// Something that says what happens to whoever wants to hear it.

export class Speaker {
  constructor() {
    this.listeners = new Map();
  }

  /** @returns {() => void} what ends it */
  on(kind, listener) {
    const listeners = this.listeners.get(kind) ?? new Set();
    this.listeners.set(kind, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  say(kind, value) {
    for (const listener of this.listeners.get(kind) ?? []) listener(value);
  }
}
