/** Names on the wire: of numbers, those included that a newer server made up, of methods, and of resources. */

import type { DescEnum, DescMethodServerStreaming, DescMethodUnary } from "@bufbuild/protobuf";

/** Returns the name of `number`; the number itself when this client is too old to know it. */
export function nameOf(enumeration: DescEnum, number: number): string {
  return enumeration.value[number]?.name ?? String(number);
}

/** Returns the incident that a section or notice belongs to. */
export function incidentOf(name: string): string {
  return name.split("/").slice(0, 2).join("/");
}

/** Returns `/package.Service/Method`. */
export function pathOf(method: DescMethodUnary | DescMethodServerStreaming): string {
  return `/${method.parent.typeName}/${method.name}`;
}
