import { resolve } from 'node:path';
import { isLater } from '../io/yaml/pieces.ts';
import type { Kind } from '../oci/kinds.ts';
import type { Taking, TargetSpec } from './site.ts';
import { s3Contradiction, s3Spec } from './s3-spec.ts';
import type { S3Fields } from './s3-spec.ts';
import type { TargetText } from './site-schema.ts';
import { TAKES, TARGETS } from './target-schema.ts';

/** The key of a target, or of one of its options, that is known but not supported yet; undefined where there is none. */
export function unsupportedKey({ key, fields }: TargetText): string | undefined {
  const shape: Readonly<Record<string, unknown>> = TARGETS[key].shape;
  const found = Object.keys(fields).find((name) => fields[name] !== undefined && isLater(shape[name]));
  const layout = typeof fields['layout'] === 'string' ? fields['layout'] : 'plain';
  return found ?? ((LAYOUTS[key] ?? [layout]).includes(layout) ? undefined : 'layout');
}

/** The layouts of a key that has any, as far as they are supported. */
const LAYOUTS: Partial<Record<TargetText['key'], readonly string[]>> = { modelCache: ['plain', 'hf'], s3: ['plain'] };

/** What is wrong between the keys of a target; undefined where nothing is. */
export function contradiction({
  key,
  fields,
}: TargetText): { readonly key: string; readonly message: string } | undefined {
  if (key === 's3') return s3Contradiction(fields as S3Fields);
  if (key !== 'registry') return undefined;
  const { certFile, keyFile, plainHttp, caFile } = fields;
  if (certFile !== undefined && keyFile === undefined)
    return { key: 'certFile', message: 'expected keyFile beside it, found none' };
  if (keyFile !== undefined && certFile === undefined)
    return { key: 'keyFile', message: 'expected certFile beside it, found none' };
  if (plainHttp === true && (caFile ?? certFile) !== undefined)
    return { key: 'plainHttp', message: 'expected plain HTTP or certificates, found both' };
  return undefined;
}

/** A supported target with its defaults; relative paths are relative to `base`. Undefined for those not supported yet. */
export function targetSpec({ key, fields }: TargetText, base: string): TargetSpec | undefined {
  const value = (name: string): string => resolve(base, String(fields[name]));
  const taking = takingOf(key, fields);
  switch (key) {
    case 'registry':
      return registrySpec(fields as RegistryFields, taking, base);
    case 's3':
      return s3Spec(fields as S3Fields, taking, base);
    case 'modelCache':
      return {
        type: 'model-cache',
        directory: value(key),
        layout: fields['layout'] === 'hf' ? 'hf' : 'plain',
        ...taking,
      };
    case 'directory':
      return { type: 'directory', directory: value(key), ...taking };
    case 'ociLayout':
      return { type: 'oci-layout', directory: value(key), ...taking };
    default:
      return undefined;
  }
}

type RegistryFields = (typeof TARGETS.registry)['_zod']['output'];

function registrySpec(fields: RegistryFields, taking: Taking, base: string): TargetSpec {
  const { registry, naming = 'path', rename = [], overwrite = false, caFile, certFile, keyFile, plainHttp } = fields;
  return {
    type: 'registry',
    registry: registry.replace(/\/$/, ''),
    naming,
    rename,
    overwrite,
    ...(caFile === undefined ? {} : { caFile: resolve(base, caFile) }),
    ...(certFile === undefined ? {} : { certFile: resolve(base, certFile) }),
    ...(keyFile === undefined ? {} : { keyFile: resolve(base, keyFile) }),
    ...(plainHttp === undefined ? {} : { plainHttp }),
    ...taking,
  };
}

function takingOf(key: TargetText['key'], fields: TargetText['fields']): Taking {
  const { take = [], group = [], without = [] } = fields as Partial<Taking>;
  const kinds: readonly Kind[] = take.length > 0 ? [...new Set(take)] : TAKES[key];
  return { take: kinds, group: [...new Set(group)], without: [...new Set(without)] };
}
