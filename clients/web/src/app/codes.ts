/** Returns a code as the directory knows it: as good with capitals and spaces as without. */
export function cleaned(code: string): string {
  return code.toLowerCase().replace(/[^a-z2-7]/g, "");
}
