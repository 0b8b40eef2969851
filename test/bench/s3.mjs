import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFiles, makeImages } from './payload.mjs';
import { dray, installed, shell } from './run.mjs';
import { S3_LOGIN, freePort, startRegistry, startSeaweed, startVersitygw } from './servers.mjs';

const SERVERS = { versitygw: [startVersitygw, 2], weed: [startSeaweed, 1.3] };

/** Into S3 servers, and into three targets at once. @param {import('./workbench.mjs').Workbench} workbench */
export async function cases({ work, size, path, into }) {
  Object.assign(process.env, S3_LOGIN);
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  await makeFiles(path('payload'), size, 1);
  writeFileSync(path('dray.yaml'), 'apiVersion: drayage/v1\nkind: Manifest\nname: bench\nfiles: ["payload/*.bin"]\n');
  dray(['keygen', 'release', '--no-password'], work);
  dray(['pack', 'bundle', '--key', 'release.key'], work);
  const withServer = (start, run) =>
    into((out) => {
      const stop = start(join(out, 's3'), port);
      try {
        return run(out);
      } finally {
        stop();
      }
    });
  const load = (out) =>
    dray(
      [
        'load',
        'bundle',
        '--key',
        'release.pub',
        '--state',
        join(out, 'state'),
        '--to',
        `s3://bench/x?endpoint=${endpoint}&createBucket=true`,
      ],
      work,
      [out],
    );
  const copy = (out) =>
    shell(
      `${aws()} --endpoint-url "$2" s3 mb s3://bench >/dev/null; ${aws()} --endpoint-url "$2" s3 cp --only-show-errors "$1"/* s3://bench/x/; sync -f "$3"`,
      [path('payload'), endpoint, out],
    );
  const lines = Object.entries(SERVERS)
    .filter(
      ([program]) =>
        installed(program) !== undefined ||
        void process.stdout.write(`skipped: load → S3 (${program} is not installed)\n`),
    )
    .map(([program, [start, ratio]]) => ({
      name: `load → ${program}`,
      run: () => withServer(start, load),
      peers: { 'aws s3 cp': ['aws', () => withServer(start, copy)] },
      bytes: size,
      floor: { ratio, written: 0.01 },
    }));
  return { lines: [...lines, ...(await together({ work, size, path, into }))] };
}

/** A bundle for a registry, a bucket and a directory: at once, and one after the other. */
async function together({ work, size, path, into }) {
  const missing = ['docker-registry', 'versitygw'].filter((name) => installed(name) === undefined);
  if (missing.length > 0) {
    process.stdout.write(`skipped: three targets at once (${missing.join(', ')} not installed)\n`);
    return [];
  }
  const half = Math.ceil(size / 2);
  mkdirSync(path('both'));
  await makeImages(path('both/images'), { size: half, images: 3, layers: 2 });
  await makeFiles(path('both/payload'), half, 2);
  const manifest = path('both/dray.yaml');
  writeFileSync(
    manifest,
    'apiVersion: drayage/v1\nkind: Manifest\nname: both\nimages: [{path: images}]\nfiles: ["payload/*.bin"]\n',
  );
  dray(['pack', path('both/bundle'), '-f', manifest, '--key', 'release.key'], work);
  const [registry, s3] = [await freePort(), await freePort()];
  const targets = (out) => [
    { to: `registry://127.0.0.1:${registry}`, only: 'images' },
    { to: `s3://bench/x?endpoint=http://127.0.0.1:${s3}&createBucket=true`, only: 'files' },
    { to: `directory:${join(out, 'directory')}`, only: 'files' },
  ];
  const withBoth = (run) =>
    into((out) => {
      const stops = [
        startRegistry('docker-registry', join(out, 'registry'), registry),
        startVersitygw(join(out, 's3'), s3),
      ];
      try {
        return run(out);
      } finally {
        stops.forEach((stop) => stop());
      }
    });
  const load = (out, state, words) =>
    dray(['load', path('both/bundle'), '--key', 'release.pub', '--state', join(out, state), ...words], work, [out]);
  const atOnce = (out) =>
    load(
      out,
      'state',
      targets(out).flatMap(({ to }) => ['--to', to]),
    );
  const oneByOne = (out) => {
    const taken = targets(out).map(({ to, only }) =>
      load(out, `state-${to.split(':')[0]}`, ['--to', to, '--only', only]),
    );
    const sum = (key) => taken.reduce((total, one) => total + one[key], 0);
    return { seconds: sum('seconds'), cpu: sum('cpu'), peak: null, written: null, read: null };
  };
  return [
    {
      name: 'load → registry + S3 + directory at once',
      run: () => withBoth(atOnce),
      peers: { 'one after the other': ['docker-registry', () => withBoth(oneByOne)] },
      bytes: size,
      floor: { ratio: 1.05 },
    },
  ];
}

/** Version 2 where Debian has it; whatever is first on the PATH may be version 1. */
function aws() {
  return installed('aws') === undefined ? 'aws' : `"$( [ -x /usr/bin/aws ] && echo /usr/bin/aws || command -v aws )"`;
}
