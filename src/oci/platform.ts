import { DrayError } from '../errors.ts';

/** image-spec, image-index.md, "platform". */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
}

const PART = /^[a-z0-9_.-]+$/;

/** `os/architecture[/variant]`, for example `linux/arm64/v8`. @throws `manifest-invalid` */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split('/');
  if (os && architecture && rest.length === 0 && [os, architecture, variant ?? 'v'].every((part) => PART.test(part)))
    return { os, architecture, ...(variant === undefined ? {} : { variant }) };
  throw new DrayError(
    'manifest-invalid',
    `platform ${JSON.stringify(text)}: expected os/architecture[/variant], for example linux/amd64`,
  );
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== undefined && part !== '').join('/');
}

/** Does `found` answer a request for `asked`? A variant left out asks for any; arm64 and arm64/v8 are one (containerd's `platforms`). */
export function platformMatches(asked: Platform, found: Platform): boolean {
  return (
    asked.os === found.os &&
    asked.architecture === found.architecture &&
    (asked.variant === undefined || variantOf(asked) === variantOf(found))
  );
}

function variantOf({ architecture, variant }: Platform): string | undefined {
  return architecture === 'arm64' && (variant === undefined || variant === '') ? 'v8' : variant;
}
