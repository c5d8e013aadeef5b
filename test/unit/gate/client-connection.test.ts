import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { ClientConnection } from "../../../src/gate/client-connection.ts";

interface Scene {
  readonly socket: Socket;
  readonly connection: ClientConnection;
  /** What has begun, in order. */
  readonly begun: string[];
  readonly take: (name: string) => ServerResponse;
}

function open(): Scene {
  const socket = new Socket();
  const connection = ClientConnection.of(socket);
  const begun: string[] = [];
  return {
    socket,
    connection,
    begun,
    take(name) {
      const response = new ServerResponse(new IncomingMessage(socket));
      connection.take(response, () => begun.push(name));
      return response;
    },
  };
}

test("requests begin one after the other", () => {
  const { begun, take } = open();
  const first = take("first");
  const second = take("second");
  take("third");
  expect(begun).toEqual(["first"]);
  first.emit("close");
  expect(begun).toEqual(["first", "second"]);
  second.emit("close");
  expect(begun).toEqual(["first", "second", "third"]);
});

test("behind the last answer nothing begins, whether it was waiting or is handed over later", () => {
  const { socket, connection, begun, take } = open();
  const first = take("first");
  take("waiting");
  socket.end();
  first.emit("close");
  take("handed over later");
  connection.takeLast(() => begun.push("an upgrade"));
  expect(begun).toEqual(["first"]);
});

test("a refusal takes the turn of the request that came last, and is the last thing", () => {
  const { connection, begun, take } = open();
  const first = take("first");
  const second = take("second");
  take("broken");
  expect(connection.replaceLast(() => begun.push("refusal"))).toBe(true);
  take("behind it");
  first.emit("close");
  second.emit("close");
  expect(begun).toEqual(["first", "second", "refusal"]);
});

test("what has begun already cannot be replaced", () => {
  const { connection, begun, take } = open();
  take("first");
  expect(connection.replaceLast(() => begun.push("refusal"))).toBe(false);
});
