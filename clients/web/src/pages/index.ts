import type { Component } from "svelte";

type Page = Promise<{ default: Component }>;

// Each page is fetched when somebody goes there.
const PAGES: Readonly<Record<string, () => Page>> = {
  "": () => import("./public/Home.svelte"),
  start: () => import("./reporter/Start.svelte"),
  back: () => import("./reporter/Back.svelte"),
  work: () => import("./work/Work.svelte"),
  rules: () => import("./public/Rules.svelte"),
  help: () => import("./public/Help.svelte"),
  how: () => import("./public/How.svelte"),
  running: () => import("./public/Running.svelte"),
};

/** Returns the page of a place by the first part of its path; what is no place is the page that says so. */
export function pageOf(name: string): Page {
  const page = PAGES[name];
  return page ? page() : import("./public/Nowhere.svelte");
}
