/** Who gets an upstream's connections, and that slow clients cannot keep them all. */
import { expect, test } from "vitest";
import { type Visitor, WaitingRoom } from "../../../src/gate/waiting-room.ts";

class Guest implements Visitor {
  readonly name: string;
  readonly caller: string;
  isUploading: boolean;
  heldUp = 0;
  state: "outside" | "waiting" | "inside" | "gone" = "outside";
  readonly #room: WaitingRoom;

  constructor(room: WaitingRoom, name: string, isUploading: boolean) {
    this.name = name;
    this.caller = name.slice(0, 1);
    this.isUploading = isUploading;
    this.#room = room;
  }

  come(): this {
    this.state = "waiting";
    this.#room.queue(this);
    return this;
  }

  heldUpMs(): number {
    return this.heldUp;
  }

  enter(): void {
    this.state = "inside";
  }

  giveWay(): void {
    this.leave();
  }

  leave(): void {
    this.state = "gone";
    this.#room.leave(this);
  }

  finishBody(): void {
    this.isUploading = false;
    this.#room.becameWhole(this);
  }
}

function scene(places: number, seats: number) {
  let timesEmpty = 0;
  const room = new WaitingRoom(places, seats, () => timesEmpty++);
  const guest = (name: string, isUploading = false): Guest => new Guest(room, name, isUploading);
  return {
    room,
    come: (...names: readonly string[]): Guest[] => names.map((name) => guest(name).come()),
    upload: (...names: readonly string[]): Guest[] => names.map((name) => guest(name, true).come()),
    /** As the gate does: only when there is room. */
    ask: (name: string, isUploading = false, others = 0): Guest => {
      const asking = guest(name, isUploading);
      return room.makeRoomFor(asking, others) ? asking.come() : asking;
    },
    get timesEmpty() {
      return timesEmpty;
    },
  };
}

const statesOf = (guests: readonly Guest[]): readonly string[] => guests.map(({ state }) => state);

test("as many as there are places enter at once; each that leaves lets the next in", () => {
  const { room, come } = scene(2, 5);
  const guests = come("a1", "a2", "a3", "a4");
  expect(statesOf(guests)).toEqual(["inside", "inside", "waiting", "waiting"]);
  expect(room.waiting).toBe(2);
  guests[0]?.leave();
  expect(statesOf(guests)).toEqual(["gone", "inside", "inside", "waiting"]);
});

test("leaving twice, or from the line, gives nobody a second place", () => {
  const { come } = scene(1, 5);
  const guests = come("a1", "a2", "a3", "a4");
  guests[1]?.leave();
  expect(statesOf(guests)).toEqual(["inside", "gone", "waiting", "waiting"]);
  guests[0]?.leave();
  guests[0]?.leave();
  expect(statesOf(guests)).toEqual(["gone", "gone", "inside", "waiting"]);
});

test("it says when the last one has left", () => {
  const all = scene(1, 5);
  const guests = all.come("a1", "a2");
  guests[0]?.leave();
  expect([all.timesEmpty, all.room.isEmpty]).toEqual([0, false]);
  guests[1]?.leave();
  expect([all.timesEmpty, all.room.isEmpty]).toEqual([1, true]);
});

test("a visitor that leaves while it enters lets the next in", () => {
  const { room, come } = scene(1, 5);
  const hasty = new (class extends Guest {
    override enter(): void {
      this.leave();
    }
  })(room, "a1", false);
  hasty.come();
  expect(statesOf([hasty, ...come("a2")])).toEqual(["gone", "inside"]);
});

test("one caller's flood does not make another wait for more than one turn", () => {
  const { come } = scene(1, 100);
  const flood = come(...Array.from({ length: 50 }, (_, i) => `a${i}`));
  const [other] = come("b1");
  flood[0]?.leave();
  flood[1]?.leave();
  expect(other?.state).toBe("inside");
});

test("requests whose body is still coming get half of the places, whole ones all", () => {
  const { come, upload } = scene(4, 10);
  const uploads = upload("a1", "a2", "a3");
  expect(statesOf(uploads)).toEqual(["inside", "inside", "waiting"]);
  expect(statesOf(come("b1", "b2", "b3"))).toEqual(["inside", "inside", "waiting"]);
});

