/** As many characters as a field takes: a sealed text takes at most so many bytes, and some characters take four. */
export const LONGEST = 16_000;
