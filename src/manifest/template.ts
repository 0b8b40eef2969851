/** What `dray init` writes: a manifest that can be locked as it is. Every example in a comment works once its `#` is gone. */
export const MANIFEST_TEMPLATE = `# What to carry across the gap. docs/manifest.md lists every key; \`dray lock\` pins what stands here.
apiVersion: drayage/v1
kind: Manifest
name: my-bundle                         # the first part of every medium's and volume's name
platforms: [linux/amd64]                # for images: one, several, or all

# Parts that can be left out of a bundle or a load (--group, --without), in this order on the media.
groups:
  core: {required: true}                # cannot be left out
  extras: {}

defaults: {group: core}                 # for every entry here that does not say otherwise

# Container images. A string is short for \`ref:\`; a tag or a digest.
images:
  - docker.io/library/busybox:1.37.0
#  - ref: docker.io/library/alpine:3.22
#    group: extras
#    platforms: all                     # the image as it is upstream, every platform
#  - path: vendor/images.tar            # docker save, or an OCI layout as tar or directory
#    as: registry.example/vendor/       # put before the names found inside
#  - list: images.txt                   # one reference a line

# Helm charts, from a registry or a directory (or .tgz).
charts:
#  - oci://registry.example/charts/app:1.2.3
#  - path: charts/app

# Python wheels: a directory of .whl files, or what requirements files ask for (pylock.toml and uv.lock as well).
wheels:
#  - name: own
#    path: dist
#  - name: training
#    requirements: requirements.txt
#    python: 3.12                       # or several
#    platforms: manylinux_2_28_x86_64   # or several; default: those that fit \`platforms\` above

# Model weights: a directory, and the model's name in the enclave.
models:
#  - path: weights/my-model
#    as: example/my-model

# Ordinary files. A string is short for \`path:\`; a file, a directory or a glob.
files:
#  - datasets/samples
#  - url: https://downloads.example/driver-580.run
#    as: drivers/580.run

# \${NAME} and \${NAME:-default} come from the environment, $$ is a dollar. Logins never stand here: \`docker login\` keeps them.
`;
