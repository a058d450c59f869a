// An answer that is kept for as long as what it depends on stays the same.

export class Kept {
  /**
   * @template T
   * @param {any[]} facts what the answer depends on
   * @param {() => T} ask what finds it
   * @returns {T}
   */
  of(facts, ask) {
    if (!this.facts || facts.some((fact, index) => fact !== this.facts[index])) {
      this.facts = facts;
      this.answer = ask();
    }
    return this.answer;
  }
}
