import { fileURLToPath } from 'node:url';

import type { PuppetProduct } from '../product.ts';

/** Puppet Enterprise 2016.2.1, which the installer and the scripts of its own master upgrade. */
export const pe2016: PuppetProduct = {
  name: 'pe2016',
  version: '2016.2.1',
  directory: fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, ''),
  services: {
    puppetdb: ['pe-postgresql', 'pe-puppetdb', 'mcollective', 'puppet'],
    master: ['pe-puppetserver', 'pe-orchestration-services', 'pe-activemq', 'mcollective', 'puppet'],
    console: ['pe-console-services', 'pe-nginx', 'mcollective', 'puppet'],
    'compile-master': ['pe-puppetserver', 'mcollective', 'puppet'],
    'activemq-hub': ['pe-activemq', 'mcollective', 'puppet'],
    'activemq-spoke': ['pe-activemq', 'mcollective', 'puppet'],
    agent: ['puppet'],
  },
};
