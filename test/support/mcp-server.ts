/**
 * A real MCP server over streamable HTTP, as a process: `@modelcontextprotocol/server-everything`.
 * Its path is /mcp.
 */
import { connect } from "node:net";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Child, startChild } from "./child.ts";
import { lastingPort } from "./listening.ts";
import { waitFor } from "./wait-for.ts";

const program = fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"));
const START_ATTEMPTS = 3;

export interface McpServer extends AsyncDisposable {
  readonly url: string;
  readonly child: Child;
}

export async function startMcpServer(): Promise<McpServer> {
  for (let attempt = 1; ; attempt++) {
    // It says which port it was given, not which one it got: port 0 would be of no use.
    const port = await lastingPort();
    const child = await startChild(process.execPath, [program, "streamableHttp"], {
      env: { PORT: String(port) },
    });
    try {
      await waitFor("the MCP server to listen", async () => {
        if (child.exit !== undefined) return "ended";
        const socket = connect(port, "127.0.0.1");
        await once(socket, "connect");
        socket.destroy();
        return "listens";
      });
      if (child.exit !== undefined) throw new Error(`the MCP server ended: ${child.stderr}`);
      const url = `http://127.0.0.1:${port}`;
      return { url, child, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
    } catch (error) {
      await child[Symbol.asyncDispose]();
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}
