// `npm run bench [-- --size 2GB --rounds 5 --dir DIR --only SECTION]`: what dray's verbs take, beside what a public tool takes
// for the same bytes, in the same run and in turns. The ratio is the tool's time over dray's: above 1 dray is the faster one.

import { loadavg, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { measure } from './measure.mjs';
import { reportLine, reportMachine, reportTable } from './report.mjs';
import { openWorkbench } from './workbench.mjs';

/** One file, one part of the table: `cases(workbench)` prepares it and answers its lines; `close` stops what it started. */
const SECTIONS = ['files', 'volumes', 'registry', 'small', 'upstreams', 's3', 'many', 'start'];

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '2GB' },
    rounds: { type: 'string', default: '5' },
    dir: { type: 'string', default: tmpdir() },
    only: { type: 'string', multiple: true, default: SECTIONS },
  },
});
const size = bytesOf(values.size);
const rounds = Number(values.rounds);
reportMachine({ size, rounds, busy: loadavg()[0] });
const measured = [];
for (const section of values.only) {
  const { cases } = await import(`./${section}.mjs`);
  const { lines, close = () => undefined } = await cases(openWorkbench({ dir: values.dir, size }));
  try {
    for (const line of lines) {
      const taken = measure(line, line.rounds ?? rounds);
      taken.forEach(reportLine);
      measured.push(...taken);
    }
  } finally {
    await close();
  }
}
reportTable(measured);
process.exit();

function bytesOf(text) {
  const match = /^(\d+(?:\.\d+)?)(KB|MB|GB)?$/.exec(text);
  if (match === null) throw new Error(`--size ${text}: expected a number and KB, MB or GB`);
  return Number(match[1]) * { undefined: 1, KB: 1e3, MB: 1e6, GB: 1e9 }[match[2]];
}
