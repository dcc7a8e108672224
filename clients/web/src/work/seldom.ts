// Where few go, or seldom: administrators, the secretariat, whoever is invited, minds their key or drafts
// a notice. Fetched when somebody does.

import type { Component } from "svelte";
import Device from "./Device.svelte";
import type { Seat } from "./desk.svelte";
import Members from "./Members.svelte";
import Poster from "./Poster.svelte";
import Productions from "./Productions.svelte";
import Secretariat from "./Secretariat.svelte";

export { default as Enrol } from "./Enrol.svelte";
export { default as Propose } from "./Propose.svelte";

/** The views by the names of their places. */
export const VIEWS: Readonly<Record<string, Component<{ seat: Seat }>>> = {
  device: Device,
  members: Members,
  poster: Poster,
  productions: Productions,
  secretariat: Secretariat,
};
