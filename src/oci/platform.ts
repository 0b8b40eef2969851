import { DrayError } from '../errors.ts';

/** image-spec, image-index.md, "platform". */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
}

/** containerd's `platforms` has the version in brackets: `windows(10.0.20348)/amd64`. */
const PLATFORM = /^([a-z0-9_.-]+)(?:\(([0-9][0-9.]{0,40})\))?\/([a-z0-9_.-]+)(?:\/([a-z0-9_.-]+))?$/;

/** `os[(version)]/architecture[/variant]`, for example `linux/arm64/v8`. @throws `manifest-invalid` */
export function parsePlatform(text: string): Platform {
  const [, os, version, architecture, variant] = PLATFORM.exec(text) ?? [];
  if (os !== undefined && architecture !== undefined)
    return {
      os,
      architecture,
      ...(variant === undefined ? {} : { variant }),
      ...(version === undefined ? {} : { 'os.version': version }),
    };
  throw new DrayError(
    'manifest-invalid',
    `platform ${JSON.stringify(text)}: expected os/architecture[/variant], for example linux/amd64`,
  );
}

export function formatPlatform({ os, architecture, variant, 'os.version': version }: Platform): string {
  const system = version === undefined || version === '' ? os : `${os}(${version})`;
  return [system, architecture, variant].filter((part) => part !== undefined && part !== '').join('/');
}

/**
 * Does `found` answer a request for `asked`? A variant or a version left out asks for any; arm64 and arm64/v8 are one
 * (containerd's `platforms`), and `10.0.20348` asks for all its builds.
 */
export function platformMatches(asked: Platform, found: Platform): boolean {
  return (
    asked.os === found.os &&
    asked.architecture === found.architecture &&
    (asked.variant === undefined || variantOf(asked) === variantOf(found)) &&
    (asked['os.version'] === undefined || `${found['os.version'] ?? ''}.`.startsWith(`${asked['os.version']}.`))
  );
}

function variantOf({ architecture, variant }: Platform): string | undefined {
  return architecture === 'arm64' && (variant === undefined || variant === '') ? 'v8' : variant;
}
