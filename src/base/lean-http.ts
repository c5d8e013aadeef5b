/**
 * Loads `node:http` without what nobody here uses of it. To import a built-in module as an ES module
 * reads all of its exports, and three of these are getters that load the undici inside Node: 7 ms of a
 * start and 2 MB, for a WebSocket client. They are taken away while the module is first imported and
 * put back. Where a later Node has no such getters, nothing happens.
 */
const { defineProperty, deleteProperty, getOwnPropertyDescriptor } = Reflect;

const WEBSOCKET_CLIENT = ["WebSocket", "CloseEvent", "MessageEvent"];

/** Before anything that imports `node:http` is itself imported. */
export async function loadLeanHttp(): Promise<void> {
  const exports: object = process.getBuiltinModule("node:http");
  const taken = WEBSOCKET_CLIENT.flatMap((name) => {
    const getter = getOwnPropertyDescriptor(exports, name);
    return getter?.configurable === true && deleteProperty(exports, name) ? [{ name, getter }] : [];
  });
  try {
    await import("node:http");
  } finally {
    for (const { name, getter } of taken) defineProperty(exports, name, getter);
  }
}
