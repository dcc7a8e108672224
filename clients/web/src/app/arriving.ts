import { tick } from "svelte";

/** Brings the reader to where a view that has just come begins: the focus, and what is in sight. */
export async function arrive(): Promise<void> {
  await tick();
  document.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}