test("a body that becomes whole in the line is no upload any more", () => {
  const { upload } = scene(4, 10);
  const uploads = upload("a1", "a2", "a3");
  uploads[2]?.finishBody();
  expect(statesOf(uploads)).toEqual(["inside", "inside", "inside"]);
});

test("a body that becomes whole inside lets the next upload in", () => {
  const { upload } = scene(4, 10);
  const uploads = upload("a1", "a2", "a3");
  uploads[0]?.finishBody();
  uploads[0]?.finishBody();
  expect(statesOf(uploads)).toEqual(["inside", "inside", "inside"]);
});

test("with a single place uploads may have it; both kinds take turns", () => {
  const { come, upload } = scene(1, 10);
  const [first] = upload("a1");
  expect(first?.state).toBe("inside");
  const waiting = [...come("b1", "b2"), ...upload("c1", "c2")];
  const order: string[] = [];
  for (let current: Guest | undefined = first; current !== undefined;) {
    current.leave();
    current = waiting.find(({ state }) => state === "inside");
    if (current !== undefined) order.push(current.name);
  }
  expect(order.toSorted()).toEqual(["b1", "b2", "c1", "c2"]);
  expect(new Set(order.slice(0, 2).map((name) => name[0]))).toEqual(new Set(["b", "c"]));
});

test("there is room for as many as places and seats, less what is in use besides", () => {
  const { ask } = scene(1, 2);
  expect(["a1", "a2", "a3", "a4"].map((name) => ask(name).state)).toEqual([
    "inside",
    "waiting",
    "waiting",
    "outside",
  ]);
  expect(scene(1, 2).ask("a1", false, 3).state).toBe("outside");
  expect(scene(1, 2).ask("a1", false, 2).state).toBe("inside");
});

test("when all is full the caller with the longest line makes room, its latest first", () => {
  const { come, ask } = scene(1, 3);
  const [, ...line] = come("a0", "a1", "a2", "a3");
  const other = ask("b1");
  expect(other.state).toBe("waiting");
  expect(statesOf(line)).toEqual(["waiting", "waiting", "gone"]);
  // Nobody has much more than b now.
  expect(ask("b2").state).toBe("outside");
  expect(ask("c1").state).toBe("waiting");
  expect(statesOf(line)).toEqual(["waiting", "gone", "gone"]);
});

test("bodies that are long in coming give way to new ones", () => {
  const { ask } = scene(2, 6);
  const uploads = ["a1", "a2", "a3", "a4", "a5"].map((name) => ask(name, true));
  // One place for uploads, four of them in the line.
  expect(statesOf(uploads)).toEqual(["inside", "waiting", "waiting", "waiting", "waiting"]);
  expect(ask("b1", true).state).toBe("waiting");
  expect(statesOf(uploads)).toEqual(["inside", "gone", "waiting", "waiting", "waiting"]);
});

test("a whole request finds room although uploads fill the line", () => {
  const { ask } = scene(1, 3);
  const uploads = ["a1", "a2", "a3"].map((name) => ask(name, true));
  ask("b1");
  expect(ask("c1").state).toBe("waiting");
  expect(uploads.filter(({ state }) => state === "gone").length).toBeGreaterThan(0);
});

const SLOW = 10_000;

test("while somebody waits, clients that hold requests up keep half of the places; the slowest go first", () => {
  const { room, come } = scene(4, 10);
  const inside = come("a1", "a2", "a3", "a4");
  for (const [i, guest] of inside.entries()) guest.heldUp = SLOW + i;
  room.relieve(1000);
  // Nobody waits: no harm done.
  expect(statesOf(inside)).toEqual(["inside", "inside", "inside", "inside"]);
  const waiting = come("b1", "b2", "b3");
  room.relieve(2000);
  expect(statesOf(inside)).toEqual(["inside", "inside", "gone", "gone"]);
  expect(statesOf(waiting)).toEqual(["inside", "inside", "waiting"]);
  room.relieve(3000);
  expect(statesOf(inside)).toEqual(["inside", "inside", "gone", "gone"]);
});

