import { startLab } from './runtime/lab.ts';
import { controlEnvironment } from './runtime/session.ts';

/** `npm run local`: a lab with a few systems that stays until it is interrupted. */

const configuration = `
systems:
  pe-main:
    kind: puppet-enterprise
    consistency: quiesced
    nodes:
      - instance: i-0123456789abcdef0
        roles: [master, puppetdb, console]
    schedules: [often]
  pe-staging:
    kind: puppet-enterprise
    nodes:
      - tag: { key: Name, value: staging-puppet }
        roles: [master, puppetdb, console]
schedules:
  often:
    cron: '*/10 * * * *'
`;

const port = Number(process.env['HOLDFAST_PORT'] ?? 4599);
const lab = await startLab({ configuration, port, onProgress: (what) => process.stdout.write(`  ${what}\n`) });
lab.runtime.keepSchedules(lab.config);
process.stdout.write(`
Holdfast runs here until you press Ctrl-C. pe-main is backed up every ten minutes, pe-staging when you ask for it:

  export ${Object.entries(controlEnvironment)
    .map((variable) => variable.join('='))
    .join(' ')} AWS_REGION=us-east-1
  export AWS_ENDPOINT_URL=${lab.runtime.url}
  node_modules/.bin/node cli/holdfast.mjs --endpoint-url ${lab.runtime.url} backup pe-staging --watch
  node_modules/.bin/node cli/holdfast.mjs --endpoint-url ${lab.runtime.url} backups pe-staging
  node_modules/.bin/node cli/holdfast.mjs --endpoint-url ${lab.runtime.url} show pe-staging/latest

`);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    process.stdout.write('cleaning up\n');
    void lab.close().then(() => process.exit(0));
  });
