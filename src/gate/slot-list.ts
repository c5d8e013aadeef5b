/**
 * A set for members that come and go with every request: each knows its place in one array, so that
 * adding and removing are O(1) and leave nothing behind. A `Set` leaves a table behind each time it
 * makes room, and once such a table is old it keeps everything that was in it, requests included,
 * from the collector of young objects: measured, that was five kilobytes a request and a fifth of the
 * gate's CPU time. Knows nothing of what it holds.
 */

/** The field in which a member keeps its place while it has one; a field for each list that it may stand in. */
export type Slots<Name extends string> = { [name in Name]?: number | undefined };

export class SlotList<Name extends string, T extends Slots<Name>> {
  readonly #name: Name;
  readonly #members: T[] = [];

  constructor(name: Name) {
    this.#name = name;
  }

  get size(): number {
    return this.#members.length;
  }

  /** Harmless for one that is in the list already. */
  add(member: T): void {
    const slots: Slots<Name> = member;
    slots[this.#name] ??= this.#members.push(member) - 1;
  }

  /** @returns whether it was there */
  delete(member: T): boolean {
    const slots: Slots<Name> = member;
    const at = slots[this.#name];
    if (at === undefined) return false;
    slots[this.#name] = undefined;
    const last = this.#members.pop();
    if (last === undefined || last === member) return true;
    this.#members[at] = last;
    const lastSlots: Slots<Name> = last;
    lastSlots[this.#name] = at;
    return true;
  }

  /**
   * Calls for each member, last first, so that a visit may remove any of them. One that is added
   * meanwhile may be left out.
   */
  forEach(visit: (member: T) => void): void {
    for (let at = this.#members.length - 1; at >= 0; at--) {
      const member = this.#members[at];
      if (member !== undefined) visit(member);
    }
  }

  /** The members of this moment. */
  all(): readonly T[] {
    return [...this.#members];
  }
}
