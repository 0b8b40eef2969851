import { pack } from 'tar-stream';
import type { Pack } from 'tar-stream';

/** A file to be packed. Its content is asked for when its turn comes. */
export interface TarInput {
  readonly name: string;
  readonly content: () => Promise<Uint8Array>;
}

export type TarInputs = Iterable<TarInput> | AsyncIterable<TarInput>;

/**
 * A tar of ordinary files in the order given, the same bytes for the same names and contents: no owner, mode 0644, the
 * time zero. In chunks of any size.
 */
export async function* writeTar(files: TarInputs): AsyncGenerator<Uint8Array> {
  const tar = pack();
  const filling = fill(tar, files).catch((error: unknown) => tar.destroy(error as Error));
  try {
    for await (const chunk of tar as AsyncIterable<Uint8Array>) yield chunk;
  } finally {
    tar.destroy();
    await filling;
  }
}

async function fill(tar: Pack, files: TarInputs): Promise<void> {
  for await (const { name, content } of files) {
    const bytes = await content();
    await new Promise<void>((resolve, reject) => {
      const header = {
        name,
        size: bytes.length,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: new Date(0),
        type: 'file' as const,
      };
      tar.entry(header, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), (error) => {
        if (error == null) resolve();
        else reject(error);
      });
    });
  }
  tar.finalize();
}
