// Lists as they are shown: the first of them, and whether there are more.

const SHOWN = 50;

/** The first items of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly more: boolean;
}

/** Returns the first items of a list that is fetched page by page. */
export async function firstOf<Item>(items: AsyncIterable<Item>, count: number = SHOWN): Promise<Page<Item>> {
  const found: Item[] = [];
  for await (const item of items) {
    if (found.length === count) return { items: found, more: true };
    found.push(item);
  }
  return { items: found, more: false };
}

/** Returns the last part of a resource's name, as the address has it. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
