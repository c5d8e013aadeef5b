/** The sidecar's preStop hook, as it is shipped, on a real gate: Kubernetes' part is played by the test. */
import { expect, test } from "vitest";
import { parse } from "yaml";
import { startChild } from "../support/child.ts";
import { makeKey, writeGateFiles } from "../support/fixtures.ts";
import { startGateProcess } from "../support/gate-process.ts";
import { ask } from "../support/http-client.ts";
import { answerOf, type RawConnection, startRawUpstream } from "../support/raw-upstream.ts";
import { textOf } from "../support/source-files.ts";
import { makeTempFolder } from "../support/temp-folder.ts";
import { waitFor } from "../support/wait-for.ts";
import { type Container, type KubernetesObject, specOf } from "./kubernetes.ts";

const key = makeKey();

/** Its command, for a gate that is not process 1 of a container. */
function hookFor(pid: number): readonly string[] {
  const component = parse(textOf("helm/kustomize/sidecar/sidecar.yaml")) as KubernetesObject;
  const { template } = specOf<{ template: { spec: { initContainers: readonly Container[] } } }>(component);
  const hook = template.spec.initContainers[0]?.lifecycle?.preStop?.exec?.command ?? [];
  expect(hook[2]).toContain("process.kill(1,");
  return hook.map((word) => word.replace("process.kill(1,", `process.kill(${pid},`));
}

test("a pod that ends drains its gate while the application still runs, and cuts nothing", async () => {
  await using stack = new AsyncDisposableStack();
  const held: RawConnection[] = [];
  const application = stack.use(
    await startRawUpstream({ onMessage: (_message, connection) => held.push(connection) }),
  );
  const folder = stack.use(await makeTempFolder());
  const config = { shutdown_delay: "500ms", shutdown_grace: "20s" };
  const files = await writeGateFiles(folder, { upstreamUrl: application.url, keys: [key], config });
  const gate = stack.use(await startGateProcess(files.configFile));
  const slow = ask(`${gate.url}/v1/memories`, { key: key.secret });
  await waitFor("the request at the application", () => held.length === 1);

  const [command = "", ...args] = hookFor(gate.child.pid);
  const hook = stack.use(await startChild(command, args));
  await waitFor("the gate to be not ready", async () => (await ask(`${gate.opsUrl}/readyz`)).status === 503);
  await waitFor("new connections to be refused", async () => {
    const error: unknown = await ask(gate.url).catch((reason: unknown) => reason);
    return error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
  });

  // Once the hook ends, Kubernetes signals: a second time, which would cut what is under way.
  expect(hook.exit).toBeUndefined();
  expect(gate.child.exit).toBeUndefined();
  held[0]?.send(answerOf(200, "worth waiting for"));
  expect(await slow).toMatchObject({ status: 200, text: "worth waiting for" });
  expect(await gate.child.ended()).toEqual({ code: 0, signal: null });
  // It ends with its container.
  expect(hook.exit).toBeUndefined();
});
