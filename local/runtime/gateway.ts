import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';

/** One address for every service, as `--endpoint-url` wants it, and the place where a request can be refused or cut off. */

/** What an observer of S3 requests may decide: let it pass, refuse it as IAM would, or cut the connection. */
export type Verdict = 'pass' | 'deny' | 'cut';

/** A request to S3 as far as permissions are concerned. */
export interface S3Request {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  /** From the signature: who asks. */
  readonly accessKeyId: string;
}

export interface GatewayOptions {
  readonly services: { readonly stepFunctions: string; readonly runCommand: string; readonly s3: string };
  readonly judge: (request: S3Request) => Verdict;
  readonly port?: number;
}

export interface Gateway {
  readonly url: string;
  close(): Promise<void>;
}

const s3Request = (incoming: IncomingMessage): S3Request => {
  const url = new URL(incoming.url ?? '/', 'http://gateway');
  const [bucket = '', ...key] = url.pathname.slice(1).split('/').map(decodeURIComponent);
  return {
    method: incoming.method ?? 'GET',
    bucket,
    key: key.join('/'),
    query: url.searchParams,
    accessKeyId: /Credential=([^/]+)\//.exec(incoming.headers.authorization ?? '')?.[1] ?? '',
  };
};

const deny = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
  // The client may still be sending a part: it reads the answer only after that.
  incoming.resume();
  outgoing.writeHead(403, { 'content-type': 'application/xml' });
  outgoing.end(
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>',
  );
};

const forward = (to: string, incoming: IncomingMessage, outgoing: ServerResponse): void => {
  const target = new URL(to);
  // The Host header is part of the signature, so it passes unchanged.
  const onward = request(
    {
      host: target.hostname,
      port: target.port,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.headers,
    },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
      answer.on('error', () => outgoing.destroy());
    },
  );
  onward.on('error', () => (outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end()));
  outgoing.on('close', () => onward.destroy());
  incoming.pipe(onward);
};

/** Starts the gateway on a loopback port. */
export const startGateway = async ({ services, judge, port = 0 }: GatewayOptions): Promise<Gateway> => {
  const server = createServer({ requestTimeout: 0 }, (incoming, outgoing) => {
    const target = String(incoming.headers['x-amz-target'] ?? '');
    if (target.startsWith('AWSStepFunctions.')) return forward(services.stepFunctions, incoming, outgoing);
    if (target.startsWith('AmazonSSM.')) return forward(services.runCommand, incoming, outgoing);
    const verdict = judge(s3Request(incoming));
    switch (verdict) {
      case 'pass':
        return forward(services.s3, incoming, outgoing);
      case 'deny':
        return deny(incoming, outgoing);
      case 'cut':
        return void incoming.socket.destroy();
      default:
        return verdict satisfies never;
    }
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  const bound = typeof address === 'object' ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
