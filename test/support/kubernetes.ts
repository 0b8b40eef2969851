import { startServer } from './loopback-server.ts';
import type { LoopbackServer } from './loopback-server.ts';

/** As much of a cluster's API as `helm install --dry-run=client` asks: what there is, and that nothing of it is installed yet. */
export async function startKubernetes(): Promise<LoopbackServer> {
  return startServer(({ url = '/' }, response) => {
    const answer = ANSWERS[url.split('?')[0] ?? ''];
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify(answer ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 }),
    );
  });
}

const resource = (kind: string): object => ({
  ...{ name: `${kind.toLowerCase()}s`, singularName: '', namespaced: true, kind },
  verbs: ['get', 'list', 'create'],
});
const APPS = { groupVersion: 'apps/v1', version: 'v1' };
const ANSWERS: Readonly<Record<string, object>> = {
  '/version': { major: '1', minor: '33', gitVersion: 'v1.33.0' },
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': {
    ...{ kind: 'APIGroupList', apiVersion: 'v1' },
    groups: [{ name: 'apps', versions: [APPS], preferredVersion: APPS }],
  },
  '/api/v1': {
    ...{ kind: 'APIResourceList', groupVersion: 'v1' },
    resources: ['ConfigMap', 'Secret', 'Service', 'ServiceAccount', 'Pod'].map(resource),
  },
  '/apis/apps/v1': { kind: 'APIResourceList', groupVersion: 'apps/v1', resources: [resource('Deployment')] },
};
