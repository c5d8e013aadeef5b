/** Whether the registry answers. Every call reports here; one banner for the whole page shows it. */
import { Observable } from "./observable.ts";

export interface Connection {
  readonly isDown: boolean;
  /** What is wrong, in a sentence, when it is down. */
  readonly reason: string;
}

const UP: Connection = { isDown: false, reason: "" };

export const connection: Observable<Connection> = new Observable(UP);

/** Counts up when somebody asks to try again at once; what waits for its next attempt follows it. */
export const retries: Observable<number> = new Observable(0);

export function reportUp(): void {
  if (connection.value.isDown) connection.set(UP);
}

export function reportDown(reason: string): void {
  if (connection.value.reason !== reason) connection.set({ isDown: true, reason });
}

export function retryNow(): void {
  retries.set(retries.value + 1);
}
