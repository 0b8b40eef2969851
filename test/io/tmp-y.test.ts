import { test } from 'vitest';
import { formatLock, parseLock } from '../../src/manifest/lock-text.ts';
test('x', () => {
  const d = 'sha256:' + 'a'.repeat(64) as never;
  const blobs = Array.from({length: 100_000}, (_, i) => ({ digest: d, size: i, mediaType: 'application/vnd.drayage.file', title: `some/dir/file-${i}.bin`, path: `data/some/dir/file-${i}.bin` }));
  const lock = { apiVersion: 'drayage/v1' as const, kind: 'Lock' as const, name: 'x', groups: [{name:'core',required: true as const}], artifacts: [{ kind: 'images' as const, name: 'a', groups: ['core'], asked: { ref: 'a', platforms: ['x'], referrers: false }, from: 'x', upstream: d, delivers: d, mediaType: 'x', rootSize: 1, parts: [], size: 3, blobs }]};
  let t = Date.now();
  const text = formatLock(lock); console.log(text.length, 'format', Date.now() - t); t = Date.now();
  console.log(text.slice(0, 1200));
  const back = parseLock(text, 'dray.lock'); console.log('parse', Date.now() - t, process.memoryUsage().rss/1e6, back.artifacts[0]!.blobs.length);
});
