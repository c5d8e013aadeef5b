/**
 * Several gates side by side, each with an upstream of its own. Most of a case's time is waiting
 * for a connection to be closed; on a lane cases follow each other, so what one leaves behind
 * still shows in the next.
 */
import { waitFor } from "../../support/wait-for.ts";
import { WireScene } from "./scene.ts";

export class Lanes implements AsyncDisposable {
  readonly #scenes: readonly WireScene[];
  readonly #free: WireScene[];

  private constructor(scenes: readonly WireScene[]) {
    this.#scenes = scenes;
    this.#free = [...scenes];
  }

  static async open(count: number): Promise<Lanes> {
    return new Lanes(await Promise.all(Array.from({ length: count }, () => WireScene.open())));
  }

  /** Runs on the next free lane. */
  async on<T>(run: (scene: WireScene) => Promise<T>): Promise<T> {
    const scene = await waitFor("a free lane", () => this.#free.shift(), { deadlineMs: 120_000, everyMs: 2 });
    try {
      return await run(scene);
    } finally {
      this.#free.push(scene);
    }
  }

  /** All that the gates have written. */
  get output(): string {
    return this.#scenes.map(({ gate }) => gate.output).join("");
  }

  get scenes(): readonly WireScene[] {
    return this.#scenes;
  }

  /** Ends the gates in order, so that nothing of their logs is missing. */
  async stop(): Promise<void> {
    await Promise.all(this.#scenes.map(({ gate }) => gate.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#scenes.map((scene) => scene[Symbol.asyncDispose]()));
  }
}
