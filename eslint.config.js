import tseslint from 'typescript-eslint';

/** Ceilings of docs/architecture.md, "Habits": one idea a file, short functions, nothing printed outside `cli`. */
export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'test/golden/', 'schemas/', '.dray/', 'examples/**/out/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
  },
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 250, skipComments: true, skipBlankLines: true }],
      'max-lines-per-function': ['error', { max: 40, skipComments: true, skipBlankLines: true }],
      'max-params': ['error', 5],
      'no-console': 'error',
    },
  },
  { files: ['src/!(cli)/**/*.ts', 'src/*.ts'], rules: { 'no-restricted-globals': ['error', 'process'] } },
  { files: ['test/**/*.ts'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
);
