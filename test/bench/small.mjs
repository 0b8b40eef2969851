import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeImages } from './payload.mjs';
import { dray, installed } from './run.mjs';
import { freePort, startLatency, startRegistry } from './servers.mjs';

const IMAGES = 200;
const LATENCY = 50;
const IN_FLIGHT = 8;

/** Many small questions to a registry: locked, fetched from far away, and fetched again. @param {import('./workbench.mjs').Workbench} workbench */
export async function cases({ work, path, into }) {
  if (installed('docker-registry') === undefined) {
    process.stdout.write('skipped: many images (docker-registry is not installed)\n');
    return { lines: [] };
  }
  await makeImages(path('images'), { size: IMAGES * 2000, images: IMAGES, layers: 1 });
  await makeImages(path('layers'), { size: 2000, images: 1, layers: 1, small: IMAGES });
  const [port, far] = [await freePort(), await freePort()];
  const host = `127.0.0.1:${port}`;
  const stops = [startRegistry('docker-registry', path('registry'), port), startLatency(far, port, LATENCY)];
  dray(['keygen', 'release', '--no-password'], work);
  for (const what of ['images', 'layers']) {
    manifest(what, `{path: ../${what}}`);
    dray(['pack', path(what, 'bundle'), '-f', path(what, 'dray.yaml'), '--key', 'release.key'], work);
    const to = ['--to', `registry://${host}/${what}`, '--state', path(what, 'state')];
    dray(['load', path(what, 'bundle'), '--key', 'release.pub', ...to], work);
  }
  const references = Array.from({ length: IMAGES }, (_, at) => `"${host}/images/bench/image-${at}:1"`);
  manifest('near', references.join(', '));
  manifest('far', `"127.0.0.1:${far}/layers/bench/image-0:1"`);
  for (const where of ['near', 'far']) dray(['lock', '-f', path(where, 'dray.yaml')], work);
  dray(['fetch', '-f', path('near/dray.yaml')], work);
  const fetch = (out) =>
    dray(['fetch', '-f', path('far/dray.yaml'), '--store', join(out, 'store'), '--jobs', String(IN_FLIGHT)], work);
  const lock = () => {
    rmSync(path('near/dray.lock'));
    return dray(['lock', '-f', path('near/dray.yaml')], work);
  };
  const optimum = ((IMAGES + 3) / IN_FLIGHT) * (LATENCY / 1000);
  const line = (name, run, seconds) => ({ name, run, floor: { seconds }, bytes: 0 });
  return {
    close: () => stops.forEach((stop) => stop()),
    lines: [
      line(
        `fetch, ${IMAGES} small blobs, ${LATENCY} ms away, ${IN_FLIGHT} at a time`,
        () => into(fetch),
        1.5 * optimum,
      ),
      line(`lock of ${IMAGES} images`, lock, 5),
      line(
        `fetch again, ${3 * IMAGES} blobs present`,
        () => dray(['fetch', '-f', path('near/dray.yaml')], work),
        (3 * IMAGES) / 1000,
      ),
    ],
  };

  function manifest(directory, images) {
    mkdirSync(path(directory), { recursive: true });
    const text = `apiVersion: drayage/v1\nkind: Manifest\nname: bench\nimages: [${images}]\n`;
    writeFileSync(path(directory, 'dray.yaml'), text);
  }
}
