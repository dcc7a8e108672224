/** Names of the wire's numbers, those included that a newer server made up. */

import type { DescEnum } from "@bufbuild/protobuf";

/** Returns the name of `number`; the number itself when this client is too old to know it. */
export function nameOf(enumeration: DescEnum, number: number): string {
  return enumeration.value[number]?.name ?? String(number);
}

/** Returns the incident that a section or notice belongs to. */
export function incidentOf(name: string): string {
  return name.split("/").slice(0, 2).join("/");
}
