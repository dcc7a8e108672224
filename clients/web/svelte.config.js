export default {
  compilerOptions: {
    // Styles come from one file: the page's policy lets no element bring its own.
    css: "external",
    runes: true,
  },
};
