import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Call } from './api.ts';
import { ApiError } from './errors.ts';

/** Serves calls on the loopback in AWS's JSON 1.0 protocol: the operation in X-Amz-Target, dates as seconds since 1970. */
export async function serve(
  calls: ReadonlyMap<string, Call>,
  admit: (listener: RequestListener) => RequestListener,
): Promise<{ url: string; close(): Promise<void> }> {
  const listener: RequestListener = async (request, response) => {
    const { status, body } = await answer(calls, request);
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': randomUUID() });
    response.end(JSON.stringify(body, epochSeconds));
  };
  const server = createServer(admit(listener));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(calls: ReadonlyMap<string, Call>, request: IncomingMessage) {
  try {
    const operation = String(request.headers['x-amz-target']).replace(/^AWSStepFunctions\./, '');
    const call = calls.get(operation);
    if (!call) throw new ApiError('UnknownOperationException', `Unknown operation ${operation}`);
    return { status: 200, body: await call(await read(request)) };
  } catch (error) {
    if (error instanceof ApiError) return { status: 400, body: { __type: error.name, message: error.message } };
    return { status: 500, body: { __type: 'InternalFailure', message: String(error) } };
  }
}

async function read(request: IncomingMessage): Promise<unknown> {
  try {
    return JSON.parse(await text(request));
  } catch {
    throw new ApiError('SerializationException', 'The body is not JSON.');
  }
}

function epochSeconds(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const original = this[key];
  return original instanceof Date ? original.getTime() / 1000 : value;
}
