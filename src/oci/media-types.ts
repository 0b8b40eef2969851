/** Every media type, artifact type and annotation key that is read or written. */

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const OCI_EMPTY = 'application/vnd.oci.empty.v1+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_MANIFEST_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json';
export const DOCKER_LAYER_TAR = 'application/vnd.docker.image.rootfs.diff.tar';
export const DOCKER_LAYER_TAR_GZIP = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
export const DOCKER_SCHEMA_1 = [
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
];

/** Layers that may not be given on (image-spec, layer.md, "Non-Distributable Layers"): the media type decides, not `urls`. */
export const DOCKER_FOREIGN_LAYER = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
export const OCI_NONDISTRIBUTABLE = 'application/vnd.oci.image.layer.nondistributable.v1.';

export const HELM_CONFIG = 'application/vnd.cncf.helm.config.v1+json';
export const HELM_CHART = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';
export const HELM_PROVENANCE = 'application/vnd.cncf.helm.chart.provenance.v1.prov';

/** ModelPack (modelpack/model-spec, docs/spec.md); one raw layer per file. */
export const MODEL_MANIFEST = 'application/vnd.cncf.model.manifest.v1+json';
export const MODEL_CONFIG = 'application/vnd.cncf.model.config.v1+json';
export const MODEL_WEIGHT = 'application/vnd.cncf.model.weight.v1.raw';
export const MODEL_WEIGHT_CONFIG = 'application/vnd.cncf.model.weight.config.v1.raw';
export const MODEL_DOC = 'application/vnd.cncf.model.doc.v1.raw';
export const MODEL_CODE = 'application/vnd.cncf.model.code.v1.raw';
export const MODEL_FILEPATH = 'org.cncf.model.filepath';

/** Ours: an artifact manifest whose layers are files, titled with their relative path. */
export const WHEELHOUSE = 'application/vnd.drayage.wheelhouse.v1';
export const WHEEL = 'application/vnd.drayage.wheel.v1+zip';
export const FILE_SET = 'application/vnd.drayage.files.v1';
export const FILE = 'application/vnd.drayage.file.v1';
/** On an index of manifests that together are one artifact too large for one manifest. */
export const SHARDED = 'dev.drayage.sharded';
/** "true" on a layer whose file is delivered with its execute bits set. */
export const EXECUTABLE = 'dev.drayage.executable';
/** On the layer of a file that a Hugging Face Hub knows by git's id of its content, 40 hexadecimal digits: so its cache calls it. */
export const GIT_BLOB = 'dev.drayage.git-blob';

/** On the layer of a wheel: the versions of Python that it is for, as its index says. */
export const REQUIRES_PYTHON = 'dev.drayage.requires-python';

/** Of what nobody has said yet what it is. */
export const OCTET_STREAM = 'application/octet-stream';

export const TITLE = 'org.opencontainers.image.title';
export const REF_NAME = 'org.opencontainers.image.ref.name';
export const CONTAINERD_NAME = 'io.containerd.image.name';
export const REFERENCE_TYPE = 'vnd.docker.reference.type';
export const REFERENCE_DIGEST = 'vnd.docker.reference.digest';

export const INDEXES: readonly string[] = [OCI_INDEX, DOCKER_MANIFEST_LIST];
export const MANIFESTS: readonly string[] = [OCI_MANIFEST, DOCKER_MANIFEST];

/** A manifest or an index: it names other content and is read whole. */
export function isDocument(mediaType: string): boolean {
  return INDEXES.includes(mediaType) || MANIFESTS.includes(mediaType);
}
