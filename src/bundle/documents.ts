import { DrayError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { DOCUMENT_LIMIT } from '../oci/image-manifest.ts';
import { collect } from '../store/blob-store.ts';
import type { OpenBundle, OpenVolume } from './reader.ts';
import type { Piece } from './table.ts';
import { openVolumeReader } from './volume-reader.ts';

/** Documents of the volumes that were given. They stand at the head of each table, so finding them reads little. */
export interface Documents {
  has(digest: Digest): boolean;
  /** @throws `volume-missing` where no volume given has it, `content-damaged` where every copy is */
  read(document: Descriptor): Promise<Uint8Array>;
}

export async function openDocuments(bundle: OpenBundle): Promise<Documents> {
  const copies = new Map<Digest, { volume: OpenVolume; piece: Piece }[]>();
  for (const volume of bundle.volumes) {
    for await (const piece of bundle.table(volume.entry)) {
      if (piece.entry !== undefined) continue;
      if (piece.document === undefined) break;
      copies.set(piece.digest, [...(copies.get(piece.digest) ?? []), { volume, piece }]);
    }
  }
  return {
    has: (digest) => copies.has(digest),
    read: async ({ digest, size }) => {
      let damage: unknown = new DrayError('volume-missing', `${digest}: is on none of the volumes given`);
      for (const { volume, piece } of copies.get(digest) ?? []) {
        try {
          if (piece.size === size) return await readPiece(volume, piece);
          damage = new DrayError('bundle-invalid', `${digest}: expected ${size} bytes, the table has ${piece.size}`);
        } catch (error) {
          damage = error;
        }
      }
      throw damage;
    },
  };
}

async function readPiece(volume: OpenVolume, piece: Piece): Promise<Uint8Array> {
  const reader = openVolumeReader(volume);
  try {
    return await collect(reader.stored(piece), piece.size, DOCUMENT_LIMIT, piece.digest);
  } finally {
    reader.close();
  }
}
