import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestListener,
  request,
  type ServerResponse,
} from 'node:http';
import { text } from 'node:stream/consumers';
import type { ColdAnswer } from './cold-storage.ts';
import { parseS3Request, type S3Request, type Verdict } from './s3-request.ts';
import { demandToken } from './session.ts';

/** One address for every service, as `--endpoint-url` wants it, and the place where a request can be refused or cut off. */

export interface GatewayOptions {
  readonly services: { readonly stepFunctions: string; readonly runCommand: string; readonly s3: string };
  readonly judge: (request: S3Request) => Verdict | Promise<Verdict>;
  readonly scheduler?: RequestListener;
  /** The event bus and the topic. */
  readonly notices?: RequestListener;
  /** The keys that sign. */
  readonly kms?: RequestListener;
  readonly coldStorage?: { answer(request: S3Request): ColdAnswer };
  /** The cloud of a Juju system, once it is there: it answers for EC2, and for the control bucket of Juju 1.x. */
  readonly cloud?: () => string | undefined;
  readonly port?: number;
}

export interface Gateway {
  readonly url: string;
  close(): Promise<void>;
}

/** Who everybody is on the local runtime. */
const localCaller = 'AIDALOCALRUNTIME';

/** The lab has no users: whoever calls is the one who started it. */
const tellCaller: RequestListener = (incoming, outgoing) => {
  incoming.resume();
  const result = `<Arn>arn:aws:iam::000000000000:user/local</Arn><UserId>${localCaller}</UserId><Account>000000000000</Account>`;
  outgoing
    .writeHead(200, { 'content-type': 'text/xml' })
    .end(
      `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>${result}</GetCallerIdentityResult><ResponseMetadata><RequestId>local</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
    );
};

const nobody: RequestListener = (incoming, outgoing) => {
  incoming.resume();
  outgoing.writeHead(501).end();
};

/** Answers in the S3 server's place. */
const answer = (incoming: IncomingMessage, outgoing: ServerResponse, status: number, error = ''): void => {
  // The client may still be sending a part: it reads the answer only after that.
  incoming.resume();
  outgoing.writeHead(status, { 'content-type': 'application/xml' });
  outgoing.end(
    error && `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${error}</Code><Message>${error}</Message></Error>`,
  );
};

const forward = (
  to: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  more: OutgoingHttpHeaders = {},
  rewrite?: (body: string) => string,
): void => {
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
    async (received) => {
      if (rewrite) {
        const body = rewrite(await text(received));
        const { 'content-length': _, ...kept } = received.headers;
        outgoing.writeHead(received.statusCode ?? 502, kept);
        return void outgoing.end(body);
      }
      outgoing.writeHead(received.statusCode ?? 502, { ...received.headers, ...more });
      received.pipe(outgoing);
      received.on('error', () => outgoing.destroy());
    },
  );
  onward.on('error', () => (outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end()));
  outgoing.on('close', () => onward.destroy());
  incoming.pipe(onward);
};

/** Starts the gateway on a loopback port. */
export const startGateway = async (options: GatewayOptions): Promise<Gateway> => {
  const { services, judge, scheduler, notices, kms, coldStorage, cloud = () => undefined, port = 0 } = options;
  const serveS3 = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const asked = parseS3Request(incoming);
    const verdict = await judge(asked);
    // Whoever has hung up meanwhile gets nothing, and S3 does not hear of it.
    if (outgoing.destroyed) return;
    switch (verdict) {
      case 'pass': {
        const cold = coldStorage?.answer(asked) ?? { headers: {} };
        if ('headers' in cold) return forward(services.s3, incoming, outgoing, cold.headers, cold.rewrite);
        return answer(incoming, outgoing, cold.status, cold.error);
      }
      case 'deny':
        return answer(incoming, outgoing, 403, 'AccessDenied');
      case 'expired':
        return answer(incoming, outgoing, 400, 'ExpiredToken');
      case 'cut':
        return void incoming.socket.destroy();
      default:
        return verdict satisfies never;
    }
  };
  /** The service for which a request is that only lambdas and people call; neither S3's requests nor some of theirs name a target. */
  const serviceOf = (target: string, signature: string): RequestListener | undefined => {
    const isFor = (name: string): boolean => signature.includes(`/${name}/aws4_request`);
    if (target.startsWith('AWSStepFunctions.')) return (...call) => forward(services.stepFunctions, ...call);
    if (target.startsWith('AmazonSSM.')) return (...call) => forward(services.runCommand, ...call);
    if (target.startsWith('TrentService.')) return kms ?? nobody;
    if (target.startsWith('AWSEvents.') || isFor('sns')) return notices ?? nobody;
    if (isFor('sts')) return tellCaller;
    return isFor('scheduler') ? (scheduler ?? nobody) : undefined;
  };
  const server = createServer({ requestTimeout: 0 }, (incoming, outgoing) => {
    const target = String(incoming.headers['x-amz-target'] ?? '');
    const signature = incoming.headers.authorization ?? '';
    const service = serviceOf(target, signature);
    if (service !== undefined) return void demandToken(service)(incoming, outgoing);
    // What follows are the services that nodes call as well: these look at the signatures themselves.
    const elsewhere = cloud();
    const isForm = String(incoming.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');
    if (elsewhere !== undefined && (isForm || incoming.url?.startsWith('/juju-control-')))
      return forward(elsewhere, incoming, outgoing);
    serveS3(incoming, outgoing).catch(() => answer(incoming, outgoing, 500, 'InternalError'));
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
