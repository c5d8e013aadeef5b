/**
 * Who may use an upstream's connections, and who waits for one. A connection is held for as long as
 * a request takes, and how long that is lies with clients too: one that sends its body or reads its
 * answer by drops holds it for nothing. So that a thousand of these cannot shut everybody else out,
 *
 * - requests whose body is still coming get half of the places, those that are whole all of them;
 * - callers take turns;
 * - while somebody waits, those that only wait for their own client keep half of the places. Of the
 *   others the slowest give way;
 * - an open event stream gives its place back, and takes one of those in which others would wait: a
 *   hundred agents that listen must not be the end of all requests.
 *
 * Knows nothing of HTTP.
 */
import { FairQueue, type Waiter } from "./fair-queue.ts";
import { SlotList } from "./slot-list.ts";

/** A request that wants a connection to the upstream. */
export interface Visitor extends Waiter {
  /** Its body is not here yet, and is not known to come. */
  readonly isUploading: boolean;
  /** The room's, as are the next. */
  insideSlot?: number | undefined;
  uploadSlot?: number | undefined;
  streamSlot?: number | undefined;
  /** For how long it has been held up by its own client; 0 when it is not. */
  heldUpMs(nowMs: number): number;
  /** A connection is free, or may be opened: dispatch now. */
  enter(): void;
  /** Others need its place: it has to end and leave. */
  giveWay(): void;
}

/** A client that is slower than this for a moment is no reason to take its place away. */
const HELD_UP_MAX_MS = 500;
/** To look for such clients costs a walk over all places: no more often than this. */
const RELIEF_INTERVAL_MS = 50;

export class WaitingRoom {
  readonly #places: number;
  readonly #seats: number;
  readonly #uploadPlaces: number;
  readonly #visitorsMax: number;
  readonly #inside = new SlotList<"insideSlot", Visitor>("insideSlot");
  /** Those of them whose body is still coming. */
  readonly #uploading = new SlotList<"uploadSlot", Visitor>("uploadSlot");
  /** Open event streams, outside. */
  readonly #streams = new SlotList<"streamSlot", Visitor>("streamSlot");
  /** Those that are still inside, because there are so many; few, and mostly none. */
  readonly #streamsInside = new Set<Visitor>();
  readonly #whole = new FairQueue<Visitor>();
  readonly #uploads = new FairQueue<Visitor>();
  readonly #whenEmpty: () => void;
  #isAdmitting = false;
  #isUploadsTurn = false;
  #relievedMs = -Infinity;

  /**
   * @param places for requests under way
   * @param seats how many may wait for one
   */
  constructor(places: number, seats: number, whenEmpty: () => void) {
    this.#places = places;
    this.#seats = seats;
    this.#uploadPlaces = Math.max(1, Math.floor(places / 2));
    this.#visitorsMax = places + seats;
    this.#whenEmpty = whenEmpty;
  }

