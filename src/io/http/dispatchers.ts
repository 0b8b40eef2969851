import Agent from 'undici/lib/dispatcher/agent.js';
import api from 'undici/lib/api/index.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import ProxyAgent from 'undici/lib/dispatcher/proxy-agent.js';

/**
 * What is used of undici, put together as its own index.js does. All of it, with fetch, caches and mocks, takes three times
 * as long to load, at the start of every verb that asks a network.
 */
Object.assign(Dispatcher.prototype, api);

export { Agent, ProxyAgent };
