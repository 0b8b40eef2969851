import type { Finding } from '../bundle/finding.ts';

/** What lies beside the volumes of a medium is not what was signed. */
export function damagedMedium(name: string, message: string): Finding {
  return { severity: 'error', code: 'content-damaged', message, medium: name, hint: `burn ${name} again` };
}
