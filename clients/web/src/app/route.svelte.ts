// Where somebody is, behind the # of the address: none of it ever leaves the browser.

import { tick, untrack } from "svelte";

export type Language = "nl" | "en";
export const LANGUAGES: readonly Language[] = ["nl", "en"];

export interface Place {
  readonly language: Language;
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

/** What the history of the tab keeps with an entry: how many of this visit are before it. */
interface Numbered {
  readonly entry: number;
}

let entry = 0;
const state = $state<{ place: Place }>({ place: placeOf("") });

/** Where the reader is now; follows the address. */
export const route = {
  get language(): Language {
    return state.place.language;
  },
  get path(): readonly string[] {
    return state.place.path;
  },
  get query(): URLSearchParams {
    return state.place.query;
  },
};

/** Returns the place that the part of an address behind the # names; without a language the device's own. */
export function placeOf(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [first = "", ...rest] = path.split("/").filter(Boolean);
  const known = LANGUAGES.find((language) => language === first);
  const names = known ? rest : [first, ...rest].filter(Boolean);
  return { language: known ?? ownLanguage(), path: names, query: new URLSearchParams(query) };
}

/** Returns the address of a place. */
export function href(path: string, language: Language = route.language, query?: URLSearchParams): string {
  const asked = query?.size ? `?${query}` : "";
  return `#/${[language, ...path.split("/").filter(Boolean)].join("/")}${asked}`;
}

/** Goes to a place; what a reporter does leaves one entry in the history of the tab, however far they go. */
export function go(
  path: string,
  options: { keepsEntry?: boolean; language?: Language; query?: URLSearchParams } = {},
): void {
  const address = href(path, options.language, options.query);
  if (options.keepsEntry) history.replaceState(history.state, "", address);
  else history.pushState(null, "", address);
  read();
}

/** Brings the reader to where a view that has just come begins: the focus, and what is in sight. */
export async function arrive(): Promise<void> {
  await tick();
  document.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

/**
 * Arrives at every view that follows the first, from now on: whoever has just come is at the top already, where leaving
 * is first.
 *
 * @param view - What tells one view from another.
 * @param come - Settles once the view is there.
 */
export function arriveAtEach(view: () => unknown, come: () => Promise<unknown>): void {
  let shown = untrack(view);
  $effect(() => {
    const next = view();
    if (next === shown) return;
    shown = next;
    come().then(arrive, arrive);
  });
}

/** Changes what a list is narrowed to, in place: a bookmark and a way back keep it, the focus stays where it is. */
export function narrow(changes: Readonly<Record<string, string>>): void {
  const query = new URLSearchParams(state.place.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  history.replaceState(history.state, "", href(state.place.path.join("/"), state.place.language, query));
  read();
}

/** Returns how many entries of the tab's history lie between where the app was entered and here. */
export function entriesBack(): number {
  return entry;
}

/** Follows the address from now on. */
export function follow(): void {
  entry = -1;
  window.addEventListener("hashchange", read);
  window.addEventListener("popstate", read);
  read();
}

function read(): void {
  // An entry that is new here has no number yet; one that somebody comes back to, after a reload too, has kept it.
  const known = (history.state as Numbered | null)?.entry;
  entry = known ?? entry + 1;
  if (known === undefined) history.replaceState({ entry }, "");
  state.place = placeOf(location.hash);
}

function ownLanguage(): Language {
  return globalThis.navigator?.language.startsWith("nl") ? "nl" : "en";
}
