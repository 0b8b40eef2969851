import { chartPathSource } from './charts/path.ts';
import { chartRefSource } from './charts/ref.ts';
import { chartRepoSource } from './charts/repo.ts';
import { datasetHubSource } from './files/hf.ts';
import { fileNgcSource } from './files/ngc.ts';
import { filePathSource } from './files/path.ts';
import { fileUrlSource } from './files/url.ts';
import { imagePathSource } from './images/path.ts';
import { imageRefSource } from './images/ref.ts';
import { modelHubSource } from './models/hf.ts';
import { modelNgcSource } from './models/ngc.ts';
import { modelPathSource } from './models/path.ts';
import type { Source } from './source.ts';
import { wheelPathSource } from './wheels/path.ts';
import { wheelRequirementsSource } from './wheels/requirements.ts';

/** Every way to come by artifacts. A new one is one file and one line here. */
export const SOURCES: readonly Source[] = [
  imageRefSource,
  imagePathSource,
  chartRefSource,
  chartRepoSource,
  chartPathSource,
  wheelRequirementsSource,
  wheelPathSource,
  modelPathSource,
  modelHubSource,
  modelNgcSource,
  filePathSource,
  fileUrlSource,
  datasetHubSource,
  fileNgcSource,
];
