import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { RequestListener } from 'node:http';

/** An account of the server. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/**
 * The lambdas' and the operator's credentials, who may do everything here. They are made with this process: another user of the host can
 * call its ports, and does not know them. The key's id is the session's token, since each request tells it, and the S3 server
 * knows no session tokens of AWS's kind.
 */
export const controlCredentials: S3Credentials = {
  accessKeyId: `HOLDFAST${randomBytes(16).toString('hex').toUpperCase()}`,
  secretAccessKey: randomBytes(24).toString('base64url'),
};

/** The same as variables of an environment. */
export const controlEnvironment = {
  AWS_ACCESS_KEY_ID: controlCredentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: controlCredentials.secretAccessKey,
};

const expected = Buffer.from(controlCredentials.accessKeyId);

/** Serves who sends the session's token, and refuses everybody else as AWS refuses a key that it does not know. */
export const demandToken =
  (serve: RequestListener): RequestListener =>
  (incoming, outgoing) => {
    const [, sent = ''] = / Credential=([^/]*)\//.exec(incoming.headers.authorization ?? '') ?? [];
    const token = Buffer.from(sent);
    if (token.length === expected.length && timingSafeEqual(token, expected)) return void serve(incoming, outgoing);
    incoming.resume();
    outgoing
      .writeHead(403, { 'content-type': 'application/x-amz-json-1.1' })
      .end(
        '{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}',
      );
  };
