// Lists as they are shown: page by page, rows that stay where they are, and at most so many of them.

import type { Listed, Page } from "meldbrug";

/** As many rows as a page of the app keeps; whoever has more narrows the filter. */
export const KEPT = 500;
/** What a look at the whole list did not meet again is looked up by its name, so many at a time. */
const LOOKED_UP = 20;
/** Pages may come empty where the policy denies what is on them; nobody presses for each. */
const TURNED = 8;

interface Named {
  readonly name: string;
}

/** What a list is made of. */
export interface Source<Item> {
  /** Fetches a page; the first for an empty token. */
  readonly page: (pageToken: string) => Promise<Page<Item>>;
  /** Fetches one item again, by its name. */
  readonly one?: (name: string) => Promise<Item>;
  /** Whether a change belongs on the list; every one does when absent. */
  readonly wanted?: (item: Item) => boolean;
}

/** One list: what is shown of it, what changed meanwhile, and whether there is more. */
export class Rows<Item extends Named> {
  /** What is shown, in its order; a change takes its place, whatever it is. */
  shown = $state.raw<readonly Item[]>([]);
  /** What is new and waits until it is asked for, newest first. */
  news = $state.raw<readonly Item[]>([]);
  busy = $state(false);
  failed = $state.raw<unknown>();
  #token = $state<string | undefined>("");
  #cut = $state(false);
  #first: Promise<void> | undefined;
  #refreshing = false;
  readonly #source: Source<Item>;

  /** Fetches nothing yet. */
  constructor(source: Source<Item>) {
    this.#source = source;
  }

  /** Whether the first page came. */
  get isRead(): boolean {
    return this.#token !== "";
  }

  /** Whether there is another page, and room for it. */
  get hasMore(): boolean {
    return this.#token !== undefined && !this.isFull;
  }

  /** Whether there is more than is kept. */
  get isFull(): boolean {
    return this.shown.length >= KEPT && (this.#cut || this.#token !== undefined);
  }

  /** Fetches the first page, once. */
  begin(): Promise<void> {
    this.#first ??= this.more();
    return this.#first;
  }

  /** Fetches the next page and puts it below; what fails is kept to be said, and may be asked for again. */
  async more(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.failed = undefined;
    try {
      const before = this.shown.length;
      for (let turned = 0; turned < TURNED && this.hasMore && this.shown.length === before; turned++) {
        const { items, nextPageToken } = await this.#source.page(this.#token ?? "");
        this.#keep([...this.shown, ...this.#unknown(items)]);
        this.#token = nextPageToken || undefined;
      }
    } catch (error) {
      this.failed = error;
    } finally {
      this.busy = false;
    }
  }

  /** Takes a change: a row that is shown takes it where it is, another waits until it is asked for. */
  take(item: Item): void {
    if (this.shown.some(({ name }) => name === item.name)) {
      this.shown = this.shown.map((row) => (row.name === item.name ? item : row));
      return;
    }
    const others = this.news.filter(({ name }) => name !== item.name);
    const isWanted = this.#source.wanted?.(item) ?? true;
    this.news = isWanted ? [item, ...others].slice(0, KEPT) : others;
  }

  /** Puts what waited above. */
  show(): void {
    const news = this.news;
    this.news = [];
    this.#keep([...news, ...this.shown]);
  }

  /** Puts what was just made here above, at once. */
  add(item: Item): void {
    this.take(item);
    this.show();
  }

  /** Looks again without a word, as far as rows are shown; what fails leaves them as they are. */
  async refresh(): Promise<void> {
    if (this.#refreshing || !this.isRead) return;
    this.#refreshing = true;
    try {
      const met = await this.#met();
      for (const item of [...met].reverse()) this.take(item);
      const names = new Set(met.map(({ name }) => name));
      await this.#lookUp(this.shown.filter(({ name }) => !names.has(name)));
    } catch {
      // Nobody asked: the rows stay, and the next look tries again.
    } finally {
      this.#refreshing = false;
    }
  }

  /** Returns the list as it is now, down to the last row that is shown. */
  async #met(): Promise<readonly Item[]> {
    const met: Item[] = [];
    const wanted = this.shown.length;
    let token = "";
    do {
      const { items, nextPageToken } = await this.#source.page(token);
      met.push(...items);
      token = nextPageToken;
    } while (token !== "" && met.length < wanted);
    const shown = new Set(this.shown.map(({ name }) => name));
    // What is below the last row is on a page that nobody asked for yet; it is not new.
    return this.#token === undefined
      ? met
      : met.slice(0, met.findLastIndex(({ name }) => shown.has(name)) + 1);
  }

  async #lookUp(missing: readonly Item[]): Promise<void> {
    const { one } = this.#source;
    if (!one) return;
    const found = await Promise.allSettled(missing.slice(0, LOOKED_UP).map(({ name }) => one(name)));
    for (const each of found) if (each.status === "fulfilled") this.take(each.value);
  }

  #unknown(items: readonly Item[]): readonly Item[] {
    const known = new Set([...this.shown, ...this.news].map(({ name }) => name));
    return [...new Map(items.map((item) => [item.name, item])).values()].filter(
      ({ name }) => !known.has(name),
    );
  }

  #keep(rows: readonly Item[]): void {
    this.#cut ||= rows.length > KEPT;
    this.shown = rows.slice(0, KEPT);
  }
}

/** Returns the rows of a list of the client. */
export function rowsOf<Item extends Named>(list: Listed<Item>): Rows<Item> {
  return new Rows({ page: (pageToken) => list.page(pageToken) });
}

/** Returns what a list holds, to choose from; of a longer one than is kept, its beginning. */
export async function gathered<Item>(list: Listed<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of list) {
    found.push(item);
    if (found.length === KEPT) break;
  }
  return found;
}

/** Returns the last part of a resource's name, as the address has it. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
