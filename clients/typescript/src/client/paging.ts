/** Lists that come in pages, taken whole or page by page; and what is asked for a few at a time. */

import { MeldbrugError } from "./errors.js";

/** A server cannot keep a client turning pages for ever. */
export const MAX_PAGES = 10_000;
/** As many as an answer holds. */
export const SECTIONS_AT_A_TIME = 8;

/** What every answer of a list has: empty on the last page. */
interface Answer {
  readonly nextPageToken: string;
}

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** For the next page; empty on the last. */
  readonly nextPageToken: string;
}

/** A list that comes in pages: taken whole, a page being fetched when it is reached, or one page at a time. */
export class Listed<T> implements AsyncIterable<T> {
  readonly #fetch: (pageToken: string) => Promise<Page<T>>;
  readonly #maxPages: number;

  /** Fetches nothing yet. */
  constructor(fetch: (pageToken: string) => Promise<Page<T>>, maxPages: number) {
    this.#fetch = fetch;
    this.#maxPages = maxPages;
  }

  /** Returns the page of a token, which may be asked for again; the first without one. */
  page(pageToken = ""): Promise<Page<T>> {
    return this.#fetch(pageToken);
  }

  /** Yields the items of every page. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    let token = "";
    for (let turned = 0; turned < this.#maxPages; turned++) {
      const { items, nextPageToken } = await this.#fetch(token);
      yield* items;
      token = nextPageToken;
      if (token === "") {
        return;
      }
    }
    throw new MeldbrugError("the list does not end");
  }
}

/** Returns the list whose pages `fetch` gets, with the items of each. */
export function every<A extends Answer, T>(
  fetch: (pageToken: string) => Promise<A>,
  items: (answer: A) => Iterable<T> | Promise<Iterable<T>>,
  maxPages: number = MAX_PAGES,
): Listed<T> {
  const page = async (pageToken: string): Promise<Page<T>> => {
    const answer = await fetch(pageToken);
    return { items: [...(await items(answer))], nextPageToken: answer.nextPageToken };
  };
  return new Listed(page, maxPages);
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
