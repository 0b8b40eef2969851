/** What `dray init --site` writes: a site file that is valid as it is. Every example in a comment works once its `#` is gone. */
export const SITE_TEMPLATE = `# Whom this enclave trusts and where things go. docs/site.md lists every key; relative paths are relative to this file.
# Keep it where no medium can change it, such as /etc/dray/site.yaml.
apiVersion: drayage/v1
kind: Site
name: my-enclave                        # a bundle packed with --audience must name it

trust:
  keys: [release.pub]                   # public keys, PEM, as \`dray keygen\` writes them
  threshold: 1                          # this many distinct keys must have signed
#  require: {models: 2}                 # more of them for a kind
#  revoked: [old.pub]                   # never again

state: /var/lib/dray                    # sequence numbers, journal, receipts
ignore: []                              # kinds that no target here takes, on purpose

targets:
  - registry: registry.enclave.example:5000/mirror   # host and prefix: images and charts go below it
#    naming: path                       # path (drop the host) · full (host becomes the first part) · name (last part only)
#    rename: [{from: nvcr.io/nim/, to: nim/}]
#    caFile: ca.pem                     # or plainHttp: true
#    without: extras                    # groups that do not go here
  - modelCache: /srv/models             # models, each below its name
  - directory: /srv/files               # wheels and files
#  - s3: models/prefix                  # bucket and prefix; models and files. Credentials: the AWS chain
#    endpoint: https://s3.enclave.example:8333
#    createBucket: true
#  - ociLayout: /srv/oci                # an OCI layout; all kinds
#    take: images

#hooks:
#  scan: /usr/local/bin/scan-volume     # gets each volume's path before anything of it is delivered; non-zero stops
#  loaded: /usr/local/bin/after-load    # gets the report (JSON) on standard input
`;
