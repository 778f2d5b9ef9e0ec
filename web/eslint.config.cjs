// Lints of the pages' scripts, of the tests' scripts in them and of the tests' Node.js scripts; scripts/check_js.sh runs it. Types are TypeScript's matter.

// The packages lie in the cache, not above this file: require finds them by NODE_PATH, import would not.
const js = require("@eslint/js");
const globals = require("globals");

const rules = {
  ...js.configs.recommended.rules,
  "array-callback-return": "error",
  "eqeqeq": "error",
  "no-constructor-return": "error",
  "no-duplicate-imports": "error",
  "no-implicit-globals": "error",
  "no-loop-func": "error",
  "no-promise-executor-return": "error",
  "no-self-compare": "error",
  "no-template-curly-in-string": "error",
  "no-unmodified-loop-condition": "error",
  "no-unreachable-loop": "error",
  "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
  "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
  "no-var": "error",
  "prefer-const": "error",
};
const linterOptions = { reportUnusedDisableDirectives: "error" };

module.exports = [
  { files: ["web/static/*.js"], languageOptions: { sourceType: "module", globals: globals.browser }, linterOptions, rules },
  { files: ["tests/pages/*.js"], languageOptions: { sourceType: "script", globals: globals.browser }, linterOptions, rules: { ...rules, "no-implicit-globals": "off" } },
  { files: ["web/static/fault.js"], languageOptions: { sourceType: "script" } },
  { files: ["**/*.cjs"], languageOptions: { sourceType: "commonjs", globals: globals.node }, linterOptions, rules: { ...rules, "no-implicit-globals": "off" } },
];
