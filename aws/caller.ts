import { createHmac } from 'node:crypto';
import type { SFNClient } from '@aws-sdk/client-sfn';
import { sha256 } from './digest.ts';
import { serviceUrl } from './service-url.ts';

/** Who calls: IAM's own name for it, `aws:userid` in a policy. */
export type CallerId = () => Promise<string>;

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** What a request is signed with. */
export interface Signer {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** The headers of a signed POST to the root of a service, by AWS's Signature Version 4. */
export const signedHeaders = (
  { accessKeyId, secretAccessKey, sessionToken }: Signer,
  { service, region, host, body }: { readonly [key in 'service' | 'region' | 'host' | 'body']: string },
  now: Date,
): Readonly<Record<string, string>> => {
  const moment = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const day = moment.slice(0, 8);
  const headers: Record<string, string> = {
    'content-type': 'application/x-www-form-urlencoded',
    host,
    'x-amz-date': moment,
    ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken }),
  };
  const names = Object.keys(headers).join(';');
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const scope = `${day}/${region}/${service}/aws4_request`;
  const request = ['POST', '/', '', lines.join(''), names, sha256(body)].join('\n');
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`);
  const signature = hmac(key, ['AWS4-HMAC-SHA256', moment, scope, sha256(request)].join('\n')).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...headers, authorization };
};

/** Asks STS, with the credentials and the region of a client. Throws when STS does not answer with a name. */
export const stsCallerId =
  ({ config }: Pick<SFNClient, 'config'>, endpointUrl?: string): CallerId =>
  async () => {
    const region = await config.region();
    const url = serviceUrl('sts', region, endpointUrl);
    const body = 'Action=GetCallerIdentity&Version=2011-06-15';
    const headers = signedHeaders(
      await config.credentials(),
      { service: 'sts', region, host: url.host, body },
      new Date(),
    );
    const answer = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(30_000) });
    const text = await answer.text();
    const id = /<UserId>([A-Za-z0-9:+=,.@_-]{1,200})<\/UserId>/.exec(text)?.[1];
    if (!answer.ok || id === undefined)
      throw new Error(`STS does not say who calls: ${answer.status} ${text.slice(0, 200)}`);
    return id;
  };
