import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { AgentControl } from './agent.ts';
import { type Clock, systemClock } from './clock.ts';
import { keepDocuments } from './documents.ts';
import { SsmError } from './errors.ts';
import type { ManagedInstance } from './instance.ts';
import { operations } from './operations.ts';
import { startRunCommand } from './run-command.ts';

export type { AgentControl } from './agent.ts';
export type { Clock } from './clock.ts';
export { AGENT_DIRECTORY, agentEnvironment, type ManagedInstance, type RunningScript } from './instance.ts';
export { type LocalInstance, localInstance } from './local-instance.ts';

const TARGET_PREFIX = 'AmazonSSM.';

/**
 * Serves SSM's Run Command on the loopback interface: the SDK's client works against `url` unchanged, and the documents
 * really run on the instances, with the limits, statuses and time-outs of the real service and agent.
 *
 * Output is kept in memory only; the S3 and CloudWatch settings of a command are accepted and
 * nothing is written there. A document that the stand-in could not run faithfully is refused here.
 */
export const startSsm = async (options: {
  /** Asked again for each decision, so that instances may come, go and be replaced. */
  readonly instances: () => readonly ManagedInstance[];
  /** The JSON content of each document by its name: schema 2.2, one `aws:runShellScript` step. */
  readonly documents: Readonly<Record<string, string>>;
  readonly region: string;
  readonly account: string;
  readonly clock?: Clock;
  /** Refuses callers. Default: any credentials will do. */
  readonly admit?: (serve: RequestListener) => RequestListener;
}): Promise<{
  readonly url: string;
  /** The agent of an instance. */
  agent(instanceId: string): AgentControl;
  /** Gives a document a new version, which becomes the default: what a deployment does. */
  updateDocument(name: string, content: string): void;
  close(): Promise<void>;
}> => {
  const { instances, region, account, clock = systemClock, admit = (serve) => serve } = options;
  const documents = keepDocuments(options.documents);
  const runCommand = startRunCommand({ instances, account, clock });
  const answer = operations({ runCommand, documents, instances, region, account, clock });

  const serve: RequestListener = (request, response) => {
    const target = request.headers['x-amz-target'];
    const operation = typeof target === 'string' ? target.slice(TARGET_PREFIX.length) : '';
    json(request)
      .then((body) => answer(operation, body))
      .then(
        (result) => ({ status: 200, body: result }),
        (error: unknown) =>
          error instanceof SsmError
            ? { status: 400, body: { __type: error.name, message: error.message } }
            : { status: 500, body: { __type: 'InternalServerError', message: String(error) } },
      )
      .then(({ status, body }) => {
        response.writeHead(status, {
          'content-type': 'application/x-amz-json-1.1',
          'x-amzn-requestid': randomUUID(),
        });
        response.end(JSON.stringify(body));
      });
  };
  const server = createServer(admit(serve));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${port(server.address())}`,
    agent: runCommand.agentOf,
    updateDocument: documents.update,
    async close() {
      await runCommand.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

const port = (address: AddressInfo | string | null): number => {
  if (address === null || typeof address === 'string') throw new Error('The server has no TCP address.');
  return address.port;
};
