// Leaving quickly: nothing is left on the screen, in memory, in storage, or behind the back button.

import { entriesBack } from "./route.svelte";

const PRESSES = 3;
const WITHIN_MS = 1500;
/** Where drafts are kept on this device: each begins so, and nothing else does. */
export const DRAFTS = "draft/";
/** Going back within a page takes a few milliseconds; whoever leaves waits no longer than this for it. */
const BACK_MS = 300;

const forgetting = new Set<() => void>();

/** Lets something be forgotten when somebody leaves quickly; returns how to take that back. */
export function whenLeaving(forget: () => void): () => void {
  forgetting.add(forget);
  return () => forgetting.delete(forget);
}

/** Leaves for `to` at once; the back button does not lead here again. */
export function leave(to: string): void {
  document.body.replaceChildren();
  for (const forget of [...forgetting, forgetDrafts]) {
    try {
      forget();
    } catch {
      // Where nothing may be kept there is nothing to forget, and nothing holds up who leaves.
    }
  }
  fromTheFirstEntry(() => location.replace(to));
}

function forgetDrafts(): void {
  for (const place of Object.keys(localStorage)) if (place.startsWith(DRAFTS)) localStorage.removeItem(place);
}

/** Goes back to where the app was entered, and calls `on` there: what was entered since is behind nobody's back button. */
function fromTheFirstEntry(on: () => void): void {
  const back = Math.min(entriesBack(), history.length - 1);
  if (back === 0) {
    on();
    return;
  }
  const waiting = setTimeout(on, BACK_MS);
  const arrived = (): void => {
    clearTimeout(waiting);
    on();
  };
  window.addEventListener("popstate", arrived, { once: true });
  history.go(-back);
}

/** Calls `act` when Shift was pressed three times in a row and nothing else; returns how to stop listening. */
export function onThreeShifts(act: () => void, now: () => number = () => performance.now()): () => void {
  let presses: number[] = [];
  function pressed(event: KeyboardEvent): void {
    if (event.repeat) return;
    presses = event.key === "Shift" ? [...presses, now()].slice(-PRESSES) : [];
    const [first] = presses;
    if (presses.length === PRESSES && first !== undefined && now() - first <= WITHIN_MS) act();
  }
  window.addEventListener("keydown", pressed, true);
  return () => window.removeEventListener("keydown", pressed, true);
}
