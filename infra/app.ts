import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { InvalidConfigError, parseConfig } from '#domain/config-file';
import { acknowledgeFindings } from './acknowledged.ts';
import { AlarmsStack } from './alarms-stack.ts';
import { ControlStack } from './control-stack.ts';
import { DocumentsStack, documentStacks } from './documents-stack.ts';
import { DeploymentLimits } from './limits.ts';
import { NodesStack } from './nodes-stack.ts';
import { SchedulesStack } from './schedules-stack.ts';
import { VaultStack } from './vault-stack.ts';

const repository = fileURLToPath(new URL('..', import.meta.url));
const file = process.env['HOLDFAST_FILE'] ?? `${repository}holdfast.yaml`;

/** The app for a configuration's text; `now` decides which change of daylight saving time a schedule's longest gap sees. */
export const holdfastApp = (text: string, name: string, now: Date, context: Record<string, unknown> = {}): App => {
  const config = parseConfig(text, name);
  const directory = `${repository}.local/config`;
  mkdirSync(directory, { recursive: true });
  const normalized = JSON.stringify(config);
  // Named by its content: two apps that are synthesized at once never bundle each other's.
  const configFile = `${directory}/${createHash('sha256').update(normalized).digest('hex').slice(0, 16)}.json`;
  writeFileSync(configFile, normalized);

  const app = new App({ context });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new DeploymentLimits());
  const storage = new VaultStack(app, 'holdfast-vault', { config, description: 'Holdfast: where backups lie' });
  const nodes = new NodesStack(app, 'holdfast-nodes', { config, storage, description: 'Holdfast: what nodes may do' });
  const control = new ControlStack(app, 'holdfast-control', {
    config,
    configFile,
    storage,
    description: 'Holdfast: lambdas, state machines, rules, notifications, what people are granted',
  });
  // Documents before the lambdas that send them.
  for (const letters of documentStacks)
    control.addStackDependency(
      new DocumentsStack(app, `holdfast-documents-${letters}`, {
        letters,
        ticketKey: storage.ticketPublicKey,
        description: `Holdfast: what runs on nodes, ${letters}`,
      }),
    );
  const schedules = new SchedulesStack(app, 'holdfast-schedules', {
    ...{ config, control, now },
    description: 'Holdfast: what starts by itself',
  });
  new AlarmsStack(app, 'holdfast-alarms', { config, control, now, description: 'Holdfast: alarms and the dashboard' });
  acknowledgeFindings(config, { storage, nodes, control, schedules });
  return app;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    holdfastApp(readFileSync(file, 'utf8'), file, new Date()).synth();
  } catch (error) {
    if (!(error instanceof InvalidConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
