import { DrayError } from '../errors.ts';

const TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?$/;
const HOUR = 3_600_000;
const UNITS: Readonly<Record<string, number>> = { h: HOUR, d: 24 * HOUR, w: 7 * 24 * HOUR };

/** A date (its first second, UTC) or a time with zone, in whole seconds (RFC 3339). @throws `usage` */
export function parseTime(text: string, subject: string): Date {
  const time = isTime(text) ? Math.floor(Date.parse(text) / 1000) * 1000 : NaN;
  if (!Number.isNaN(time) && new Date(time).getUTCFullYear() >= 1970) return new Date(time);
  throw new DrayError('usage', `${subject} ${JSON.stringify(text)}: expected a time such as 2027-01-31T12:00:00Z`);
}

/** `90d`, `12w`, `36h` after a moment, or a date or time. @throws `usage` */
export function parseExpiry(text: string, from: Date): Date {
  const [, amount = '', unit = ''] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  const length = Number(amount) * (UNITS[unit] ?? NaN);
  const expiry = length > 0 ? new Date(Math.floor((from.getTime() + length) / 1000) * 1000) : undefined;
  if (expiry !== undefined) return expiry;
  if (isTime(text)) {
    const time = parseTime(text, '--expires');
    if (time > from) return time;
    throw new DrayError(
      'usage',
      `--expires ${JSON.stringify(text)}: expected a time after that of creation, ${from.toISOString()}`,
    );
  }
  throw new DrayError(
    'usage',
    `--expires ${JSON.stringify(text)}: expected 90d, 12w, 36h or a date such as 2027-01-31`,
  );
}

/** `SOURCE_DATE_EPOCH` (reproducible-builds.org): whole seconds since 1970, in ASCII digits. @throws `usage` */
export function parseEpoch(text: string): Date {
  if (/^\d{1,11}$/.test(text)) return new Date(Number(text) * 1000);
  throw new DrayError('usage', `SOURCE_DATE_EPOCH ${JSON.stringify(text)}: expected seconds since 1970`);
}

/** `Date.parse` alone would take the 30th of February for the 2nd of March. */
function isTime(text: string): boolean {
  const day = Date.parse(text.slice(0, 10));
  return TIME.test(text) && !Number.isNaN(day) && new Date(day).toISOString().startsWith(text.slice(0, 10));
}
