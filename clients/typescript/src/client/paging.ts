/** Lists that come in pages, as one asynchronous iterator; and what is asked for a few at a time. */

import { MeldbrugError } from "./errors.js";

/** A server cannot keep a client turning pages for ever. */
export const MAX_PAGES = 10_000;
/** As many as an answer holds. */
export const SECTIONS_AT_A_TIME = 8;

/** What every answer of a list has: empty on the last page. */
export interface Page {
  readonly nextPageToken: string;
}

/** Yields the items of every page; a page is fetched when it is reached. */
export async function* every<P extends Page, T>(
  fetch: (pageToken: string) => Promise<P>,
  items: (page: P) => Iterable<T> | Promise<Iterable<T>>,
  maxPages: number = MAX_PAGES,
): AsyncGenerator<T, void, undefined> {
  let token = "";
  for (let turned = 0; turned < maxPages; turned++) {
    const page = await fetch(token);
    yield* await items(page);
    token = page.nextPageToken;
    if (token === "") {
      return;
    }
  }
  throw new MeldbrugError("the list does not end");
}

/** Returns what `fetch` finds for each section, in their order, asked for a few at a time. */
export async function inTurns<T>(
  sections: readonly string[],
  fetch: (some: readonly string[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const found: T[] = [];
  for (let start = 0; start < sections.length; start += SECTIONS_AT_A_TIME) {
    found.push(...(await fetch(sections.slice(start, start + SECTIONS_AT_A_TIME))));
  }
  return found;
}

/** Returns everything that a list yields. */
export async function all<T>(list: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of list) {
    found.push(item);
  }
  return found;
}
