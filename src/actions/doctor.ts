import { DrayError } from '../errors.ts';
import { connectedProbes } from './doctor/connected.ts';
import { enclaveProbes } from './doctor/enclave.ts';
import { clockProbe } from './doctor/clock.ts';
import type { Dates } from './doctor/clock.ts';
import { machineProbes } from './doctor/machine.ts';
import { runProbes, worstCode } from './doctor/probe.ts';
import type { DoctorOptions } from './options.ts';
import type { DoctorResult } from './results.ts';

/**
 * Looks at everything that a verb will need and changes nothing: on the connected side what a manifest and its lock ask
 * for, in an enclave what its site file does. Every check has a time limit; they run side by side.
 * @throws the lowest status of all problems (1 only where there is no other), with every check in its result
 */
export async function doctor(options: DoctorOptions): Promise<DoctorResult> {
  const { ctx, limit, connected, enclave } = options;
  const dates: Dates = new Map();
  const probes = [
    ...machineProbes(options),
    ...(connected === undefined ? [] : await connectedProbes(connected, options, dates)),
    ...(enclave === undefined ? [] : await enclaveProbes(enclave, options, dates)),
  ];
  const task = 'doctor';
  ctx.report({ type: 'begin', task, label: `looking at ${probes.length} things` });
  const found = await runProbes(probes, ctx, limit);
  // The clock is compared with what the other probes were told.
  const checks = [...found, ...(await runProbes([clockProbe(dates)], ctx, limit))];
  ctx.report({ type: 'end', task });
  const result = { checks };
  const code = worstCode(checks);
  if (code === undefined) return result;
  const names = checks.filter(({ state }) => state === 'problem').map(({ name }) => name);
  throw new DrayError(
    code,
    `${names.length === 1 ? 'a problem' : `${names.length} problems`} with ${names.join(', ')}`,
    {
      hint: 'each problem above says what to do about it',
      result,
    },
  );
}
