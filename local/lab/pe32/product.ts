import { fileURLToPath } from 'node:url';
import type { PuppetProduct } from '../product.ts';

const agent = ['pe-mcollective', 'pe-puppet'] as const;

/** Puppet Enterprise 3.2. A node with none of its three core roles is an agent: the lab has no further masters or brokers of it. */
export const pe32: PuppetProduct = {
  name: 'pe32',
  version: '3.2.3',
  directory: fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, ''),
  services: {
    master: ['pe-activemq', 'pe-mcollective', 'pe-httpd', 'pe-puppet'],
    puppetdb: ['pe-postgresql', 'pe-puppetdb', ...agent],
    console: ['pe-memcached', 'pe-puppet-dashboard-workers', 'pe-mcollective', 'pe-httpd', 'pe-puppet'],
    'compile-master': agent,
    'activemq-hub': agent,
    'activemq-spoke': agent,
    agent,
  },
};
