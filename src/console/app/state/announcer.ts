/** What screen readers are told without moving the focus: one polite live region for the page. */
import { Observable } from "./observable.ts";

export const announcement: Observable<string> = new Observable("");

/** The same words twice are two announcements: a mark that nobody hears makes them differ. */
export function announce(text: string): void {
  announcement.set(announcement.value === text ? `${text}\u200b` : text);
}
