// Keys that act by themselves: never while somebody types, and only as long as they are wanted (WCAG 2.1.4).

const PLACE = "shortcuts";
const OFF = "off";
const FOLLOWS_MS = 1500;
const TYPED_IN = 'input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable]';
const PLACES: Readonly<Record<string, string>> = { c: "work/cases", i: "work/inbox" };

const state = $state({ wanted: true, atDesk: false });

/** Whether keys act, and for whom. */
export const shortcuts = {
  get wanted(): boolean {
    return state.wanted;
  },
  get atDesk(): boolean {
    return state.atDesk;
  },
};

/** Switches the keys on or off; remembered on the device of a member only, a reporter's keeps nothing. */
export function want(wanted: boolean, storage: Storage = localStorage): void {
  state.wanted = wanted;
  if (!state.atDesk) return;
  if (wanted) storage.removeItem(PLACE);
  else storage.setItem(PLACE, OFF);
}

/** Lets the keys of the desk act, unless this device remembers otherwise; returns how to stop them. */
export function sitDown(storage: Storage = localStorage): () => void {
  state.atDesk = true;
  if (storage.getItem(PLACE) === OFF) state.wanted = false;
  return () => {
    state.atDesk = false;
  };
}

/** Calls what a key is for; returns how to stop listening. */
export function onShortcuts(
  help: () => void,
  goTo: (place: string) => void,
  now: () => number = () => performance.now(),
): () => void {
  let led = Number.NEGATIVE_INFINITY;
  function pressed(event: KeyboardEvent): void {
    if (event.key === "Shift") return;
    const place = now() - led <= FOLLOWS_MS ? PLACES[event.key] : undefined;
    led = Number.NEGATIVE_INFINITY;
    if (!state.wanted || isMeantOtherwise(event)) return;
    if (event.key === "?") help();
    else if (event.key === "g" && state.atDesk) led = now();
    else if (place) goTo(place);
    else return;
    event.preventDefault();
  }
  window.addEventListener("keydown", pressed);
  return () => window.removeEventListener("keydown", pressed);
}

function isMeantOtherwise(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey)
    return true;
  const isTyping = event.target instanceof Element && event.target.closest(TYPED_IN) !== null;
  return isTyping || document.querySelector("dialog[open]") !== null;
}
