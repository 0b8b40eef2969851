import { resolve } from 'node:path';
import type { DoctorOptions } from '../../actions/options.ts';
import type { DoctorCheck, DoctorResult } from '../../actions/results.ts';
import { siteFileOf } from '../enclave.ts';
import { connectedSide, enclaveSide, manifestOf } from '../open.ts';
import { countOf, wrapped } from '../page.ts';
import type { Page } from '../page.ts';
import { nodeMinimum } from '../package.ts';
import { answered } from '../verb.ts';
import type { Call, Run } from '../verb.ts';

/** Longer than a server that is up takes to answer, and short enough to wait for. */
const LIMIT = 20_000;

export const run: Run = async (call) => {
  const { doctor } = await import('../../actions/doctor.ts');
  const { ctx, io } = call;
  const runtime = { node: process.versions.node, minimum: nodeMinimum() };
  return answered(doctor({ ctx, runtime, environment: io.env, limit: LIMIT, ...(await sidesOf(call)) }), describe);
};

/** What is named; where nothing is, the manifest here, else the enclave's own site file. */
async function sidesOf(call: Call): Promise<Pick<DoctorOptions, 'connected' | 'enclave'>> {
  const { given, io } = call;
  const manifest = given.siteToo === undefined ? manifestOf(call) : given.file;
  const site = manifest === undefined || given.siteToo !== undefined ? siteFileOf(call, given.siteToo) : undefined;
  const enclave = site === undefined ? {} : { enclave: enclaveSide(call, site) };
  if (manifest === undefined && site !== undefined) return enclave;
  return { ...enclave, connected: await connectedSide(call, resolve(io.cwd, manifest ?? 'dray.yaml')) };
}

function describe({ checks }: DoctorResult, page: Page): string {
  const tally = STATES.flatMap(({ state, noun }) => {
    const count = checks.filter((check) => check.state === state).length;
    return count === 0 ? [] : [noun === undefined ? `${count} ${state}` : countOf(count, noun)];
  });
  return `${checks.map((check) => lineOf(check, page)).join('')}${countOf(checks.length, 'check')}: ${tally.join(', ')}\n`;
}

const STATES = [
  { state: 'ok', noun: undefined },
  { state: 'warning', noun: 'warning' },
  { state: 'problem', noun: 'problem' },
  { state: 'skipped', noun: undefined },
] as const;

function lineOf({ name, state, message, hint }: DoctorCheck, page: Page): string {
  const style = { ok: page.dim, skipped: page.dim, warning: page.yellow, problem: page.red }[state];
  const subject = `${name.split(' ').at(-1) ?? ''}: `;
  const [first = '', ...more] = message.split('\n');
  const text = `${name}: ${first.startsWith(subject) ? first.slice(subject.length) : first}`;
  const below = (line: string): string => wrapped(page, line, { first: ' '.repeat(11), width: 11 });
  return [
    wrapped(page, text, { first: `${style(state.padEnd(7))}  `, width: 9 }),
    ...more.map(below),
    hint === '' ? '' : wrapped(page, hint, { first: ' '.repeat(9) + page.bold('→ '), width: 11 }),
  ].join('');
}
