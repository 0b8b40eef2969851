import type { BundleIndex } from './bundle-index.ts';
import { SUMS, bundleLabel, mediumDirectory, volumeStem } from './names.ts';

/** What a medium says to a person who has nothing but a shell. Plain ASCII, the same bytes for the same bundle. */
export function readMe(index: BundleIndex, medium: number, files: number, bytes: number): string {
  const own = index.volumes.filter((volume) => volume.medium === medium);
  const label = bundleLabel(index);
  const volumes = own.map(({ number }) => (index.format === 'archive' ? `${volumeStem(index, number)}.tar` : 'blobs/'));
  return `${mediumDirectory(index, medium, index.media)}

This is medium ${medium} of ${index.media} of the transfer bundle ${label}, packed ${index.created}.
It was written by Drayage (command: dray), which carries software across an air gap.

What is on it
  ${files} files, ${bytes} bytes, besides this one, ${SUMS} and the signatures.
  ${volumes.length === 0 ? 'No volume' : volumes.join(', ')}: the cargo, ${index.format === 'archive' ? 'a tar that is itself an OCI image layout' : 'an OCI image layout in this directory'}.
  bundle.json: what is in the whole bundle. It is what the signatures bundle.json.*.sigstore.json sign.
  *.pieces: which bytes lie where, for every volume of the bundle.
  *.chunks: a CRC-32 of every 64 KiB, to say where a damaged volume is damaged.

How to check it without dray
  sha256sum -c --strict ${SUMS}
  It must name this file, ${files} more and the signatures, all OK. This finds damage; only a signature says who packed it.

How to check and load it with dray
  dray verify --partial --key release.pub .
  dray load --key release.pub --to registry://HOST:5000 .
  Media may be given in any order. Nothing is ever written to a medium.
`;
}