  get waiting(): number {
    return this.#whole.size + this.#uploads.size;
  }

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  get #size(): number {
    return this.#inside.size + this.waiting + this.#streams.size;
  }

  /**
   * Is there room for one more? Where there is not, somebody whose caller has more than this one
   * gives way.
   * @param others in use besides: connections that left the pool
   */
  makeRoomFor({ caller, isUploading }: Pick<Visitor, "caller" | "isUploading">, others: number): boolean {
    // Bodies that are long in coming give way to new ones: most are whole in a moment.
    const uploadsMax = Math.max(1, Math.floor(this.#visitorsMax / 2));
    if (isUploading && this.#uploads.size >= uploadsMax) this.#uploads.longest()[0]?.giveWay();
    if (this.#size + others < this.#visitorsMax) return true;
    const longest = this.#whole.longest();
    if (longest.length > this.#whole.lengthFor(caller) + 1) {
      longest.at(-1)?.giveWay();
    } else if (!isUploading) {
      this.#uploads.longest()[0]?.giveWay();
    }
    return this.#size + others < this.#visitorsMax;
  }

  /** Lets the visitor enter, now or when its turn comes. Call only while there is room. */
  queue(visitor: Visitor): void {
    // Nobody is before it: the way through the queue would end here.
    const mayEnter = !this.#isAdmitting && this.#inside.size < this.#places && this.waiting === 0;
    if (mayEnter && (!visitor.isUploading || this.#uploading.size < this.#uploadPlaces)) {
      this.#letIn(visitor);
      return;
    }
    (visitor.isUploading ? this.#uploads : this.#whole).add(visitor);
    this.#admit();
  }

  /** The visitor's body is here to its end. */
  becameWhole(visitor: Visitor): void {
    if (this.#uploads.delete(visitor)) this.#whole.add(visitor);
    else if (!this.#uploading.delete(visitor)) return;
    this.#admit();
  }

  /** The visitor's answer is an event stream: it goes on for as long as both sides like. */
  becameStream(visitor: Visitor): void {
    if (visitor.insideSlot === undefined) return;
    this.#streamsInside.add(visitor);
    this.#moveStreamsOut();
    if (this.waiting > 0) this.#admit();
  }

  #moveStreamsOut(): void {
    for (const visitor of this.#streamsInside) {
      if (this.#streams.size >= this.#seats) return;
      this.#streamsInside.delete(visitor);
      this.#inside.delete(visitor);
      this.#uploading.delete(visitor);
      this.#streams.add(visitor);
    }
  }

  /** The visitor is done, or no longer wants to enter. Harmless when it left before. */
  leave(visitor: Visitor): void {
    if (this.#inside.delete(visitor)) this.#uploading.delete(visitor);
    else if (!this.#streams.delete(visitor) && !this.#uploads.delete(visitor)) this.#whole.delete(visitor);
    if (this.#streamsInside.size > 0) {
      this.#streamsInside.delete(visitor);
      this.#moveStreamsOut();
    }
    if (this.waiting > 0) this.#admit();
    if (this.isEmpty) this.#whenEmpty();
  }

  /** While somebody waits: whoever is held up by its own client, beyond half of the places, leaves. */
  relieve(nowMs: number): void {
    if (nowMs - this.#relievedMs < RELIEF_INTERVAL_MS) return;
    this.#relievedMs = nowMs;
    if (this.#whole.size > 0) this.#evict(this.#inside, this.#places, this.#whole.size, nowMs);
    if (this.#uploads.size > 0) this.#evict(this.#uploading, this.#uploadPlaces, this.#uploads.size, nowMs);
  }

  #evict(
    visitors: { readonly size: number; all(): readonly Visitor[] },
    places: number,
    wanted: number,
    nowMs: number,
  ): void {
    if (visitors.size < places) return;
    const heldUp = visitors
      .all()
      .map((visitor) => ({ visitor, ms: visitor.heldUpMs(nowMs) }))
      .filter(({ ms }) => ms > HELD_UP_MAX_MS)
      .toSorted((a, b) => b.ms - a.ms);
    const tooMany = heldUp.length - Math.floor(places / 2);
    for (const { visitor } of heldUp.slice(0, Math.max(0, Math.min(tooMany, wanted)))) visitor.giveWay();
  }

  #admit(): void {
    // A visitor may leave while it enters; the loop below sees that, recursion would pile up.
    if (this.#isAdmitting) return;
    this.#isAdmitting = true;
    try {
      while (this.#inside.size < this.#places) {
        const visitor = this.#next();
        if (visitor === undefined) return;
        this.#letIn(visitor);
      }
    } finally {
      this.#isAdmitting = false;
    }
  }

  #letIn(visitor: Visitor): void {
    this.#inside.add(visitor);
    if (visitor.isUploading) this.#uploading.add(visitor);
    visitor.enter();
  }

  /** Both kinds take turns, as far as uploads have a place left. */
  #next(): Visitor | undefined {
    const mayUpload = this.#uploading.size < this.#uploadPlaces;
    this.#isUploadsTurn = !this.#isUploadsTurn;
    if (this.#isUploadsTurn && mayUpload) return this.#uploads.take() ?? this.#whole.take();
    return this.#whole.take() ?? (mayUpload ? this.#uploads.take() : undefined);
  }
}
