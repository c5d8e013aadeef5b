/**
 * The demo backend's memories: a bounded store per organization and project. Trusts the tenant it
 * is given; knows neither HTTP nor keys.
 */

export interface Memory {
  readonly id: string;
  readonly text: string;
  readonly user_id?: string;
  readonly created_at: string;
}

/** Whose memories: what the gate says in X-Org-Id and X-Project-Id. */
export interface Tenant {
  readonly organization: string;
  readonly project: string;
}

type Listener = (memory: Memory) => void;

interface Space {
  readonly memories: Map<string, Memory>;
  readonly listeners: Set<Listener>;
  added: number;
}

export const MEMORIES_MAX = 1_000;
export const TEXT_LENGTH_MAX = 4_096;
const SPACES_MAX = 100;
const LISTENERS_MAX = 100;
const FOUND_MAX = 10;

export class MemoryStore {
  readonly #spaces = new Map<string, Space>();
  readonly #now: () => number;

  /** @param now epoch milliseconds, for `created_at` */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Undefined when the tenant's space, or the whole store, is full. */
  add(tenant: Tenant, text: string, userId: string | undefined): Memory | undefined {
    const space = this.#space(tenant);
    if (space === undefined || space.memories.size >= MEMORIES_MAX) return undefined;
    space.added++;
    const memory: Memory = {
      id: `m_${space.added}`,
      text,
      ...(userId === undefined ? {} : { user_id: userId }),
      created_at: new Date(this.#now()).toISOString(),
    };
    space.memories.set(memory.id, memory);
    for (const listener of space.listeners) listener(memory);
    return memory;
  }

  list(tenant: Tenant): readonly Memory[] {
    return [...(this.#known(tenant)?.memories.values() ?? [])];
  }

  get(tenant: Tenant, id: string): Memory | undefined {
    return this.#known(tenant)?.memories.get(id);
  }

  remove(tenant: Tenant, id: string): boolean {
    return this.#known(tenant)?.memories.delete(id) ?? false;
  }

  /** Memories that share words with the query, best first. A real backend would compare meanings. */
  search(tenant: Tenant, query: string): readonly (Memory & { readonly score: number })[] {
    const wanted = wordsOf(query);
    return this.list(tenant)
      .map((memory) => ({ ...memory, score: overlap(wanted, wordsOf(memory.text)) }))
      .filter(({ score }) => score > 0)
      .toSorted((a, b) => b.score - a.score)
      .slice(0, FOUND_MAX);
  }

  /** Tells of every addition until the returned function is called; undefined when too many listen. */
  listen(tenant: Tenant, listener: Listener): (() => void) | undefined {
    const space = this.#space(tenant);
    if (space === undefined || space.listeners.size >= LISTENERS_MAX) return undefined;
    space.listeners.add(listener);
    return () => void space.listeners.delete(listener);
  }

  #known({ organization, project }: Tenant): Space | undefined {
    return this.#spaces.get(JSON.stringify([organization, project]));
  }

  #space(tenant: Tenant): Space | undefined {
    const known = this.#known(tenant);
    if (known !== undefined || this.#spaces.size >= SPACES_MAX) return known;
    const space: Space = { memories: new Map(), listeners: new Set(), added: 0 };
    this.#spaces.set(JSON.stringify([tenant.organization, tenant.project]), space);
    return space;
  }
}

function wordsOf(text: string): ReadonlySet<string> {
  return new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu));
}

/** Share of the wanted words that are there, in hundredths. */
function overlap(wanted: ReadonlySet<string>, words: ReadonlySet<string>): number {
  if (wanted.size === 0) return 0;
  return Math.round((wanted.intersection(words).size / wanted.size) * 100) / 100;
}
