import { describe, expect, test } from "vitest";
import type { Exchange, Observer } from "../../../src/gate/exchange.ts";
import { CombinedObserver } from "../../../src/observe/combine.ts";
import { observe } from "../../support/exchanges.ts";

class Recorder implements Observer {
  readonly seen: string[] = [];

  started(exchange: Exchange): void {
    this.seen.push(`started ${exchange.id}`);
  }

  finished(exchange: Exchange): void {
    this.seen.push(`finished ${exchange.id}`);
  }
}

class Faulty implements Observer {
  started(): void {
    throw new Error("disk full");
  }

  finished(): void {
    throw new Error("disk full");
  }
}

describe("combined observers", () => {
  test("each sees every exchange, in the order given", () => {
    const recorders = [new Recorder(), new Recorder()];
    observe(new CombinedObserver(recorders, () => {}), { id: "req_9" });
    for (const { seen } of recorders) expect(seen).toEqual(["started req_9", "finished req_9"]);
  });

  test("one that throws breaks neither the request nor the others; it is counted, and reported once", () => {
    const recorder = new Recorder();
    const reports: string[] = [];
    const combined = new CombinedObserver([new Faulty(), recorder], (name, error) =>
      reports.push(`${name}: ${String(error)}`),
    );
    for (let i = 0; i < 3; i++) observe(combined);
    expect(recorder.seen).toHaveLength(6);
    expect(combined.failures).toBe(6);
    expect(reports).toEqual(["Faulty: Error: disk full"]);
  });

  test("a report that throws as well changes nothing", () => {
    const combined = new CombinedObserver([new Faulty()], () => {
      throw new Error("log is gone");
    });
    observe(combined);
    expect(combined.failures).toBe(2);
  });
});
