import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { type Connection, stsClient } from './clients.ts';

/** Who calls: IAM's own name for it, `aws:userid` in a policy. */
export type CallerId = () => Promise<string>;

/** Asks STS. Throws when it does not answer with a name that can be part of a key. */
export const stsCallerId = (connection: Connection): CallerId => {
  const client = stsClient(connection);
  return async () => {
    const { UserId = '' } = await client.send(new GetCallerIdentityCommand({}));
    if (!/^[A-Za-z0-9:+=,.@_-]{1,200}$/.test(UserId))
      throw new Error(`STS returned no user ID: ${UserId.slice(0, 200)}`);
    return UserId;
  };
};