test("no more give way than are waited for", () => {
  const { room, come } = scene(4, 10);
  const inside = come("a1", "a2", "a3", "a4");
  for (const guest of inside) guest.heldUp = SLOW;
  come("b1");
  room.relieve(1000);
  expect(inside.filter(({ state }) => state === "gone")).toHaveLength(1);
});

test("requests that the upstream holds up never give way", () => {
  const { room, come } = scene(2, 10);
  const inside = come("a1", "a2");
  come("b1");
  room.relieve(1000);
  expect(statesOf(inside)).toEqual(["inside", "inside"]);
});

test("a moment's slowness costs nobody its place", () => {
  const { room, come } = scene(2, 10);
  const inside = come("a1", "a2");
  for (const guest of inside) guest.heldUp = 500;
  come("b1");
  room.relieve(1000);
  expect(statesOf(inside)).toEqual(["inside", "inside"]);
  for (const guest of inside) guest.heldUp = 501;
  room.relieve(2000);
  expect(inside.filter(({ state }) => state === "gone")).toHaveLength(1);
});

test("slow uploads make room for waiting uploads as well", () => {
  const { room, upload } = scene(4, 10);
  const inside = upload("a1", "a2");
  for (const guest of inside) guest.heldUp = SLOW;
  const [waiting] = upload("b1");
  room.relieve(1000);
  expect(inside.filter(({ state }) => state === "gone")).toHaveLength(1);
  expect(waiting?.state).toBe("inside");
});

test("it looks no more often than every fifty milliseconds", () => {
  const { room, come } = scene(2, 10);
  const inside = come("a1", "a2");
  come("b1");
  room.relieve(1000);
  for (const guest of inside) guest.heldUp = SLOW;
  room.relieve(1049);
  expect(statesOf(inside)).toEqual(["inside", "inside"]);
  room.relieve(1050);
  expect(inside.filter(({ state }) => state === "gone")).toHaveLength(1);
});

test("open streams leave their places to others, and take those in which others would wait", () => {
  const { room, come, ask } = scene(2, 3);
  const streams = come("a1", "b1");
  const [waiting] = come("c1");
  expect(waiting?.state).toBe("waiting");
  for (const stream of streams) room.becameStream(stream);
  expect(waiting?.state).toBe("inside");
  const [inside, third] = come("d1", "e1");
  expect(statesOf([inside, third].flatMap((guest) => guest ?? []))).toEqual(["inside", "waiting"]);
  // Two streams, two inside, one waits: that is all there is room for.
  expect(ask("f1").state).toBe("outside");
  streams[0]?.leave();
  expect(ask("g1").state).toBe("waiting");
});

test("where nobody may wait a stream keeps its place; beyond the seats the next ones do", () => {
  const none = scene(1, 0);
  const [only] = none.come("a1");
  if (only !== undefined) none.room.becameStream(only);
  expect(none.ask("b1").state).toBe("outside");

  const { room, come } = scene(2, 1);
  const [first, second] = come("a1", "a2");
  for (const stream of [first, second]) if (stream !== undefined) room.becameStream(stream);
  const [third, fourth] = come("b1", "b2");
  expect(third?.state).toBe("inside");
  expect(fourth?.state).toBe("waiting");
  // Its seat goes to the stream that is still inside, and that one's place to who waits.
  first?.leave();
  expect(fourth?.state).toBe("inside");
  expect(come("b3")[0]?.state).toBe("waiting");
});

test("a room with an open stream is not empty; one that left before it became a stream stays away", () => {
  const { room, come } = scene(1, 1);
  const [stream] = come("a1");
  if (stream === undefined) throw new Error("nobody came");
  room.becameStream(stream);
  expect(room.isEmpty).toBe(false);
  stream.leave();
  expect(room.isEmpty).toBe(true);
  room.becameStream(stream);
  expect(room.isEmpty).toBe(true);
});
