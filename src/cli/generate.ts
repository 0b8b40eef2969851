import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedFiles } from '../actions/generated.ts';
import { commandReference } from './reference.ts';

/**
 * For `npm run generate`, from dist/: writes the files that come from the code (schemas, docs/errors.md, docs/cli.md). With
 * `--executable`, which is the last step of the build, it only makes the command executable.
 */
const root = join(import.meta.dirname, '..', '..');

if (process.argv.includes('--executable')) chmodSync(join(root, 'dist', 'cli', 'main.js'), 0o755);
else
  for (const [path, text] of Object.entries({ ...generatedFiles(), 'docs/cli.md': commandReference() })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
