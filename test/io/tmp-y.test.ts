import { test } from 'vitest';
import { jsonSchemas } from '../../src/actions/schemas.ts';
import { writeFileSync } from 'node:fs';
test('x', () => { for (const [n, s] of Object.entries(jsonSchemas())) writeFileSync('/tmp/' + n, JSON.stringify(s, null, 2)); });
