import { tick } from "svelte";

/** What a view does one at a time: whether something is under way, and what failed last. */
export class Acting {
  busy = $state(false);
  failed = $state.raw<unknown>();

  /** Does one thing. Returns whether it was done; what failed is kept to be said. */
  async act(work: () => Promise<unknown>): Promise<boolean> {
    const held = document.activeElement;
    this.failed = undefined;
    this.busy = true;
    try {
      await work();
      return true;
    } catch (error) {
      this.failed = error;
      return false;
    } finally {
      this.busy = false;
      void keepFocus(held);
    }
  }
}

/** Gives the focus back to what was pressed, which lost it while it was disabled; to the heading where it is gone. */
export async function keepFocus(held: Element | null): Promise<void> {
  await tick();
  if (document.activeElement !== document.body || held === document.body) return;
  const heading = document.querySelector("main h1");
  const next = held?.isConnected ? held : heading;
  if (next instanceof HTMLElement) next.focus({ preventScroll: true });
}
